package telemetry

import (
	"os"
	"time"

	"pingap/config"
	"pingap/telemetry/otlp"
)

// collectorGoodbye is how long a Writer that is closed waits for its collector; its lines are lost then.
const collectorGoodbye = 3 * time.Second

// Scopes of the lines that a collector gets.
const (
	AccessScope      = "access"
	ApplicationScope = "application"
)

// NewCollectorWriter returns a Writer that sends each line to a collector. version is that of pingap.
func NewCollectorWriter(to config.LogCollector, scope, version string, o WriterOptions) (*Writer, error) {
	sender, err := otlp.New(otlp.Options{GRPC: to.GRPC, Secure: to.Secure, Host: to.Host, Path: to.Path, Timeout: to.Timeout.Std(), Gzip: to.Gzip,
		CA: to.CA, HeadersFile: to.HeadersFile, Service: to.Service, Version: version, Scope: scope})
	if err != nil {
		return nil, err
	}
	return newWriter(collectorSink{sender}, o, func(file *os.File) (sink, error) {
		file.Close()
		return nil, ErrNoFile
	}), nil
}

// collectorSink sends batches. While it waits for the collector, lines gather in the Writer's other buffer.
type collectorSink struct{ to *otlp.Sender }

func (s collectorSink) form() form      { return stamped }
func (s collectorSink) until(time.Time) {} // waits for its timeout only
func (s collectorSink) close() error    { return s.to.Close() }
func (s collectorSink) hurry()          { s.to.Hurry(collectorGoodbye) }

func (s collectorSink) write(batch []byte) (lost int, first error) {
	deadline := time.Now().Add(s.to.Timeout())
	send := func() {
		n, err := s.to.Send(deadline)
		lost += n
		if first == nil {
			first = err
		}
	}
	eachStamped(batch[1:], func(at time.Time, severity Severity, line []byte) {
		if s.to.Full() {
			send()
		}
		s.to.Add(at, collectorSeverity(severity), line)
	})
	send()
	return lost, first
}

func collectorSeverity(s Severity) otlp.Severity {
	switch {
	case s <= SeverityCritical:
		return otlp.Fatal
	case s <= SeverityError:
		return otlp.Error
	case s <= SeverityWarning:
		return otlp.Warn
	case s <= SeverityInfo:
		return otlp.Info
	}
	return otlp.Debug
}
