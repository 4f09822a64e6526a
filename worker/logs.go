package worker

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"pingap/config"
	"pingap/ipc"
	"pingap/message"
	"pingap/telemetry"
	"pingap/worker/accesslog"
	"pingap/worker/process"
)

// openLog opens the application log: the file that came, or what the options say, in the form that basic asks for.
func (w *worker) openLog(m *ipc.Message, logs []ipc.LogTarget, basic *config.Basic) error {
	o := w.o.Log
	o.JSON = basic.LogFormatJSON
	o.Level = telemetry.PickLevel(basic.LogLevel, w.o.RustLog)
	o.BufferedSize = int(basic.LogBufferedSize)
	for _, l := range logs {
		if l.ID != ipc.IDAppLog || o.Syslog != nil {
			continue
		}
		fd, err := m.Take(l.FD)
		if err != nil {
			return refuse(ipc.CodeInvalid, "", err)
		}
		o.File = os.NewFile(uintptr(fd), l.Path)
		if l.Format == ipc.FormatJournal {
			o.Journal = l.Path
		} else if err := w.crashTo(o.File); err != nil {
			return refuse(ipc.CodeResources, "", err)
		}
	}
	log, err := telemetry.New(o)
	if err != nil {
		return refuse(ipc.CodeInvalid, "basic", err)
	}
	w.appLog = log
	w.log = log.Logger.Named(ipc.RoleWorker).With(zap.Int("slot", w.o.Slot))
	return nil
}

// outlets are the access log files that were handed over, and the writers to them and to other targets. A writer has a
// duplicate of its file: a file stays while the live site wants it, its writers as long as requests may log to them.
type outlets struct {
	app     *telemetry.Log
	log     *zap.Logger
	version string    // told to collectors
	buffer  sync.Pool // *[]byte, of loggers

	mu     sync.Mutex // guards all below
	files  map[string]*os.File
	open   map[*outlet]struct{}
	missed uint64 // lines lost by writers that are closed
}

// outlet is a writer, which the loggers of several servers may share.
type outlet struct {
	shared
	file string // id of the log target, "" for what the supervisor does not open
	out  *telemetry.Writer
}

func newOutlets(app *telemetry.Log, log *zap.Logger, version string) *outlets {
	return &outlets{app: app, log: log, version: version, files: map[string]*os.File{}, open: map[*outlet]struct{}{},
		buffer: sync.Pool{New: func() any { return new([]byte) }}}
}

// take takes the files of a message, except that of the application log.
func (o *outlets) take(m *ipc.Message, logs []ipc.LogTarget) error {
	for _, l := range logs {
		if l.ID == ipc.IDAppLog {
			continue
		}
		fd, err := m.Take(l.FD)
		if err != nil {
			return refuse(ipc.CodeInvalid, l.Path, err)
		}
		o.put(l.ID, os.NewFile(uintptr(fd), l.Path))
	}
	return nil
}

func (o *outlets) put(id string, file *os.File) {
	o.mu.Lock()
	old := o.files[id]
	o.files[id] = file
	o.mu.Unlock()
	if old != nil {
		old.Close()
	}
}

// writer opens a writer to a target.
func (o *outlets) writer(target telemetry.Target) (*outlet, error) {
	to := accesslog.Outputs{App: o.app.Line, Log: o.log, Version: o.version}
	id := fileID(target)
	if id != "" {
		o.mu.Lock()
		file := o.files[id]
		o.mu.Unlock()
		var err error
		if to.File, err = duplicate(file); err != nil {
			return nil, fmt.Errorf("access log %s: %w", target.Path, err)
		}
	}
	out, err := accesslog.Open(target, to)
	if err != nil {
		return nil, err
	}
	l := &outlet{file: id, out: out}
	l.shared = shared{name: "access log " + target.Path, close: func() error { return o.shut(l) }}
	o.mu.Lock()
	o.open[l] = struct{}{}
	o.mu.Unlock()
	return l, nil
}

// fileID is the id under which the supervisor hands over the file or the syslog socket of a target; "" for what it
// does not open.
func fileID(t telemetry.Target) string {
	switch t.Kind {
	case telemetry.File:
		return ipc.LogTargetID(ipc.LogTarget{Path: t.Path, Rolling: t.Rolling})
	case telemetry.Socket:
		if t.UDP {
			return ""
		}
		return ipc.LogTargetID(ipc.LogTarget{Network: "unixgram", Path: t.Path})
	}
	return ""
}

// targetKey tells targets apart, options of their writers included.
func targetKey(t telemetry.Target) string {
	return fmt.Sprintf("%d|%s|%s|%d|%d|%d|%s|%+v", t.Kind, t.Path, t.Rolling, t.ChannelBuffer, t.Format, t.Facility, t.Process, t.Collector) // Path tells UDP
}

