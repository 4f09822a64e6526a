package accesslog

import (
	"fmt"
	"os"
	"time"

	"go.uber.org/zap"

	"pingap/telemetry"
)

// Directive is the value of servers.X.access_log.
type Directive struct {
	Target telemetry.Target
	// Format is a predefined name or a text with tags; empty means no access log.
	Format string
}

// Parse reads a directive. What is wrong with it is said in warnings and left out.
func Parse(text string) (Directive, []string) {
	target, format, warnings := telemetry.SplitDirective(text)
	return Directive{Target: target, Format: format}, warnings
}

// Outputs are what a worker was handed to log to; only what the target needs has to be set.
type Outputs struct {
	// File is the open log file or, for syslog, a connected datagram socket; taken over. Without a
	// socket that of the target is dialled.
	File *os.File
	// Version is told to collectors.
	Version string
	// App takes lines for the application log: telemetry.Log.Line.
	App func(at time.Time, severity telemetry.Severity, line []byte)
	// Log is told of lines that were lost; nil tells nobody.
	Log *zap.Logger
}

// Open returns the writer for a target. Call its Flush once a second, SetFile when
// the file is reopened, and Close at the end.
func Open(target telemetry.Target, to Outputs) (*telemetry.Writer, error) {
	options := telemetry.WriterOptions{MaxLines: target.ChannelBuffer, Report: reporter(target, to.Log)}
	switch target.Kind {
	case telemetry.File:
		if to.File == nil {
			return nil, fmt.Errorf("access log %s: no open file was handed over", target.Path)
		}
		return telemetry.NewFileWriter(to.File, options)
	case telemetry.Stdout:
		return telemetry.NewFileWriter(os.Stdout, options)
	case telemetry.Stderr:
		return telemetry.NewFileWriter(os.Stderr, options)
	case telemetry.Socket:
		return openSyslog(target, to.File, options)
	case telemetry.Collector:
		return telemetry.NewCollectorWriter(target.Collector, telemetry.AccessScope, to.Version, options)
	}
	if to.App == nil {
		return nil, fmt.Errorf("access log: no application log was handed over")
	}
	return telemetry.NewFuncWriter(to.App, options), nil
}

func openSyslog(target telemetry.Target, file *os.File, options telemetry.WriterOptions) (*telemetry.Writer, error) {
	o := telemetry.SyslogOptions{Format: target.Format, Facility: target.Facility, Process: target.Process,
		Remote: target.UDP, Dial: telemetry.DialSyslog(target)}
	if file != nil {
		conn, err := telemetry.FileConn(file)
		if err != nil {
			return nil, err
		}
		o.Conn = conn
	}
	return telemetry.NewSyslogWriter(telemetry.NewSyslog(o), options), nil
}

func reporter(target telemetry.Target, log *zap.Logger) func(telemetry.Loss) {
	if log == nil {
		return nil
	}
	return func(l telemetry.Loss) {
		path := zap.String("path", target.Path)
		switch {
		case l.Over:
			log.Warn("access log is written again", path, zap.Uint64("lost", l.Lost), zap.Error(l.Err))
		case l.Err != nil:
			log.Error("access log cannot be written, dropping lines", path, zap.Error(l.Err))
		default:
			log.Error("access log channel full, dropping lines", path)
		}
	}
}
