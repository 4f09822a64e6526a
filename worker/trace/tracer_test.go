package trace

import (
	"fmt"
	"strings"
	"testing"

	"go.uber.org/zap"

	"pingap/message"
)

// record is a request to a traced server, with the fields given as name: value.
func record(fields ...string) *message.Record {
	rec := &message.Record{Conn: &message.Conn{}}
	rec.Reset()
	rec.Start = message.Now()
	rec.Request.SetMethod([]byte("GET"))
	rec.Request.SetTarget([]byte("/some/path?a=1"))
	rec.Request.Host, rec.Request.Version = []byte("example.test"), message.HTTP11
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		rec.Request.Fields.Add(name, []byte(value))
	}
	return rec
}

func tracerOf(t testing.TB, query string) *Tracer {
	t.Helper()
	x := NewExporters(zap.NewNop(), "1")
	e, err := x.Open("http://127.0.0.1:1?" + query)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = e.Close()
		x.Wait(0)
	})
	return e.Tracer("web", nil)
}

// sent are the fields that go up, as name: value.
func sent(tracer *Tracer, rec *message.Record) string {
	tracer.Attempt(rec)
	rec.Trace.Upstream = 0xa1
	var up message.Fields
	up.CopyFrom(&rec.Request.Fields)
	tracer.Propagate(rec, &up)
	var b strings.Builder
	for _, f := range up.List() {
		fmt.Fprintf(&b, "%s: %s\n", f.Name, f.Value)
	}
	return b.String()
}

func TestATraceOfTheClientGoesOnToTheUpstream(t *testing.T) {
	const up = "00-" + someTrace + "-00000000000000a1-01"
	for _, c := range []struct {
		name, query string
		fields      []string
		want        string
	}{
		{"with its state", "", []string{"Traceparent: " + someParent, "TraceState: a=1", "Tracestate: b=2", "X: y"},
			"Traceparent: " + up + "\nTraceState: a=1\nTracestate: b=2\nX: y\n"},
		{"a state that cannot be read", "", []string{"traceparent: " + someParent, "tracestate: A=1"}, "traceparent: " + up + "\n"},
		{"not sampled, random", "", []string{"traceparent: " + someParent[:53] + "02"}, "traceparent: " + up[:53] + "02\n"},
		{"jaeger beside it", "jaeger", []string{"traceparent: " + someParent, "uber-trace-id: 1:2:0:0"},
			"traceparent: " + up + "\nuber-trace-id: " + someTrace + ":00000000000000a1:0:1\n"},
		{"jaeger alone", "jaeger", []string{"Uber-Trace-Id: " + someTrace + ":" + someSpan + ":0:1", "tracestate: a=1"},
			"Uber-Trace-Id: " + someTrace + ":00000000000000a1:0:1\ntraceparent: " + up + "\n"},
		{"baggage untouched", "", []string{"traceparent: " + someParent, "baggage: bad bad"}, "traceparent: " + up + "\nbaggage: bad bad\n"},
		{"baggage", "baggage", []string{"traceparent: " + someParent, "baggage: a=1"}, "traceparent: " + up + "\nbaggage: a=1\n"},
		{"bad baggage", "baggage", []string{"traceparent: " + someParent, "baggage: a=1", "baggage: bad bad"}, "traceparent: " + up + "\n"},
	} {
		tracer, rec := tracerOf(t, c.query), record(c.fields...)
		tracer.Begin(rec)
		if got := sent(tracer, rec); got != c.want {
			t.Errorf("%s: sent\n%swant\n%s", c.name, got, c.want)
		}
	}
}

func TestWithoutATraceOfTheClientOneIsBegun(t *testing.T) {
	for _, fields := range [][]string{nil, {"traceparent: 00-bad", "tracestate: a=1"}, {"traceparent: " + someParent, "traceparent: " + someParent, "tracestate: a=1"},
		{"uber-trace-id: " + someTrace + ":" + someSpan + ":0:1"}} { // without the parameter jaeger
		tracer, rec := tracerOf(t, ""), record(fields...)
		tracer.Begin(rec)
		if tr := rec.Trace; tr.Parent != 0 || !tr.Sampled || tr.State || tr.ID[1] == 0 || string(message.AppendTraceID(nil, tr.ID)) == someTrace {
			t.Errorf("%q: %+v", fields, tr)
		}
		if up := sent(tracer, rec); strings.Contains(up, "tracestate") || !strings.Contains(up, string(message.AppendTraceID(nil, rec.Trace.ID))) {
			t.Errorf("%q: sent %q", fields, up)
		}
	}
}

func TestSamplingFollowsTheClientAndElseTheRatio(t *testing.T) {
	for _, c := range []struct {
		query, parent string
		least, most   int // of 4,000
	}{
		{"sample=0", "", 0, 0}, {"sample=1", "", 4000, 4000}, {"sample=0.25", "", 800, 1200}, {"", "", 4000, 4000},
		{"sample=0", someParent, 4000, 4000}, {"sample=1", someParent[:53] + "00", 0, 0},
	} {
		tracer, sampled := tracerOf(t, c.query), 0
		rec := record("traceparent: " + c.parent)
		for range 4000 {
			if tracer.Begin(rec); rec.Trace.Sampled {
				sampled++
			}
		}
		if sampled < c.least || sampled > c.most {
			t.Errorf("%s with %q: %d of 4000", c.query, c.parent, sampled)
		}
	}
}

