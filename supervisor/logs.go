package supervisor

import (
	"os"
	"slices"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"pingap/ipc"
	"pingap/supervisor/logfile"
)

// logFile is an open log target. The descriptor is passed to those who write; here it is only kept.
type logFile struct {
	target ipc.LogTarget
	path   string // with the date
	fd     int
	retry  time.Time // before it nothing that has failed is tried again
}

func (f *logFile) close() { unix.Close(f.fd) }

func openLog(t ipc.LogTarget, now time.Time) (*logFile, error) {
	fd, path, err := logfile.Open(t, now)
	return &logFile{target: t, path: path, fd: fd}, err
}

// openAppLog opens the application log at the start. Without the journal's socket it stays at standard error, which the
// journal reads as well.
func (s *supervisor) openAppLog(target ipc.LogTarget) error {
	f, err := openLog(target, s.o.Now())
	switch {
	case err == nil:
		s.logs[target.ID] = f
		s.useAppLog(f, 0)
	case target.Format == ipc.FormatJournal:
		s.log.Warn("logging to standard error instead of the journal's socket", zap.Error(err))
	default:
		return err
	}
	return nil
}

// openMissing opens the targets that are wanted and not open yet; on an error none stays open.
func (s *supervisor) openMissing(wanted []ipc.LogTarget) ([]*logFile, error) {
	var added []*logFile
	for _, t := range wanted {
		t.ID = ipc.LogTargetID(t)
		if s.logs[t.ID] != nil {
			continue
		}
		f, err := openLog(t, s.o.Now())
		if err != nil {
			closeLogs(added)
			return nil, err
		}
		added = append(added, f)
	}
	return added, nil
}

func closeLogs(files []*logFile) {
	for _, f := range files {
		f.close()
	}
}

// keepLogs follows the version that has become live: what nobody wants any more is closed, and our own log is as it says.
func (s *supervisor) keepLogs(v *version) {
	s.dropLogs()
	s.tidy.Compress = v.settings.LogCompress
	for _, t := range v.logs { // the same file may be rotated otherwise
		if f := s.logs[t.ID]; f != nil {
			f.target = t
		}
	}
	if s.o.OnLogSettings != nil {
		s.o.OnLogSettings(v.settings.LogLevel, v.settings.LogJSON)
	}
}

// logsAdopted gives workers that were taken over the files that this supervisor has opened: all who write to a log have to share one
// open file (telemetry.Continue), and what was renamed while nobody led them is left.
func (s *supervisor) logsAdopted() {
	if s.live != nil {
		s.keepLogs(s.live)
	}
	s.beginReopen(nil)
}

// hotSettings are those in use once next is live in running processes: figures of the processes themselves need fresh ones.
func hotSettings(live, next ipc.Settings) ipc.Settings {
	live.GracePeriod, live.Drain, live.LogLevel, live.LogJSON, live.LogCompress = next.GracePeriod, next.Drain, next.LogLevel, next.LogJSON, next.LogCompress
	return live
}

// dropLogs closes what neither the live version nor the one under way wants, nor a worker that finishes what it began on another.
func (s *supervisor) dropLogs() {
	inUse := []*version{s.live}
	if s.op != nil {
		inUse = append(inUse, s.op.next)
	}
	for c := range s.children {
		inUse = append(inUse, c.version)
	}
	for id, f := range s.logs {
		if id != ipc.IDAppLog && !slices.ContainsFunc(inUse, func(v *version) bool { return v.writes(id) }) {
			f.close()
			delete(s.logs, id)
		}
	}
}

// writes reports whether workers of this version write to a target. nil is that of control.
func (v *version) writes(id string) bool {
	return v != nil && slices.ContainsFunc(v.logs, func(t ipc.LogTarget) bool { return t.ID == id })
}

// logTargets adds open files to a message.
func logTargets(files []*logFile, fds *ipc.FDs) []ipc.LogTarget {
	var targets []ipc.LogTarget
	for _, f := range files {
		t := f.target
		t.FD = fds.Add(f.fd)
		targets = append(targets, t)
	}
	return targets
}

// reopen is one round of new log files that waits for the acks.
type reopen struct {
	from    *request            // who asked, nil for a signal or a new period
	waiting map[*child]struct{} // nil is this process
	paths   []string
	errors  []string
	timer   *timer
}

// beginReopen opens all log files anew and replaces the old ones everywhere. A target that cannot be opened keeps its old file.
func (s *supervisor) beginReopen(from *request) {
	s.dropLogs()
	var files []*logFile
	for _, f := range s.logs {
		files = append(files, f)
	}
	s.replaceLogs(files, from)
}

