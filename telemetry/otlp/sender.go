package otlp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
)

const (
	// maxRecords and maxBytes bound a message: collectors take 4 MiB by default.
	maxRecords = 1000
	maxBytes   = 1 << 20
	// firstPause and lastPause are between attempts.
	firstPause = 200 * time.Millisecond
	lastPause  = 5 * time.Second
)

// Options of a Sender.
type Options struct {
	GRPC, Secure bool
	Host         string        // host:port
	Path         string        // of HTTP
	Timeout      time.Duration // of a batch, attempts included
	Gzip         bool
	// CA and HeadersFile are paths, read by New: PEM of the CAs that the collector's certificate is verified with, in place of the system's, and
	// header fields that go with each message, "name: value" lines. Empty for none.
	CA, HeadersFile string

	Service, Version string // of the resource
	Scope            string // what the lines are: "access" or "application"
}

// Severity is a severity number of OTLP.
type Severity = logs.SeverityNumber

// Severities in use.
const (
	Debug = logs.SeverityNumber_SEVERITY_NUMBER_DEBUG
	Info  = logs.SeverityNumber_SEVERITY_NUMBER_INFO
	Warn  = logs.SeverityNumber_SEVERITY_NUMBER_WARN
	Error = logs.SeverityNumber_SEVERITY_NUMBER_ERROR
	Fatal = logs.SeverityNumber_SEVERITY_NUMBER_FATAL
)

// Sender sends to one collector.
type Sender struct {
	options  Options
	exporter exporter
	request  *collector.ExportLogsServiceRequest
	scope    *logs.ScopeLogs
	bytes    int

	ctx    context.Context // ends when nobody waits any more
	cancel context.CancelFunc
}

// exporter sends one message. An error that is not a *permanent may be tried again.
type exporter interface {
	export(ctx context.Context, m *collector.ExportLogsServiceRequest) (rejected int, err error)
	close() error
}

// permanent is an answer that another attempt will not change.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// New returns a Sender. It connects with the first batch.
func New(o Options) (*Sender, error) {
	s := &Sender{options: o}
	config, err := secure(o)
	var more http.Header
	if err == nil {
		more, err = fields(o.HeadersFile)
	}
	if err == nil && o.GRPC {
		s.exporter, err = newGRPC(o, config, more)
	} else if err == nil {
		s.exporter = newHTTP(o, config, more)
	}
	if err != nil {
		return nil, fmt.Errorf("otlp: %w", err)
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.scope = &logs.ScopeLogs{Scope: &common.InstrumentationScope{Name: "pingap." + o.Scope, Version: o.Version}}
	s.request = &collector.ExportLogsServiceRequest{ResourceLogs: []*logs.ResourceLogs{{
		Resource: &resource.Resource{Attributes: attributes(o)}, ScopeLogs: []*logs.ScopeLogs{s.scope},
	}}}
	return s, nil
}

func attributes(o Options) []*common.KeyValue {
	text := func(key, value string) *common.KeyValue {
		return &common.KeyValue{Key: key, Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: strings.ToValidUTF8(value, "?")}}}
	}
	list := []*common.KeyValue{text("service.name", o.Service)}
	if o.Version != "" {
		list = append(list, text("service.version", o.Version))
	}
	if host, err := os.Hostname(); err == nil {
		list = append(list, text("host.name", host))
	}
	return append(list, &common.KeyValue{Key: "process.pid", Value: &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: int64(os.Getpid())}}})
}

// Hurry bounds what may still be waited for.
func (s *Sender) Hurry(limit time.Duration) { time.AfterFunc(limit, s.cancel) }

// Add puts a line into the message that Full or Send brings out. line may be used again.
func (s *Sender) Add(at time.Time, severity Severity, line []byte) {
	body := strings.ToValidUTF8(string(line), "\uFFFD")
	s.bytes += len(body)
	nanos := uint64(max(at.UnixNano(), 0))
	s.scope.LogRecords = append(s.scope.LogRecords, &logs.LogRecord{TimeUnixNano: nanos, ObservedTimeUnixNano: nanos, SeverityNumber: severity,
		SeverityText: severityText(severity), Body: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: body}}})
}

// Full reports whether the message is to be sent before another line is added.
func (s *Sender) Full() bool { return len(s.scope.LogRecords) >= maxRecords || s.bytes >= maxBytes }

// Send sends the lines that were added and forgets them. lost is how many the collector has not taken.
func (s *Sender) Send(deadline time.Time) (lost int, err error) {
	all := len(s.scope.LogRecords)
	if all == 0 {
		return 0, nil
	}
	defer func() {
		clear(s.scope.LogRecords)
		s.scope.LogRecords, s.bytes = s.scope.LogRecords[:0], 0
	}()
	ctx, cancel := context.WithDeadline(s.ctx, deadline)
	defer cancel()
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		rejected, err := s.exporter.export(ctx, s.request)
		var final permanent
		switch {
		case err == nil && rejected > 0:
			return min(rejected, all), fmt.Errorf("otlp: the collector rejected %d lines", rejected)
		case err == nil:
			return 0, nil
		case errors.As(err, &final) || !wait(ctx, pause):
			return all, fmt.Errorf("otlp: %w", err)
		}
	}
}

// Timeout is the time of a batch.
func (s *Sender) Timeout() time.Duration { return s.options.Timeout }

// Close ends the connection.
func (s *Sender) Close() error {
	s.cancel()
	return s.exporter.close()
}

func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func severityText(s Severity) string {
	switch s {
	case Debug:
		return "DEBUG"
	case Info:
		return "INFO"
	case Warn:
		return "WARN"
	case Error:
		return "ERROR"
	}
	return "FATAL"
}
