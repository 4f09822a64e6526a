package main

import (
	"fmt"
	"os"

	"go.uber.org/zap"

	"pingap/control"
	"pingap/control/source"
	"pingap/ipc"
	"pingap/telemetry"
	"pingap/telemetry/journal"
)

// appLog is the application log of one process. It starts at standard error or
// syslog; a file comes from the supervisor, which opens it.
type appLog struct {
	log     *telemetry.Log
	name    string
	rustLog string
	syslog  bool
	stop    func() // ends what follow has started; nil without
}

// openLog starts the log as --log and RUST_LOG say. The configuration's level
// comes later, by settings.
func (s surroundings) openLog(o *options, name string) (*appLog, error) {
	target, warnings := telemetry.ParseTarget(o.log)
	for _, w := range warnings {
		fmt.Fprintf(s.stderr, "pingap: --log: %s\n", w)
	}
	a := &appLog{name: name, rustLog: s.getenv("RUST_LOG"), syslog: target.Kind == telemetry.Socket}
	opt := logOptions(target, name)
	opt.Level = telemetry.PickLevel("", a.rustLog)
	var err error
	if a.log, err = telemetry.New(opt); err != nil {
		return nil, fmt.Errorf("application log: %w", err)
	}
	return a, nil
}

// logOptions are those of a target that needs nothing from the supervisor.
func logOptions(target telemetry.Target, role string) telemetry.Options {
	opt := telemetry.Options{Process: role, Version: version}
	switch target.Kind {
	case telemetry.Socket:
		opt.Syslog = telemetry.NewSyslog(telemetry.SyslogOptions{Remote: target.UDP, Dial: telemetry.DialSyslog(target),
			Format: target.Format, Facility: target.Facility, Process: target.Process})
	case telemetry.Stdout:
		opt.File = os.Stdout
	case telemetry.Collector:
		if role != ipc.RoleSupervisor { // it speaks to nobody but its children: its lines are at standard error
			opt.Collector = &target.Collector
		}
	}
	return opt
}

func (a *appLog) logger() *zap.Logger { return a.log.Logger.Named(a.name) }

// take moves the log to what the supervisor has opened.
func (a *appLog) take(target ipc.LogTarget, file *os.File) error {
	switch {
	case a.syslog:
		return file.Close() // syslog has no file
	case target.Format == ipc.FormatJournal:
		return a.log.ReopenJournal(file, target.Path)
	}
	return a.log.Reopen(file)
}

// settings are what a configuration wants of the log; an unknown level changes nothing.
func (a *appLog) settings(level string, json bool) error {
	if err := a.log.SetLevel(telemetry.PickLevel(level, a.rustLog)); err != nil {
		return err
	}
	a.log.SetJSON(json)
	return nil
}

// obey is settings for the supervisor, which does not know what a level is and cannot do anything about an error.
func (a *appLog) obey(level string, json bool) {
	if err := a.settings(level, json); err != nil {
		a.logger().Warn("log level", zap.Error(err))
	}
}

func (a *appLog) close() {
	if a.stop != nil {
		a.stop()
	}
	// An error is not said: a standard error that takes nothing would keep this process from ending.
	_ = a.log.Close()
}

// journalSocket names the variable with the path of the journal's socket where
// it is not at its usual place.
const journalSocket = "PINGAP_JOURNAL_SOCKET"

// stderrFD is standard error. os.Stderr.Fd might change how all who share it write.
const stderrFD = 2

// logTarget is what the supervisor has to open for the application log: the file
// of --log, or the journal's socket where the journal has standard error; nil
// for streams and syslog.
func (s surroundings) logTarget(o *options, base source.Base) (*ipc.LogTarget, error) {
	target, _ := telemetry.ParseTarget(o.log)
	switch target.Kind {
	case telemetry.Default, telemetry.Stderr:
		if !journal.Connected(s.getenv("JOURNAL_STREAM"), stderrFD) {
			return nil, nil
		}
		path := s.getenv(journalSocket)
		if path == "" {
			path = journal.Socket
		}
		return &ipc.LogTarget{ID: ipc.IDAppLog, Network: "unixgram", Path: path, Format: ipc.FormatJournal}, nil
	case telemetry.File:
	default:
		return nil, nil
	}
	path, err := source.Absolute(target.Path, base)
	if err != nil {
		return nil, fmt.Errorf("--log: %w", err)
	}
	return &ipc.LogTarget{ID: ipc.IDAppLog, Path: path, Rolling: target.Rolling, Rotation: control.RotationOf(target)}, nil
}

// maxFollow bounds the files that wait for a log whose disk hangs.
const maxFollow = 4

// follow returns a function for supervisor.Options.OnAppLog: it moves the log to each file of target that it gets, and waits for no disk.
// Files that come while maxFollow of them wait are not taken. close ends it.
func (a *appLog) follow(target *ipc.LogTarget) func(*os.File, func()) {
	type move struct {
		file  *os.File
		taken func()
	}
	moves, over := make(chan move, maxFollow), make(chan struct{})
	a.stop = func() {
		close(moves)
		<-over
	}
	go func() { // ends with close
		defer close(over)
		for m := range moves {
			if err := a.take(*target, m.file); err != nil {
				a.logger().Error("the log of the supervisor is not moved", zap.Error(err))
				continue
			}
			m.taken()
		}
	}()
	return func(file *os.File, taken func()) {
		select {
		case moves <- move{file, taken}:
		default:
			file.Close()
		}
	}
}