func (s *supervisor) replaceLogs(files []*logFile, from *request) {
	r := &reopen{from: from, waiting: map[*child]struct{}{}}
	txn := s.nextTxn()
	s.reopens[txn] = r
	var fresh []*logFile
	for _, old := range files {
		f, err := openLog(old.target, s.o.Now())
		if err != nil {
			r.errors = append(r.errors, err.Error())
			s.log.Error("log not reopened, the old file stays", zap.String("path", old.path), zap.Error(err))
			old.retry = s.o.Now().Add(retryLog)
			continue
		}
		old.close()
		s.logs[f.target.ID] = f
		fresh = append(fresh, f)
		r.paths = append(r.paths, f.path)
		if f.target.ID == ipc.IDAppLog && s.useAppLog(f, txn) {
			r.waiting[nil] = struct{}{}
		}
	}
	for c := range s.children {
		if s.sendLogs(c, txn, fresh) {
			r.waiting[c] = struct{}{}
		}
	}
	r.timer = s.after(s.o.Timings.Reopen, func() { s.reopenLate(txn) })
	s.reopenProgress(txn)
}

// useAppLog gives our own logger a descriptor of the application log, and reports whether it will be taken. Without one
// the logger stays where it is.
func (s *supervisor) useAppLog(f *logFile, txn uint32) bool {
	if s.o.OnAppLog == nil {
		return false
	}
	file, err := dup(f)
	if err != nil {
		s.log.Error("the supervisor keeps its old log", zap.String("path", f.path), zap.Error(err))
		return false
	}
	s.o.OnAppLog(file, func() { s.post(ownLog{txn}) })
	return true
}

func dup(f *logFile) (*os.File, error) {
	fd, err := unix.FcntlInt(uintptr(f.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("dup", err)
	}
	return os.NewFile(uintptr(fd), f.path), nil
}

// sendLogs gives a child the files it uses, and reports whether an ack will come.
func (s *supervisor) sendLogs(c *child, txn uint32, files []*logFile) bool {
	if !c.hasLogs || c.dying != "" {
		return false
	}
	var mine []*logFile
	unknown := c.version == nil && c.role() == ipc.RoleWorker // taken over while it was draining
	for _, f := range files {
		if id := f.target.ID; id == ipc.IDAppLog || unknown || c.version.writes(id) || s.op != nil && s.op.next.writes(id) {
			mine = append(mine, f)
		}
	}
	if len(mine) == 0 {
		return false
	}
	var fds ipc.FDs
	logs := logTargets(mine, &fds)
	return s.send(c, txn, ipc.LogFDs{Logs: logs}, fds...)
}

// logsTaken is called for an ack, and for a child that has gone. errs are of files that a child could not leave.
func (s *supervisor) logsTaken(c *child, txn uint32, errs ...string) {
	if r := s.reopens[txn]; r != nil {
		for _, e := range errs {
			r.errors = append(r.errors, c.name()+": "+clip(e))
		}
		delete(r.waiting, c)
		s.reopenProgress(txn)
	}
}

func (s *supervisor) reopenLate(txn uint32) {
	r := s.reopens[txn]
	for c := range r.waiting {
		name := ipc.RoleSupervisor
		if c != nil {
			name = c.name()
		}
		r.errors = append(r.errors, name+" did not take the new log files in time")
		delete(r.waiting, c)
	}
	s.reopenProgress(txn)
}

func (s *supervisor) reopenProgress(txn uint32) {
	r := s.reopens[txn]
	if len(r.waiting) > 0 {
		return
	}
	r.timer.cancel()
	delete(s.reopens, txn)
	s.log.Info("log files opened", zap.Strings("paths", r.paths), zap.Strings("errors", r.errors))
	r.from.answer(s, ipc.Reopened{Paths: r.paths, Errors: r.errors})
	s.tidyLogs()
}

// retryLog is how long after a failure a log is not rolled.
const retryLog = time.Minute

// rollLogs gives targets whose period has ended, or whose file has grown too large, their next file, and wakes again when that may be
// so. Called whenever there are other targets.
func (s *supervisor) rollLogs() {
	s.rollTimer.cancel()
	s.dropLogs()
	now := s.o.Now()
	wait := logfile.MaxWait
	var old []*logFile
	for _, f := range s.logs {
		switch grown := logfile.Grown(f.target, f.fd); {
		case now.Before(f.retry):
		case logfile.Path(f.target, now) != f.path:
			old = append(old, f)
		case grown && s.putAside(f, now):
			old = append(old, f)
		}
		wait = min(wait, logfile.Wait(f.target, now))
	}
	if len(old) > 0 {
		s.replaceLogs(old, nil)
	}
	if s.tidy.Due(now) {
		s.tidyLogs()
	}
	s.rollTimer = s.after(wait, s.rollLogs)
}

// putAside gives a file that has grown too large another name.
func (s *supervisor) putAside(f *logFile, now time.Time) bool {
	err := logfile.PutAside(f.path, f.fd, now)
	if err != nil {
		s.log.Error("log cannot be put aside, it grows on", zap.String("path", f.path), zap.Error(err))
		f.retry = now.Add(retryLog)
	}
	return err == nil
}
