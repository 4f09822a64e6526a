package trace

import (
	"context"
	"encoding/binary"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"pingap/config/otlp"
	"pingap/message"
)

// scope is the name of what makes the spans, as Pingap has it.
const scope = "http_proxy"

// maker makes spans of one server's requests. It belongs to the goroutine of the exporter.
type maker struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
	made     *collector
	words    words
}

// words are how spans are described.
type words interface {
	server(e *entry) (name string, list []attribute.KeyValue)
	client(e *entry, a *attempt) (name string, list []attribute.KeyValue)
}

func newMaker(cfg *otlp.Exporter, server, version string) *maker {
	m := &maker{made: &collector{}, words: current{}}
	if cfg.Legacy {
		m.words = legacy{}
	}
	list := []attribute.KeyValue{}
	for _, p := range cfg.Server(server) {
		list = append(list, attribute.String(p.Name, p.Value))
	}
	limits := sdk.NewSpanLimits()
	limits.AttributeCountLimit, limits.EventCountLimit = cfg.Attributes, cfg.Events
	m.provider = sdk.NewTracerProvider(sdk.WithSampler(sdk.AlwaysSample()), sdk.WithIDGenerator(given{}), sdk.WithRawSpanLimits(limits),
		sdk.WithSpanProcessor(m.made), sdk.WithResource(resource.NewSchemaless(list...)))
	m.tracer = m.provider.Tracer(scope, trace.WithInstrumentationVersion(version))
	return m
}

// clock turns times of message.Now into times of day.
type clock struct {
	now  time.Time
	mono int64
}

func readClock() clock { return clock{time.Now().Round(0), message.Now()} }

func (c clock) at(mono int64) time.Time { return c.now.Add(time.Duration(mono - c.mono)) }

// spans makes the spans of a request, and appends them.
func (m *maker) spans(dst []sdk.ReadOnlySpan, e *entry, c clock) []sdk.ReadOnlySpan {
	ctx := withIDs(remoteContext(e), e.trace.ID, e.trace.Server)
	name, list := m.words.server(e)
	ctx, span := m.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(c.at(e.start)), trace.WithAttributes(list...))
	for i := range e.attempts() {
		a := e.attemptAt(i)
		m.attempt(withIDs(ctx, e.trace.ID, a.Span), e, &a, c)
	}
	if e.status >= 500 || e.status == 0 {
		span.SetStatus(codes.Error, e.errorType)
	}
	span.End(trace.WithTimestamp(c.at(e.ended)))
	return m.made.appendTo(dst)
}

// attempt makes the span of one attempt.
func (m *maker) attempt(ctx context.Context, e *entry, a *attempt, c clock) {
	name, list := m.words.client(e, a)
	_, span := m.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(c.at(a.Began)), trace.WithAttributes(list...))
	if a.Connect != message.Unset {
		span.AddEvent("connected", trace.WithTimestamp(c.at(min(a.Began+a.Connect, a.Ended))))
		if a.Processing != message.Unset {
			span.AddEvent("response head", trace.WithTimestamp(c.at(min(a.Began+a.Connect+a.Processing, a.Ended))))
		}
	}
	if a.Status >= 400 || a.Failure != "" {
		span.SetStatus(codes.Error, a.Failure)
	}
	span.End(trace.WithTimestamp(c.at(a.Ended)))
}

// attempt is one at a backend, and its number.
type attempt struct {
	message.Attempt
	number int
	last   bool
}

// attempts is the number of backends that were tried.
func (e *entry) attempts() int {
	if e.trace.Upstream == 0 || e.trace.Began == 0 {
		return len(e.trace.Attempts)
	}
	return len(e.trace.Attempts) + 1
}

func (e *entry) attemptAt(i int) attempt {
	t := &e.trace
	if i < len(t.Attempts) {
		return attempt{Attempt: t.Attempts[i], number: i}
	}
	a := message.Attempt{Span: t.Upstream, Addr: e.addr, Failure: t.Failure, Secure: t.Secure, Reused: e.reused, Status: e.upstreamStatus,
		Began: t.Began, Ended: t.Ended, Connect: e.connect, Processing: e.processing}
	if a.Ended == 0 {
		a.Ended = e.ended
	}
	return attempt{Attempt: a, number: i, last: true}
}

// remoteContext is a context with the span of the client, if there is one.
func remoteContext(e *entry) context.Context {
	if e.trace.Parent == 0 {
		return context.Background()
	}
	cfg := trace.SpanContextConfig{TraceID: traceID(e.trace.ID), SpanID: spanID(e.trace.Parent), Remote: true, TraceFlags: trace.FlagsSampled}
	if len(e.state) > 0 {
		if state, err := trace.ParseTraceState(string(e.state)); err == nil { // else what others see of it is as it came
			cfg.TraceState = state
		}
	}
	return trace.ContextWithRemoteSpanContext(context.Background(), trace.NewSpanContext(cfg))
}

func traceID(id message.TraceID) (t trace.TraceID) {
	binary.BigEndian.PutUint64(t[:8], id[0])
	binary.BigEndian.PutUint64(t[8:], id[1])
	return t
}

func spanID(id uint64) (s trace.SpanID) {
	binary.BigEndian.PutUint64(s[:], id)
	return s
}

// given is a generator that hands out the ids which were chosen when the request came.
type given struct{}

// idsKey is the key of a context's ids.
type idsKey struct{}

type ids struct {
	trace trace.TraceID
	span  trace.SpanID
}

func withIDs(ctx context.Context, id message.TraceID, span uint64) context.Context {
	return context.WithValue(ctx, idsKey{}, ids{traceID(id), spanID(span)})
}

// NewIDs implements sdk.IDGenerator.
func (given) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	i, _ := ctx.Value(idsKey{}).(ids)
	return i.trace, i.span
}

// NewSpanID implements sdk.IDGenerator.
func (g given) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	_, span := g.NewIDs(ctx)
	return span
}

// collector takes the spans that have ended. One goroutine uses it.
type collector struct{ ended []sdk.ReadOnlySpan }

// OnStart implements sdk.SpanProcessor.
func (*collector) OnStart(context.Context, sdk.ReadWriteSpan) {}

// OnEnd implements sdk.SpanProcessor.
func (c *collector) OnEnd(s sdk.ReadOnlySpan) { c.ended = append(c.ended, s) }

// Shutdown implements sdk.SpanProcessor.
func (*collector) Shutdown(context.Context) error { return nil }

// ForceFlush implements sdk.SpanProcessor.
func (*collector) ForceFlush(context.Context) error { return nil }

func (c *collector) appendTo(dst []sdk.ReadOnlySpan) []sdk.ReadOnlySpan {
	dst = append(dst, c.ended...)
	clear(c.ended)
	c.ended = c.ended[:0]
	return dst
}
