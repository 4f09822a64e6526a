package telemetry

import (
	"os"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"pingap/config"
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
	// Journal, if set, is the path of the journal's socket, and File a datagram socket connected to it.
	// Entries are sent as fields, whatever JSON says.
	Journal string
	// Collector, if set, is used instead of File. Its lines have no time and level of their own.
	Collector *config.LogCollector
	// Process and Version say in the journal who logs.
	Process, Version string
	// JSON writes JSON instead of text.
	JSON bool
	// Level as ParseLevels reads it; empty is info.
	Level string
	// BufferedSize is log_buffered_size in bytes: lines are written when so much is there, on Flush,
	// and from ERROR up at once. Below 4096 each line is written at once.
	BufferedSize int
}

// Log is the application log of a process.
type Log struct {
	// Logger writes to it. Components use Logger.Named.
	Logger *zap.Logger
	levels *atomic.Pointer[Levels]
	json   *atomic.Bool
	out    *Writer
}

// origin is what an entry says of the process that it comes from.
type origin struct{ process, version string }

// New opens the application log. An unknown level is an error.
func New(o Options) (*Log, error) {
	levels, err := ParseLevels(o.Level)
	if err != nil {
		return nil, err
	}
	l := &Log{levels: new(atomic.Pointer[Levels]), json: new(atomic.Bool)}
	l.levels.Store(&levels)
	l.json.Store(o.JSON)
	if l.out, err = openWriter(o, l.lost); err != nil {
		return nil, err
	}
	l.Logger = zap.New(&logCore{levels: l.levels, out: l.out, json: l.json, bare: o.Syslog != nil || o.Collector != nil,
		from: origin{o.Process, o.Version}})
	return l, nil
}

func openWriter(o Options, report func(Loss)) (*Writer, error) {
	w := WriterOptions{Batch: 1, Report: report}
	if o.BufferedSize >= minBuffered {
		w.Batch = o.BufferedSize
		w.MaxBytes = max(DefaultMaxBytes, 4*o.BufferedSize)
	}
	if o.Syslog != nil {
		return NewSyslogWriter(o.Syslog, w), nil
	}
	if o.Collector != nil {
		return NewCollectorWriter(*o.Collector, ApplicationScope, o.Version, w)
	}
	if o.Journal != "" {
		s, err := newJournalSink(o.File, o.Journal)
		if err != nil {
			return nil, err
		}
		return newWriter(s, w, fileOver), nil
	}
	if o.File == nil {
		o.File = os.Stderr
	}
	return NewFileWriter(o.File, w)
}

// lost says in the log itself that some of it is missing. While its target takes nothing there is no place to say it, and
// Lost counts.
func (l *Log) lost(loss Loss) {
	if loss.Over {
		l.Logger.Warn("lines of this log were lost", zap.Uint64("lost", loss.Lost), zap.Error(loss.Err))
	}
}

// SetLevel changes the level of all loggers at once; after an error it is what it was.
func (l *Log) SetLevel(text string) error {
	levels, err := ParseLevels(text)
	if err != nil {
		return err
	}
	l.levels.Store(&levels)
	return nil
}

// SetJSON makes all loggers write JSON, or text, from the next line on.
func (l *Log) SetJSON(on bool) { l.json.Store(on) }

// Reopen makes file the target and takes it over; see Writer.SetFile.
func (l *Log) Reopen(file *os.File) error { return l.out.SetFile(file) }

// ReopenJournal makes the journal the target; see Writer.SetJournal.
func (l *Log) ReopenJournal(file *os.File, path string) error { return l.out.SetJournal(file, path) }

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
	levels *atomic.Pointer[Levels]
	out    *Writer
	json   *atomic.Bool
	bare   bool // without time and level
	from   origin
	with   []zapcore.Field
}

// Enabled reports whether some component logs at this level.
func (c *logCore) Enabled(level zapcore.Level) bool { return level >= c.levels.Load().least }

// With returns a core that adds fields to every entry.
func (c *logCore) With(fields []zapcore.Field) zapcore.Core {
	clone := *c
	clone.with = append(c.with[:len(c.with):len(c.with)], fields...)
	return &clone
}

// Check adds the core to the entry if its level is logged.
func (c *logCore) Check(e zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if e.Level >= c.levels.Load().level(e.LoggerName) {
		return checked.AddCore(e, c)
	}
	return checked
}

// Write encodes and queues one line. Entries that end the process are waited for.
func (c *logCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	for !c.queue(e, fields, c.out.entries()) { // the target became one of another kind meanwhile
	}
	switch {
	case e.Level > zapcore.ErrorLevel:
		return c.out.Sync()
	case e.Level == zapcore.ErrorLevel:
		c.out.Flush()
	}
	return nil
}

func (c *logCore) queue(e zapcore.Entry, fields []zapcore.Field, entry bool) bool {
	line := make([]byte, 0, 256)
	switch {
	case entry:
		line = appendJournalEntry(line, e, c.from, c.with, fields)
	case c.json.Load():
		line = appendJSONEntry(line, e, c.with, fields)
	default:
		line = appendTextEntry(line, e, c.bare, c.with, fields)
	}
	return c.out.put(e.Time, severityOf(e.Level), line, entry)
}

// Sync waits until what is buffered is written.
func (c *logCore) Sync() error { return c.out.Sync() }
