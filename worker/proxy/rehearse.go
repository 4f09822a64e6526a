package proxy

import (
	"bytes"
	"fmt"
	"sync/atomic"

	"pingap/message"
	"pingap/plugins"
	"pingap/worker/grpc"
	"pingap/worker/http1"
	"pingap/worker/http2/server"
	"pingap/worker/route"
	"pingap/worker/upstream"
)

// Rehearsal is a request that is followed through a server by the code that serves requests, and not served: nothing is sent, asked of others,
// counted or logged, and no turn or place is taken. Plugins foresee (plugins.Instance.Foresee). It is noted what the request would meet.
type Rehearsal struct {
	// Head is the request's head in HTTP/1, whole, or List that of HTTP/2; Conn what is known of the client's connection; MaxTried the most
	// locations in Tried.
	Head     []byte
	List     *message.Fields
	Conn     message.Conn
	MaxTried int

	// Record is the exchange as it was in the end: as it would go to the upstream, or was answered.
	Record *message.Record
	// Tried are locations in matching order, More is how many are left out; Location is the one found, nil for none.
	Tried    []route.Verdict
	More     int
	Location *Location
	// Plugins are the instances that were asked, in their order.
	Plugins []Foreseen
	// Before are the fields as they came, and Target what was asked for; Sent are the fields that would go to the upstream.
	Before, Sent []message.Field
	Target       string
	// Upstream is where the request would go, nil for nowhere; Inside tells that this is control. Look is the choice of a backend.
	Upstream *upstream.Upstream
	Inside   bool
	Look     upstream.Look
	// Malformed says why a List is no request: its stream would be reset. Call is what the request is besides one, "" for nothing. Tunnel tells
	// that it asks for one, Shared that it would go on over HTTP/2.
	Malformed, Call string
	Tunnel, Shared  bool
	// Answered tells that the request is answered here, with Status, and Why what stands behind it, if that is known. A status of 0 is one that
	// only control knows.
	Answered bool
	Status   int
	Why      string

	trace route.Trace
}

// Foreseen is what one plugin would do.
type Foreseen struct {
	*plugins.Instance
	plugins.Foresight
	// Answers tells that it would answer, with Status; 0 is what only control knows. The answer itself is closed.
	Answers bool
	Status  int
	// Changed says what it changed, empty for nothing.
	Changed string
}

// Rehearse follows a request through a server of a site. It may be called by any goroutine. It never panics over a plugin.
func (p *Proxy) Rehearse(site *Site, at *Server, r *Rehearsal) {
	k := &conn{p: p, net: nobody{}, server: -1, parkedFD: -1, info: r.Conn}
	own := *at // without what counts, logs and traces
	own.Log, own.Tracer, own.Counts, own.Processing = nil, nil, nil, new(atomic.Int64)
	if at.Processing != nil {
		own.Processing.Store(at.Processing.Load())
	}
	s := &session{site: site, server: &own, rehearsal: r, nobody: true, reqWhole: true}
	k.s = s
	s.ex.Reset()
	s.ex.Conn, s.ex.Start, s.ex.Shadow = &k.info, message.Now(), true
	s.ex.Server, s.ex.ConfigVersion = at.Name, site.Version
	r.Record = &s.ex.Record
	if !r.takeHead(k) {
		return
	}
	defer k.endExchange(false)
	defer func() {
		r.Call = [...]string{callNone: "", callGRPC: "gRPC", callWeb: "gRPC-web"}[s.call.kind]
		if cause := recover(); cause != nil {
			k.notePanic(cause)
			r.answered(500, "internal error")
		}
	}()
	k.serveRequest()
}

// takeHead reads the head as the connection would. It reports whether the request is served.
func (r *Rehearsal) takeHead(k *conn) bool {
	s := k.s
	if r.List != nil {
		return r.takeList(k)
	}
	n, frame, err := http1.ParseRequest(r.Head, &s.ex.Request, &s.server.Limits)
	r.keep(s)
	if err == nil && n > 0 {
		s.reqFrame = frame
		return true
	}
	if err == nil {
		err = http1.ErrRequestLine
	}
	r.answered(err.Status, err.Text)
	return false
}

// takeList is takeHead for a stream. A body is there only where its length is told.
func (r *Rehearsal) takeList(k *conn) bool {
	var head server.Head
	engine := k.s.server.HTTP2
	if r.Malformed = engine.Judge(&head, r.List, engine.Over(r.List)); r.Malformed != "" {
		return false
	}
	k.via = &via{stream: new(server.Stream)} // which it only has: nothing is read or written
	head.Ended = head.Length <= 0
	refused := k.s.takeHead(&head)
	r.keep(k.s)
	if refused.status != 0 {
		r.answered(refused.status, refused.text)
	}
	return refused.status == 0
}

