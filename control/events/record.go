package events

import (
	"fmt"
	"strings"

	"pingap/ipc"
)

// OfRecord is what people are told of an entry of the ledger, if they are: what control does it tells itself. supervisor is the id of that process.
func OfRecord(r *ipc.Record, supervisor int) (Event, bool) {
	done := r.Result == ipc.RecordDone
	e := Event{Level: Info}
	switch r.Kind {
	case ipc.RecordWorker:
		e.Category, e.Level, e.Title = WorkerExit, Error, "Worker has ended"
		e.Object, _, _ = strings.Cut(r.By, " (pid ")
		e.Message = strings.TrimSuffix(r.By+": "+r.Reason, ": ")
		if r.Cut > 0 {
			e.Message += fmt.Sprintf(", with %d requests in flight", r.Cut)
		}
	case ipc.RecordRoll, ipc.RecordRestart, ipc.RecordCrash:
		e.Category = Restart
		e.Message = fmt.Sprintf("Restart now, pid:%d, %s", supervisor, restartText(r))
		if !done {
			e.Category, e.Level, e.Message = RestartFail, Error, r.By+": "+r.Reason
		}
		if r.Kind == ipc.RecordCrash {
			e.Level = Error
		}
	case ipc.RecordUpgrade:
		e.Category = Upgrade
		e.Message = fmt.Sprintf("upgraded to %s, pid:%d, %s", r.Build, supervisor, r.By)
		if !done {
			e.Level, e.Message = Error, "everything is as it was: "+r.Reason
		}
	default:
		return e, false
	}
	return e, true
}

func restartText(r *ipc.Record) string {
	switch r.Kind {
	case ipc.RecordRestart:
		return "a new supervisor goes on with " + fmt.Sprint(r.Workers) + " workers"
	case ipc.RecordCrash:
		return "a new supervisor goes on with " + fmt.Sprint(r.Workers) + " workers, after a crash"
	}
	return fmt.Sprintf("fresh workers with version %d, %s", r.To, r.By)
}
