package trace

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"pingap/message"
)

// sink takes spans in place of a collector, once it is let.
type sink struct {
	mu     sync.Mutex
	spans  []sdk.ReadOnlySpan
	sizes  []int
	err    error
	gate   chan struct{} // an export waits for it
	closed bool
}

// ExportSpans implements sdk.SpanExporter.
func (s *sink) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	select {
	case <-s.gate:
	case <-ctx.Done():
		return ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spans, s.sizes = append(s.spans, spans...), append(s.sizes, len(spans))
	return s.err
}

// Shutdown implements sdk.SpanExporter.
func (s *sink) Shutdown(context.Context) error { s.closed = true; return nil }

// exporterTo is one that exports to a sink, with the log of it.
func exporterTo(t *testing.T, s *sink, query string) (*Exporters, *Exporter, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.WarnLevel)
	x := NewExporters(zap.New(core), "1")
	e, err := x.open("http://127.0.0.1:1?"+query, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = e.Close()
		x.Wait(0)
	})
	return x, e, logs
}

func newSink(open bool) *sink {
	s := &sink{gate: make(chan struct{})}
	if open {
		close(s.gate)
	}
	return s
}

// finished closes an exporter and returns its spans by name.
func finished(x *Exporters, e *Exporter, s *sink) map[string]sdk.ReadOnlySpan {
	_ = e.Close()
	x.Wait(5 * time.Second)
	byName := map[string]sdk.ReadOnlySpan{}
	for _, span := range s.spans {
		byName[span.Name()] = span
	}
	return byName
}

// served makes a record that of a request that was answered by the second backend.
func served(tracer *Tracer, rec *message.Record) {
	const ms = int64(time.Millisecond)
	tracer.Begin(rec)
	rec.Conn.Remote, rec.ClientIPText = netip.MustParseAddrPort("192.0.2.1:4000"), []byte("198.51.100.7")
	rec.Location, rec.Upstream, rec.Status = "all", "app", 200
	tracer.Attempt(rec)
	rec.UpstreamAddr, rec.Trace.Began = "10.0.0.1:80", rec.Start+ms
	rec.Trace.EndAttempt(rec.Start+3*ms, "ConnectRefused")
	tracer.Attempt(rec)
	rec.UpstreamAddr, rec.UpstreamStatus, rec.UpstreamConnect, rec.UpstreamProcessing, rec.UpstreamResponse = "10.0.0.2:81", 200, ms, 4*ms, 2*ms
	rec.Trace.Began, rec.Trace.Secure = rec.Start+3*ms, true
	rec.Trace.EndAttempt(rec.Start+10*ms, "")
	tracer.End(rec, rec.Start+11*ms)
}

func attributesOf(s sdk.ReadOnlySpan) map[string]string {
	m := map[string]string{}
	for _, kv := range s.Attributes() {
		m[string(kv.Key)] = kv.Value.String()
	}
	return m
}

func mustHave(t *testing.T, s sdk.ReadOnlySpan, want map[string]string) {
	t.Helper()
	got := attributesOf(s)
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s: %s = %q, want %q", s.Name(), name, got[name], value)
		}
	}
}

