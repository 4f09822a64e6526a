package supervisor

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"pingap/ipc"
)

// records are what the next message about the ledger tells, as "kind result", without what was told before.
func (i *instance) records() []ipc.Record {
	i.t.Helper()
	m := i.receive(ipc.TypeRecorded)
	defer m.Close()
	return m.Body.(*ipc.Recorded).Records
}

func TestControlIsToldOfRecordsUntilItAnswers(t *testing.T) {
	i := boot(t, nil) // what it was told then has been passed over
	victim := pids(i.status())[0]
	unix.Kill(victim, unix.SIGKILL)
	i.until("a successor", twoActive(victim))
	i.send(ipc.Recorded{})
	all := i.records()
	if len(all) != 1 || all[0].Kind != ipc.RecordWorker || !strings.Contains(all[0].Reason, "killed") {
		t.Fatalf("%+v", all)
	}
	// It dies before it has answered: the next one hears of it, and of what came since.
	i.mustRefuse(i.proposal("nothing", "two"), ipc.CodeStale)
	unix.Kill(i.pid, unix.SIGKILL)
	i.takeControl()
	all = i.records()
	if len(all) != 2 || all[0].Kind != ipc.RecordWorker || all[1].Kind != ipc.RecordApply || all[1].Result != ipc.RecordRefused {
		t.Fatalf("%+v", all)
	}
	i.send(ipc.Recorded{})
	i.send(ipc.Recorded{}) // one too many
	i.sendProposal(i.proposal("one", "two"))
	if all = i.records(); len(all) != 1 || all[0].Kind != ipc.RecordApply || all[0].Result != ipc.RecordDone || all[0].To == 0 {
		t.Fatalf("%+v", all)
	}
}
