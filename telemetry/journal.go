package telemetry

import (
	"os"
	"strconv"
	"time"

	"go.uber.org/zap/zapcore"

	"pingap/telemetry/journal"
)

// journalWait bounds the wait for a journal that is busy, per batch.
const journalWait = time.Second

// journalSink sends each line, which is an entry, to the journal.
type journalSink struct{ to *journal.Sender }

func newJournalSink(file *os.File, path string) (sink, error) {
	to, err := journal.NewSender(file, path)
	if err != nil {
		return nil, err
	}
	return journalSink{to}, nil
}

func (s journalSink) form() form      { return entries }
func (s journalSink) until(time.Time) {} // waits for journalWait only
func (s journalSink) close() error    { return s.to.Close() }

// write tries each entry. Once the time is up those that would have to wait are lost.
func (s journalSink) write(batch []byte) (lost int, first error) {
	deadline := time.Now().Add(journalWait)
	eachStamped(batch[1:], func(_ time.Time, _ Severity, entry []byte) {
		if err := s.to.Send(entry, deadline); err != nil {
			lost++
			if first == nil {
				first = err
			}
		}
	})
	return lost, first
}

// Names of the fields that are not made of an entry's own.
const (
	fieldPrefix    = "PINGAP"
	fieldMessage   = "MESSAGE"
	fieldPriority  = "PRIORITY"
	fieldSyslog    = "SYSLOG_IDENTIFIER"
	fieldProcess   = "PINGAP_PROCESS"
	fieldVersion   = "PINGAP_VERSION"
	fieldEvent     = "PINGAP_EVENT"
	fieldComponent = "PINGAP_COMPONENT"
	fieldStack     = "PINGAP_STACK"
)

// appendJournalEntry appends an entry. MESSAGE has what a line of text has but for time and level, because it is all that most
// ways of reading the journal show; PINGAP_EVENT is the constant part of it, by which entries can be found.
func appendJournalEntry(dst []byte, e zapcore.Entry, from origin, groups ...[]zapcore.Field) []byte {
	dst = journal.AppendField(dst, fieldPriority, strconv.Itoa(int(severityOf(e.Level))))
	dst = journal.AppendField(dst, fieldSyslog, "pingap")
	dst = journal.AppendField(dst, fieldMessage, string(appendTextEntry(nil, e, true, groups...)))
	event := clipTo(e.Message, maxMessage)
	if e.LoggerName == "" {
		event = "" // the line of a request: nothing in it is constant
	}
	for _, f := range []struct{ name, value string }{
		{fieldProcess, from.process}, {fieldVersion, from.version}, {fieldEvent, event},
		{fieldComponent, e.LoggerName}, {fieldStack, e.Stack},
	} {
		if f.value != "" {
			dst = journal.AppendField(dst, f.name, f.value)
		}
	}
	eachField(groups, func(key string, value any) {
		dst = journal.AppendField(dst, fieldName(key), clipTo(textOf(value), maxMessage))
	})
	return dst
}

// fieldName is the name of an entry's own field. Those that would be taken for ours have a longer one.
func fieldName(key string) string {
	name := journal.Name(fieldPrefix, key)
	switch name {
	case fieldProcess, fieldVersion, fieldEvent, fieldComponent, fieldStack:
		return journal.Name(fieldPrefix+"_FIELD", key)
	}
	return name
}
