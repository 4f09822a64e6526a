package trace

import (
	"math/rand/v2"

	"pingap/message"
)

// Tracer traces the requests of a server. It holds nothing of a request.
type Tracer struct {
	server   string
	exporter *Exporter
	// below is how large half the lower half of a trace's id may be to be sampled: all collectors and SDKs decide so.
	below uint64
	// of the exporter, beside what is used most
	errors, jaeger, baggage bool
	hidden                  []string // parameters of queries
}

// Names of fields, with their lengths for a first look.
const (
	fieldParent  = "traceparent"
	fieldState   = "tracestate"
	fieldJaeger  = "uber-trace-id"
	fieldBaggage = "baggage"
)

// Begin makes a request one that is traced: it goes on with the trace of the client, or begins one.
func (t *Tracer) Begin(rec *message.Record) {
	var parent, jaeger []byte
	parents, states := 0, 0
	list := rec.Request.Fields.List()
	for i := range list {
		f := &list[i]
		if f.ID != message.Unknown {
			continue
		}
		switch name := f.Name; len(name) {
		case len(fieldParent):
			if message.EqualFold(name, fieldParent) {
				parent = f.Value
				parents++
			}
		case len(fieldState):
			if message.EqualFold(name, fieldState) {
				states++
			}
		case len(fieldJaeger):
			if t.jaeger && message.EqualFold(name, fieldJaeger) {
				jaeger = f.Value
			}
		}
	}
	var r remote
	known := false
	if parents == 1 { // of several nobody knows which one holds
		r, known = parseParent(parent)
	}
	ofParent := known
	if !known && jaeger != nil {
		r, known = parseJaeger(jaeger)
	}
	trace := &rec.Trace
	if known {
		trace.ID, trace.Parent, trace.Sampled, trace.Random = r.id, r.parent, r.sampled, r.random
	} else {
		trace.ID = newTrace()
		trace.Sampled = trace.ID[1]>>1 < t.below
	}
	trace.Server = newSpan()
	trace.State = ofParent && states > 0 && validStates(list)
}

// validStates reports whether all tracestate fields of a request together are a list that can be read.
func validStates(list []message.Field) bool {
	n := 0
	for i := range list {
		if len(list[i].Name) == len(fieldState) && message.EqualFold(list[i].Name, fieldState) && !validState(list[i].Value, &n) {
			return false
		}
	}
	return true
}

// newTrace returns a random id. That of a trace says nothing that must be hard to guess.
func newTrace() message.TraceID {
	return message.TraceID{rand.Uint64(), max(rand.Uint64(), 1)}
}

func newSpan() uint64 { return max(rand.Uint64(), 1) }

// Attempt begins an attempt at a backend, whose span the backend gets as its parent.
func (t *Tracer) Attempt(rec *message.Record) { rec.NextAttempt(newSpan()) }

// Propagate writes the trace into the fields that go to a backend, which are a copy of the request's.
func (t *Tracer) Propagate(rec *message.Record, fields *message.Fields) {
	trace, has := &rec.Trace, lookOver(fields.List())
	var scratch [80]byte
	put(fields, fieldParent, has.parent, appendParent(scratch[:0], trace))
	if has.state && !trace.State {
		fields.Del(fieldState)
	}
	if t.jaeger {
		put(fields, fieldJaeger, has.jaeger, appendJaeger(scratch[:0], trace))
	}
	if t.baggage && has.baggage && !validBaggage(fields.List()) {
		fields.Del(fieldBaggage)
	}
}

// AppendLines appends what Propagate would add to these fields, as lines of the head; nothing where Propagate has to change some.
func (t *Tracer) AppendLines(dst []byte, rec *message.Record, fields *message.Fields) []byte {
	if lookOver(fields.List()) != (present{}) {
		return dst
	}
	dst = append(dst, fieldParent+": "...)
	dst = append(appendParent(dst, &rec.Trace), "\r\n"...)
	if t.jaeger {
		dst = append(dst, fieldJaeger+": "...)
		dst = append(appendJaeger(dst, &rec.Trace), "\r\n"...)
	}
	return dst
}

// present are the fields about traces that a list may have: it has no others.
type present struct{ parent, state, jaeger, baggage bool }

// lookOver goes by length alone, once: to set and to delete is to copy the list.
func lookOver(list []message.Field) (p present) {
	for i := range list {
		if list[i].ID != message.Unknown {
			continue
		}
		switch len(list[i].Name) {
		case len(fieldParent):
			p.parent = true
		case len(fieldState):
			p.state = true
		case len(fieldJaeger):
			p.jaeger = true
		case len(fieldBaggage):
			p.baggage = true
		}
	}
	return p
}

func put(fields *message.Fields, name string, there bool, value []byte) {
	if there {
		fields.Set(name, value)
		return
	}
	fields.Add(name, value)
}

// validBaggage reports whether all baggage fields together can be read, and are no larger than everybody must take.
func validBaggage(list []message.Field) bool {
	size, n := 0, 0
	for i := range list {
		if len(list[i].Name) != len(fieldBaggage) || !message.EqualFold(list[i].Name, fieldBaggage) {
			continue
		}
		if size += len(list[i].Value); size > maxBaggage || !walkBaggage(list[i].Value, &n, nil) {
			return false
		}
	}
	return true
}

// Respond adds the ids to a response from a backend, where the collector will know them.
func (t *Tracer) Respond(rec *message.Record) {
	trace := &rec.Trace
	if !trace.Sampled {
		return
	}
	var scratch [32]byte
	rec.Response.Fields.Set("X-Trace-Id", message.AppendTraceID(scratch[:0], trace.ID))
	rec.Response.Fields.Set("X-Span-Id", message.AppendSpanID(scratch[:0], trace.Server))
}

// Exported reports whether the spans of a request that ends now are exported: it was sampled, or ends with 5xx, or broke off. An answer with
// a status alone, like 404, is no failure.
func (t *Tracer) exported(rec *message.Record) bool {
	return rec.Trace.Sampled || t.errors && (rec.Status >= 500 || rec.ErrorType != "" && rec.ErrorType != errorStatus)
}

// errorStatus is the type of errors that are an answer like any other.
const errorStatus = "HTTPStatus"

// End hands a request that is over to the exporter, if it is to be exported. It never waits. ended is on the clock of message.Now.
func (t *Tracer) End(rec *message.Record, ended int64) {
	if t.exported(rec) {
		t.exporter.add(t, rec, ended)
	}
}
