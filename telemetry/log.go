package telemetry

import (
	"os"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// minBuffered is the smallest log_buffered_size in bytes that buffers.
const minBuffered = 4096

// Options configure the application log; the zero value writes text at INFO to standard error.
type Options struct {
	// File is an open descriptor (O_APPEND), taken over; nil is standard error, which stays open.
	File *os.File
	// Syslog, if set, is used instead of File and taken over. Its lines have no time and level of
	// their own: the message has them.
	Syslog *Syslog
	// JSON writes JSON instead of text.
	JSON bool
	// Level as ParseLevel reads it; empty is info.
	Level string
	// BufferedSize is log_buffered_size in bytes: lines are written when so much is there, on Flush,
	// and from ERROR up at once. Below 4096 each line is written at once.
	BufferedSize int
}

// Log is the application log of a process.
type Log struct {
	// Logger writes to it. Components use Logger.Named.
	Logger *zap.Logger
	level  zap.AtomicLevel
	out    *Writer
}

// New opens the application log. An unknown level is an error.
func New(o Options) (*Log, error) {
	level, err := ParseLevel(o.Level)
	if err != nil {
		return nil, err
	}
	out, err := openWriter(o)
	if err != nil {
		return nil, err
	}
	l := &Log{level: zap.NewAtomicLevelAt(level), out: out}
	l.Logger = zap.New(&logCore{LevelEnabler: l.level, out: out, json: o.JSON, bare: o.Syslog != nil})
	return l, nil
}

func openWriter(o Options) (*Writer, error) {
	w := WriterOptions{Batch: 1}
	if o.BufferedSize >= minBuffered {
		w.Batch = o.BufferedSize
		w.MaxBytes = max(DefaultMaxBytes, 4*o.BufferedSize)
	}
	if o.Syslog != nil {
		return NewSyslogWriter(o.Syslog, w), nil
	}
	if o.File == nil {
		o.File = os.Stderr
	}
	return NewFileWriter(o.File, w)
}

// SetLevel changes the level of all loggers at once; after an error it is what it was.
func (l *Log) SetLevel(text string) error {
	level, err := ParseLevel(text)
	if err != nil {
		return err
	}
	l.level.SetLevel(level)
	return nil
}

// Reopen makes file the target and takes it over; see Writer.SetFile.
func (l *Log) Reopen(file *os.File) error { return l.out.SetFile(file) }

// Flush starts the writing of what is buffered; call it once a second if BufferedSize buffers.
func (l *Log) Flush() { l.out.Flush() }

// Lost returns how many lines were dropped or could not be written.
func (l *Log) Lost() uint64 { return l.out.Lost() }

// Close writes what is buffered and closes the target; see Writer.Close.
func (l *Log) Close() error { return l.out.Close() }

// Line logs a line that is complete but for time and level as an INFO message: what access logs
// without a target of their own are given to.
func (l *Log) Line(at time.Time, _ Severity, line []byte) {
	if checked := l.Logger.Check(zapcore.InfoLevel, ""); checked != nil {
		checked.Time, checked.Message = at, string(line)
		checked.Write()
	}
}

// logCore encodes entries into lines for a Writer.
type logCore struct {
	zapcore.LevelEnabler
	out  *Writer
	json bool
	bare bool // without time and level
	with []zapcore.Field
}

// With returns a core that adds fields to every entry.
func (c *logCore) With(fields []zapcore.Field) zapcore.Core {
	clone := *c
	clone.with = append(c.with[:len(c.with):len(c.with)], fields...)
	return &clone
}

// Check adds the core to the entry if its level is logged.
func (c *logCore) Check(e zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return checked.AddCore(e, c)
	}
	return checked
}

// Write encodes and queues one line. Entries that end the process are waited for.
func (c *logCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	line := make([]byte, 0, 256)
	if c.json {
		line = appendJSONEntry(line, e, c.with, fields)
	} else {
		line = appendTextEntry(line, e, c.bare, c.with, fields)
	}
	c.out.Line(e.Time, severityOf(e.Level), line)
	switch {
	case e.Level > zapcore.ErrorLevel:
		return c.out.Sync()
	case e.Level == zapcore.ErrorLevel:
		c.out.Flush()
	}
	return nil
}

// Sync waits until what is buffered is written.
func (c *logCore) Sync() error { return c.out.Sync() }