// duplicate returns another descriptor of the same open file.
func duplicate(file *os.File) (*os.File, error) {
	if file == nil {
		return nil, os.ErrNotExist
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd, dupErr := -1, error(nil)
	if err := raw.Control(func(old uintptr) { fd, dupErr = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		return nil, err
	}
	if dupErr != nil {
		return nil, os.NewSyscallError("dup", dupErr)
	}
	return os.NewFile(uintptr(fd), file.Name()), nil
}

func (o *outlets) shut(l *outlet) error {
	err := l.out.Close()
	o.mu.Lock()
	delete(o.open, l)
	o.missed += l.out.Lost()
	o.mu.Unlock()
	return err
}

// replace brings a new file to all writers of a target. It may wait for the disk.
func (o *outlets) replace(id string, file *os.File) error {
	o.put(id, file)
	var errs []error
	for _, l := range o.all() {
		if l.file != id {
			continue
		}
		next, err := duplicate(file)
		if err == nil {
			err = l.out.SetFile(next)
		}
		if err != nil && !errors.Is(err, telemetry.ErrClosed) { // nobody logs to it any more
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// keep closes the files that a site does not want. Writers to them go on as long as requests do.
func (o *outlets) keep(s *site) {
	wanted := map[string]bool{}
	for _, l := range s.outlets {
		wanted[l.file] = true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for id, file := range o.files {
		if !wanted[id] {
			file.Close()
			delete(o.files, id)
		}
	}
}

func (o *outlets) all() []*outlet {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []*outlet
	for l := range maps.Keys(o.open) {
		all = append(all, l)
	}
	return all
}

// flush starts the writing of what is buffered.
func (o *outlets) flush() {
	for _, l := range o.all() {
		l.out.Flush()
	}
	o.app.Flush()
}

// lost is the number of access log lines lost so far.
func (o *outlets) lost() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := o.missed
	for l := range o.open {
		n += l.out.Lost()
	}
	return n
}

// close closes the files; writers are closed by their owners.
func (o *outlets) close() { o.keep(&site{}) }

// newLog is an open file that takes the place of an old one.
type newLog struct {
	ipc.LogTarget
	file *os.File
}

// takeLogs has the log goroutine take new files, and tells the supervisor when nothing goes to the old ones any more.
func (w *worker) takeLogs(m *ipc.Message, b *ipc.LogFDs) {
	var files []newLog
	for _, l := range b.Logs {
		fd, err := m.Take(l.FD)
		if err != nil {
			w.log.Error("log file", zap.String("path", l.Path), zap.Error(err))
			continue
		}
		files = append(files, newLog{l, os.NewFile(uintptr(fd), l.Path)})
	}
	select {
	case w.jobs <- func() { w.replaceLogs(m.Txn, files) }:
	default: // the disk hangs since long ago; the supervisor says that there was no answer
		for _, f := range files {
			f.file.Close()
		}
	}
}

// replaceLogs takes all files at once: one that has to be waited for does not hold up the others.
func (w *worker) replaceLogs(txn uint32, files []newLog) {
	errs := make([]string, len(files))
	var wg sync.WaitGroup
	for i, f := range files {
		wg.Go(func() { // ends within the bound of telemetry.Writer.SetFile
			if err := w.replaceLog(f); err != nil {
				w.log.Error("log not reopened", zap.String("path", f.Path), zap.Error(err))
				errs[i] = fmt.Sprintf("%s: %v", f.Path, err)
			}
		})
	}
	wg.Wait()
	errs = slices.DeleteFunc(errs, func(e string) bool { return e == "" })
	w.post(func() { w.reply(txn, ipc.LogsTaken{Errors: errs}) })
}

func (w *worker) replaceLog(f newLog) error {
	switch {
	case f.ID != ipc.IDAppLog:
		return w.logs.replace(f.ID, f.file)
	case w.o.Log.Syslog != nil:
		return f.file.Close() // syslog has no file
	case f.Format == ipc.FormatJournal:
		return w.appLog.ReopenJournal(f.file, f.Path)
	}
	if err := w.crashTo(f.file); err != nil {
		w.log.Warn("stacks of a crash go to the old file", zap.Error(err))
	}
	return w.appLog.Reopen(f.file)
}

// crashTo has the stacks of a crash, and those that the supervisor asks for by SIGABRT, written to the application log too.
func (w *worker) crashTo(file *os.File) error {
	if !w.o.OwnProcess {
		return nil
	}
	return process.CrashTo(file)
}

// runJobs does one after the other what may have to wait for a disk.
func (w *worker) runJobs() {
	for do := range w.jobs {
		do()
	}
}

// logger writes the access log of a server.
type logger struct {
	format *accesslog.Format
	choice *accesslog.Choice // nil: all requests
	out    *telemetry.Writer
	buffer *sync.Pool
}

// Log implements proxy.Logger.
func (l *logger) Log(r *message.Record) {
	now := r.At(r.Over)
	if !l.choice.Takes(r, now) {
		return
	}
	buf := l.buffer.Get().(*[]byte)
	*buf = l.format.Append((*buf)[:0], r, now)
	l.out.Line(now, telemetry.SeverityInfo, *buf)
	l.buffer.Put(buf)
}

// switchTap has requests shown to those who watch, or no more.
func (w *worker) switchTap(on bool) {
	if on {
		w.proxy.SetTap(w.beside.tap)
		return
	}
	w.proxy.SetTap(nil)
}
