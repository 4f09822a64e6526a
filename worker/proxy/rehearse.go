package proxy

import (
	"fmt"
	"sync/atomic"

	"pingap/message"
	"pingap/plugins"
	"pingap/worker/http1"
	"pingap/worker/route"
	"pingap/worker/upstream"
)

// Rehearsal is a request that is followed through a server by the code that serves requests, and not served: nothing is sent, asked of others,
// counted or logged, and no turn or place is taken. Plugins foresee (plugins.Instance.Foresee). It is noted what the request would meet.
type Rehearsal struct {
	// Head is the request's head in HTTP/1, whole; Conn what is known of the client's connection; MaxTried the most locations in Tried.
	Head     []byte
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
func (p *Proxy) Rehearse(site *Site, server *Server, r *Rehearsal) {
	k := &conn{p: p, net: nobody{}, server: -1, parkedFD: -1, info: r.Conn}
	own := *server // without what counts, logs and traces
	own.Log, own.Tracer, own.Counts, own.Processing = nil, nil, nil, new(atomic.Int64)
	if server.Processing != nil {
		own.Processing.Store(server.Processing.Load())
	}
	s := &session{site: site, server: &own, rehearsal: r, nobody: true, reqWhole: true}
	k.s = s
	s.ex.Reset()
	s.ex.Conn, s.ex.Start, s.ex.Shadow = &k.info, message.Now(), true
	s.ex.Server, s.ex.ConfigVersion = server.Name, site.Version
	r.Record = &s.ex.Record
	n, frame, err := http1.ParseRequest(r.Head, &s.ex.Request, &server.Limits)
	r.Before, r.Target = cloneFields(&s.ex.Request.Fields), string(s.ex.Request.Target)
	if err != nil || n == 0 {
		r.refused(err)
		return
	}
	s.reqFrame = frame
	defer k.endExchange(false)
	defer func() {
		if cause := recover(); cause != nil {
			k.notePanic(cause)
			r.answered(500, "internal error")
		}
	}()
	k.serveRequest()
}

// refused notes a head that no server takes.
func (r *Rehearsal) refused(err *http1.Error) {
	if err == nil {
		err = http1.ErrRequestLine
	}
	r.answered(err.Status, err.Text)
}

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
	r.Look = u.Look(&s.ex.Record)
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
		for _, d := range Differences(before, e.Request.Fields.List()) {
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