func TestFailuresAreExportedWhereTheyAreWanted(t *testing.T) {
	for _, c := range []struct {
		query, kind string
		status      int
		want        bool
	}{
		{"sample=0&errors", "", 200, false}, {"sample=0&errors", "", 404, false}, {"sample=0&errors", "HTTPStatus", 429, false},
		{"sample=0&errors", "", 500, true}, {"sample=0&errors", "ConnectionClosed", 499, true}, {"sample=0", "ConnectError", 502, false},
		{"sample=1", "", 200, true},
	} {
		tracer, rec := tracerOf(t, c.query), record()
		tracer.Begin(rec)
		rec.Status, rec.ErrorType = c.status, c.kind
		if got := tracer.exported(rec); got != c.want {
			t.Errorf("%s, %d %s: %v", c.query, c.status, c.kind, got)
		}
	}
}

func TestOnlySampledResponsesShowTheIDs(t *testing.T) {
	for _, sampled := range []bool{true, false} {
		tracer, rec := tracerOf(t, ""), record()
		rec.Trace = message.Trace{ID: message.TraceID{1, 2}, Server: 3, Sampled: sampled}
		tracer.Respond(rec)
		id, _ := rec.Response.Fields.Lookup("x-trace-id")
		span, _ := rec.Response.Fields.Lookup("x-span-id")
		if want := "0000000000000001000000000000000200000000000000" + "03"; (string(id)+string(span) == want) != sampled {
			t.Errorf("sampled %v: %q %q", sampled, id, span)
		}
	}
}

func TestAnUnsampledRequestAllocatesNothing(t *testing.T) {
	tracer := tracerOf(t, "sample=0&errors&jaeger&baggage")
	rec, up := record("traceparent: "+someParent[:53]+"00", "tracestate: a=1", "uber-trace-id: 1:2:0:0", "baggage: a=1"), message.Fields{}
	if n := testing.AllocsPerRun(1000, func() { unsampled(tracer, rec, &up) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// unsampled is all that is done for a proxied request that is not exported.
func unsampled(tracer *Tracer, rec *message.Record, up *message.Fields) {
	rec.Trace.Reset()
	tracer.Begin(rec)
	tracer.Attempt(rec)
	up.CopyFrom(&rec.Request.Fields)
	tracer.Propagate(rec, up)
	tracer.Respond(rec)
	rec.Status = 200
	tracer.End(rec, rec.Start)
}

func usualRecord(more ...string) *message.Record {
	return record(append([]string{"Host: example.test", "User-Agent: Mozilla/5.0", "Accept: text/html", "Accept-Language: en", "Accept-Encoding: gzip", "Cookie: a=b",
		"Cache-Control: no-cache", "Sec-Fetch-Mode: navigate"}, more...)...)
}

func BenchmarkAnUnsampledRequest(b *testing.B) {
	for name, rec := range map[string]*message.Record{"fresh": usualRecord(), "continued": usualRecord("traceparent: "+someParent[:53]+"00", "tracestate: a=1,b=2")} {
		b.Run(name, func(b *testing.B) {
			tracer, up := tracerOf(b, "sample=0&errors"), message.Fields{}
			b.ReportAllocs()
			for b.Loop() {
				unsampled(tracer, rec, &up)
			}
		})
	}
}

// What a sampled request costs beside: the copy into the queue, or its drop.
func BenchmarkEndOfASampledRequest(b *testing.B) {
	tracer, rec := tracerOf(b, "max_queue_size=100000"), usualRecord()
	tracer.Begin(rec)
	e := newEntry()
	b.ReportAllocs()
	for b.Loop() {
		e.take(tracer, rec, rec.Start)
		e.reset()
	}
}

func TestLinesSayWhatFieldsWould(t *testing.T) {
	for query, want := range map[string]string{
		"sample=1":        "traceparent: 00-ID-00000000000000a1-01\r\n",
		"sample=1&jaeger": "traceparent: 00-ID-00000000000000a1-01\r\nuber-trace-id: ID:00000000000000a1:0:1\r\n",
	} {
		tracer, rec := tracerOf(t, query), usualRecord()
		tracer.Begin(rec)
		fields := sent(tracer, rec)
		got := string(tracer.AppendLines(nil, rec, &rec.Request.Fields))
		if want = strings.ReplaceAll(want, "ID", string(message.AppendTraceID(nil, rec.Trace.ID))); got != want {
			t.Errorf("%s: %q, expected %q", query, got, want)
		}
		if !strings.HasSuffix(strings.ReplaceAll(fields, "\n", "\r\n"), got) {
			t.Errorf("%s: %q are not what is added to the fields, %q", query, got, fields)
		}
	}
	for _, field := range []string{"traceparent: x", "Tracestate: a=1", "uber-trace-id: 1:2:0:0", "baggage: a=1"} {
		tracer, rec := tracerOf(t, "sample=1"), usualRecord(field)
		tracer.Begin(rec)
		tracer.Attempt(rec)
		if got := tracer.AppendLines(nil, rec, &rec.Request.Fields); len(got) != 0 {
			t.Errorf("%s: %q, expected nothing: there is a field to change", field, got)
		}
	}
}