// keep notes the request as it came.
func (r *Rehearsal) keep(s *session) {
	r.Before, r.Target = cloneFields(&s.ex.Request.Fields), string(s.ex.Request.Target)
}

// CallStatus is the status of a call in place of an answer with an HTTP status; false where it stays that.
func (r *Rehearsal) CallStatus(status int) (code grpc.Code, is bool) {
	return grpc.FromAnswer(status), r.Call != "" && (&call{kind: callGRPC}).tells(status)
}

// SpeaksHTTP2 reports whether the server takes HTTP/2 from clients: over TLS, where they agree on it, or in the clear.
func (s *Server) SpeaksHTTP2() bool { return s.HTTP2 != nil && (s.TLS != nil || s.H2C) }

// match finds the location as for any request, and has the session use a copy of what is bound to it, which counts nothing.
func (r *Rehearsal) match(s *session) *route.Location {
	found := s.server.Table.MatchTraced(&s.ex.Record, &r.trace)
	r.Tried, r.More = s.server.Table.Explain(&s.ex.Record, &r.trace, found, r.MaxTried)
	if found == nil {
		return nil
	}
	r.Location = s.server.Locations[found]
	own := *r.Location
	own.Counts = nil
	if own.Slots != nil {
		own.Slots = lookingSlots{own.Slots}
	}
	s.server.Locations = map[*route.Location]*Location{found: &own}
	return found
}

// lookingSlots takes no slot.
type lookingSlots struct{ Slots }

func (l lookingSlots) Acquire(most int64) bool {
	counted, ok := l.Slots.(interface{ Load() int64 })
	return !ok || counted.Load() < most
}

func (lookingSlots) Release() {}

// answered notes an answer made here.
func (r *Rehearsal) answered(status int, why string) {
	if !r.Answered {
		r.Answered, r.Status, r.Why = true, status, why
	}
}

// forward notes where the request would go.
func (r *Rehearsal) forward(s *session, u *upstream.Upstream) {
	r.Upstream, r.Inside = u, s.inside != nil
	if r.Inside {
		return
	}
	r.Look, r.Tunnel, r.Shared = u.Look(&s.ex.Record), s.reqFrame.Upgrade, s.shares(u)
	s.ex.UpstreamAddr = r.Look.Chosen
	r.Sent = cloneFields(s.requestFields())
}

// foresee is decide for a rehearsal.
func (c *conn) foresee(list []*plugins.Instance) bool {
	s, r := c.s, c.s.rehearsal
	for _, i := range list {
		e := &s.ex
		if i.Shadow {
			e = s.shadowed()
		}
		f := c.foreseeOne(i, e)
		r.Plugins = append(r.Plugins, f)
		if f.Answers && !i.Shadow {
			if c.unlikeTunnel(f.Status) {
				c.answerError(502, "HTTPStatus", noTunnel)
				return true
			}
			why := f.Why
			if why == "" {
				why = f.Reason
			}
			r.answered(f.Status, why)
			return true
		}
	}
	return false
}

// foreseeOne asks one instance. What panics is unknown.
func (c *conn) foreseeOne(i *plugins.Instance, e *plugins.Exchange) (f Foreseen) {
	f.Instance = i
	before, target, to := cloneFields(&e.Request.Fields), string(e.Request.Target), e.UpstreamOverride
	defer func() {
		if cause := recover(); cause != nil {
			c.notePanic(cause)
			f.Foresight = plugins.Unknown("it failed when it was asked")
		}
		if f.Answer != nil {
			f.Answers, f.Status = true, f.Answer.Status
			c.closeAnswer(f.Answer)
		}
		if e.UpstreamOverride != to {
			f.Changed = "the upstream: " + e.UpstreamOverride
		}
		if string(e.Request.Target) != target {
			f.Changed = appendText(f.Changed, "the target")
		}
		for _, d := range message.Differences(before, e.Request.Fields.List()) {
			f.Changed = appendText(f.Changed, fmt.Sprintf("%s %s", d.Op, d.Name))
		}
	}()
	f.Foresight = i.Foresee(e)
	return f
}

func appendText(text, more string) string {
	if text == "" {
		return more
	}
	return text + ", " + more
}

// cloneFields copies fields with what they hold.
func cloneFields(fields *message.Fields) []message.Field {
	list := fields.List()
	all := make([]message.Field, len(list))
	for i := range list {
		all[i] = message.Field{Name: bytes.Clone(list[i].Name), Value: bytes.Clone(list[i].Value), ID: list[i].ID}
	}
	return all
}
