package trace

import (
	"net/netip"

	"pingap/message"
)

// entry is what the spans of a request are made of, copied out of its record.
type entry struct {
	tracer       *Tracer
	trace        message.Trace
	start, ended int64 // on the clock of message.Now

	status, upstreamStatus                 int
	location, upstream, addr, errorType    string
	known, secure, reused                  bool // known: the method is one of the standard's
	version                                uint8
	peer                                   netip.AddrPort
	upstreamConnected                      int64
	connect, tcp, tls, processing, respond int64
	cacheLookup, cacheLock                 int64
	requestBody, responseBody              int64

	method, path, query, host, client, agent, cached, state []byte
	baggage                                                 []member

	mem []byte // behind the views above
}

// member is one of a baggage.
type member struct{ key, value []byte }

// Bytes of a view that are copied at most: a request may bring more than anybody wants to see of it.
const (
	maxMethod = 32
	maxTarget = 2 << 10
	maxHost   = 255
	maxAgent  = 512
	maxWord   = 64
)

// take copies what is wanted of a record.
func (e *entry) take(t *Tracer, rec *message.Record, ended int64) {
	e.tracer, e.start, e.ended = t, rec.Start, max(ended, rec.Start)
	e.trace.CopyFrom(&rec.Trace)
	e.status, e.upstreamStatus, e.errorType = rec.Status, rec.UpstreamStatus, rec.ErrorType
	e.location, e.upstream, e.addr = rec.Location, rec.Upstream, rec.UpstreamAddr
	e.reused, e.upstreamConnected = rec.UpstreamReused, rec.UpstreamConnected
	e.connect, e.tcp, e.tls = rec.UpstreamConnect, rec.UpstreamTCPConnect, rec.UpstreamTLSHandshake
	e.processing, e.respond = rec.UpstreamProcessing, rec.UpstreamResponse
	e.cacheLookup, e.cacheLock = rec.CacheLookup, rec.CacheLock
	e.requestBody, e.responseBody = rec.RequestBody, rec.ResponseBody
	e.peer, e.secure = rec.Conn.Remote, rec.Conn.Secure()
	q := &rec.Request
	e.version, e.known = q.Version, q.MethodID != message.OtherMethod
	e.method, e.path, e.query = e.own(q.Method, maxMethod), e.own(q.Path, maxTarget), e.own(q.Query, maxTarget)
	e.host, e.client = e.own(q.Host, maxHost), e.own(rec.ClientIPText, maxHost)
	e.agent = e.own(q.Fields.Get(message.UserAgent), maxAgent)
	if rec.CacheLookup != message.Unset {
		status, _ := rec.Response.Fields.Lookup("x-cache-status")
		e.cached = e.own(status, maxWord)
	}
	if rec.Trace.State {
		e.takeState(q.Fields.List())
	}
	if t.baggage && validBaggage(q.Fields.List()) {
		e.takeBaggage(q.Fields.List())
	}
}

// takeState joins the tracestate fields, which have been checked.
func (e *entry) takeState(list []message.Field) {
	const longest = 2 << 10 // what is longer goes to backends alone
	start := len(e.mem)
	for i := range list {
		if len(list[i].Name) != len(fieldState) || !message.EqualFold(list[i].Name, fieldState) || len(list[i].Value) == 0 {
			continue
		}
		if len(e.mem) > start {
			e.mem = append(e.mem, ',')
		}
		e.mem = append(e.mem, list[i].Value...)
	}
	if len(e.mem)-start <= longest {
		e.state = e.mem[start:len(e.mem):len(e.mem)]
		return
	}
	e.mem = e.mem[:start]
}

func (e *entry) takeBaggage(list []message.Field) {
	n := 0
	for i := range list {
		if len(list[i].Name) == len(fieldBaggage) && message.EqualFold(list[i].Name, fieldBaggage) {
			walkBaggage(list[i].Value, &n, func(key, value []byte) {
				e.baggage = append(e.baggage, member{e.own(key, maxWord), e.own(value, maxAgent)})
			})
		}
	}
}

// own copies a view, or its beginning.
func (e *entry) own(view []byte, most int) []byte {
	start := len(e.mem)
	e.mem = append(e.mem, view[:min(len(view), most)]...)
	return e.mem[start:len(e.mem):len(e.mem)]
}

// reset forgets the request. Memory that grew large is let go.
func (e *entry) reset() {
	const keep = 8 << 10
	mem, attempts, baggage := e.mem[:0], e.trace.Attempts, e.baggage
	if cap(mem) > keep {
		mem = nil
	}
	clear(attempts)
	clear(baggage)
	*e = entry{mem: mem, baggage: baggage[:0]}
	e.trace.Attempts = attempts[:0]
}