func TestSpansOfARequestThatWasRetried(t *testing.T) {
	s := newSink(true)
	x, e, _ := exporterTo(t, s, "attributes=deployment.environment:test,team:a&max_attributes=100&baggage")
	tracer, rec := e.Tracer("web", nil), record("traceparent: "+someParent, "tracestate: a=1", "User-Agent: curl", "baggage: user=jo%20e")
	rec.Request.SetTarget([]byte("/some/path?a=1&sig=hidden"))
	served(tracer, rec)
	finished(x, e, s)
	if len(s.spans) != 3 {
		t.Fatalf("%d spans", len(s.spans))
	}
	refused, answered, server := s.spans[0], s.spans[1], s.spans[2]
	if server.Name() != "GET all" || server.SpanKind() != trace.SpanKindServer || server.SpanContext().TraceID().String() != someTrace ||
		server.Parent().SpanID().String() != someSpan || server.SpanContext().TraceState().String() != "a=1" {
		t.Errorf("server span %s %v %+v", server.Name(), server.SpanKind(), server.SpanContext())
	}
	if got := server.SpanContext().SpanID().String(); got != string(message.AppendSpanID(nil, rec.Trace.Server)) {
		t.Errorf("server span has id %s", got)
	}
	if took := server.EndTime().Sub(server.StartTime()); took != 11*time.Millisecond || time.Since(server.StartTime()) > time.Minute {
		t.Errorf("server span took %v, began %v", took, server.StartTime())
	}
	mustHave(t, server, map[string]string{"http.request.method": "GET", "url.path": "/some/path", "url.query": "a=1&sig=REDACTED", "url.scheme": "http",
		"server.address": "example.test", "server.port": "80", "client.address": "198.51.100.7", "network.peer.address": "192.0.2.1", "network.peer.port": "4000",
		"http.response.status_code": "200", "user_agent.original": "curl", "network.protocol.version": "1.1", "baggage.user": "jo e", "error.type": ""})
	for _, c := range []sdk.ReadOnlySpan{refused, answered} {
		if c.Parent().SpanID() != server.SpanContext().SpanID() || c.SpanKind() != trace.SpanKindClient || c.Name() != "GET" {
			t.Errorf("client span %+v", c)
		}
	}
	mustHave(t, refused, map[string]string{"server.address": "10.0.0.1", "server.port": "80", "error.type": "ConnectRefused", "url.full": "http://10.0.0.1:80/some/path?a=1&sig=REDACTED"})
	mustHave(t, answered, map[string]string{"server.address": "10.0.0.2", "server.port": "81", "http.request.resend_count": "1", "http.response.status_code": "200",
		"url.full": "https://10.0.0.2:81/some/path?a=1&sig=REDACTED", "pingap.upstream": "app"})
	if got := answered.EndTime().Sub(answered.StartTime()); got != 7*time.Millisecond || len(answered.Events()) != 2 {
		t.Errorf("the attempt took %v, events %v", got, answered.Events())
	}
	resource := server.Resource().String()
	for _, want := range []string{"service.name=pingap:web", "deployment.environment=test", "team=a"} {
		if !strings.Contains(resource, want) {
			t.Errorf("resource %s has no %s", resource, want)
		}
	}
	if c := x.Counts(); c != (Counts{Exported: 1}) || !s.closed {
		t.Errorf("counts %+v, closed %v", c, s.closed)
	}
}

func TestSpansWithTheNamesOfPingap(t *testing.T) {
	s := newSink(true)
	x, e, _ := exporterTo(t, s, "semconv=legacy")
	rec := record()
	rec.CacheLookup = 2e6
	rec.Response.Fields.Add("x-cache-status", []byte("miss"))
	served(e.Tracer("web", nil), rec)
	spans := finished(x, e, s)
	server, client := spans["/some/path"], spans["upstream.app"]
	if server == nil || client == nil || server.InstrumentationScope().Name != "http_proxy" {
		t.Fatalf("spans %v", spans)
	}
	mustHave(t, server, map[string]string{"http.method": "GET", "http.url": "/some/path?a=1", "http.host": "example.test", "http.client_ip": "198.51.100.7",
		"http.status_code": "200", "http.response.body.size": "0", "http.location": "all", "cache.status": "miss", "cache.lookup": "2ms"})
	mustHave(t, client, map[string]string{"upstream.addr": "10.0.0.2:81", "upstream.reused": "false", "upstream.connect_time": "1",
		"upstream.processing_time": "4", "upstream.response_time": "2"})
}

