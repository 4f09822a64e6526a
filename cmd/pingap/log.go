package main

import (
	"fmt"
	"os"

	"go.uber.org/zap"

	"pingap/control/source"
	"pingap/ipc"
	"pingap/telemetry"
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
// comes later, by setLevel.
func (s surroundings) openLog(o *options, name string) (*appLog, error) {
	target, warnings := telemetry.ParseTarget(o.log)
	for _, w := range warnings {
		fmt.Fprintf(s.stderr, "pingap: --log: %s\n", w)
	}
	a := &appLog{name: name, rustLog: s.getenv("RUST_LOG"), syslog: target.Kind == telemetry.Socket}
	opt := logOptions(target)
	opt.Level = telemetry.PickLevel("", a.rustLog)
	var err error
	if a.log, err = telemetry.New(opt); err != nil {
		return nil, fmt.Errorf("application log: %w", err)
	}
	return a, nil
}

// logOptions are those of a target that needs nothing from the supervisor.
func logOptions(target telemetry.Target) telemetry.Options {
	switch target.Kind {
	case telemetry.Socket:
		return telemetry.Options{Syslog: telemetry.NewSyslog(telemetry.SyslogOptions{Dial: telemetry.DialSyslog(target.Path),
			Format: target.Format, Facility: target.Facility, Process: target.Process})}
	case telemetry.Stdout:
		return telemetry.Options{File: os.Stdout}
	}
	return telemetry.Options{}
}

func (a *appLog) logger() *zap.Logger { return a.log.Logger.Named(a.name) }

// take moves the log to a file that the supervisor has opened.
func (a *appLog) take(file *os.File) error {
	if a.syslog {
		return file.Close() // syslog has no file
	}
	return a.log.Reopen(file)
}

func (a *appLog) setLevel(configured string) error {
	return a.log.SetLevel(telemetry.PickLevel(configured, a.rustLog))
}

func (a *appLog) close() {
	if a.stop != nil {
		a.stop()
	}
	if err := a.log.Close(); err != nil {
		fmt.Fprintf(os.Stderr, "pingap: application log: %v\n", err)
	}
}

// logTarget is the file that the supervisor has to open for --log; nil for
// streams and syslog.
func (o *options) logTarget(base source.Base) (*ipc.LogTarget, error) {
	target, _ := telemetry.ParseTarget(o.log)
	if target.Kind != telemetry.File {
		return nil, nil
	}
	path, err := source.Absolute(target.Path, base)
	if err != nil {
		return nil, fmt.Errorf("--log: %w", err)
	}
	return &ipc.LogTarget{ID: ipc.IDAppLog, Path: path, Rolling: target.Rolling}, nil
}

// maxFollow bounds the files that wait for a log whose disk hangs.
const maxFollow = 4

// follow returns a function for supervisor.Options.OnAppLog: it moves the log to each file it gets, and waits for no disk.
// Files that come while maxFollow of them wait are not taken. close ends it.
func (a *appLog) follow() func(*os.File, func()) {
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
			if err := a.take(m.file); err != nil {
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