func TestSpansHaveNoMoreThanTheirLimits(t *testing.T) {
	s := newSink(true)
	x, e, _ := exporterTo(t, s, "max_attributes=3&max_events=1")
	served(e.Tracer("web", nil), record())
	for name, span := range finished(x, e, s) {
		if len(span.Attributes()) > 3 || len(span.Events()) > 1 || span.DroppedAttributes() == 0 {
			t.Errorf("%s: %d attributes, %d events", name, len(span.Attributes()), len(span.Events()))
		}
	}
}

func TestAFullQueueDropsAndSaysSo(t *testing.T) {
	s := newSink(false)
	x, e, logs := exporterTo(t, s, "max_queue_size=4&max_export_batch_size=2")
	tracer, rec := e.Tracer("web", nil), record()
	tracer.Begin(rec)
	for range 100 {
		tracer.End(rec, rec.Start)
	}
	if got := x.Counts().Dropped; got < 94 || got > 96 { // two may be on their way
		t.Errorf("%d dropped", got)
	}
	close(s.gate)
	finished(x, e, s)
	c := x.Counts()
	if c.Exported+c.Dropped != 100 || c.Exported < 4 {
		t.Errorf("counts %+v", c)
	}
	if n := logs.FilterMessage("traces of requests dropped").Len(); n == 0 || n > 2 {
		t.Errorf("%d lines in the log", n)
	}
	if slices.Max(s.sizes) > 2 {
		t.Errorf("batches of %v", s.sizes)
	}
}

func TestFailedExportsAreCountedAsDropped(t *testing.T) {
	s := newSink(true)
	s.err = errors.New("collector says no")
	x, e, logs := exporterTo(t, s, "")
	served(e.Tracer("web", nil), record())
	finished(x, e, s)
	if c := x.Counts(); c != (Counts{Dropped: 1}) {
		t.Errorf("counts %+v", c)
	}
	if logs.FilterFieldKey("error").Len() != 1 {
		t.Errorf("log %v", logs.All())
	}
}

func TestASmallBatchGoesOutAfterTheDelay(t *testing.T) {
	s := newSink(true)
	x, e, _ := exporterTo(t, s, "scheduled_delay=10ms")
	served(e.Tracer("web", nil), record())
	for deadline := time.Now().Add(20 * time.Second); x.Counts().Exported == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing was exported")
		}
	}
}

// What hangs when an exporter is to end is cut off, and what it had counted.
func TestTheEndDoesNotWaitForACollectorThatHangs(t *testing.T) {
	s := newSink(false)
	x, e, _ := exporterTo(t, s, "")
	served(e.Tracer("web", nil), record())
	began := time.Now()
	_ = e.Close()
	x.Wait(50 * time.Millisecond)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	if c := x.Counts(); c != (Counts{Dropped: 1}) {
		t.Errorf("counts %+v", c)
	}
}

// What comes from outside may be anything; what is exported is UTF-8, and bounded.
func TestStrangeRequestsMakeSpans(t *testing.T) {
	s := newSink(true)
	x, e, _ := exporterTo(t, s, "")
	rec := record()
	rec.Request.SetMethod([]byte("BREW"))
	rec.Request.SetTarget([]byte("/\xff\xfe" + strings.Repeat("x", 100_000)))
	rec.Request.Host = []byte("[2001:db8::1]:8443")
	e.Tracer("web", nil).Begin(rec)
	e.Tracer("web", nil).End(rec, rec.Start)
	span := finished(x, e, s)["HTTP"]
	if span == nil {
		t.Fatalf("spans %v", s.spans)
	}
	mustHave(t, span, map[string]string{"http.request.method": "_OTHER", "http.request.method_original": "BREW", "server.address": "2001:db8::1", "server.port": "8443"})
	if got := attributesOf(span)["url.path"]; len(got) > maxTarget+10 || !strings.HasPrefix(got, "/\ufffd") {
		t.Errorf("path of %d bytes, %.10q", len(got), got)
	}
}
