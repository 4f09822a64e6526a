package proxy

import (
	"strconv"

	"pingap/message"
	"pingap/plugins"
	"pingap/worker/route"
)

// process serves the request in the session: steps 3 to 9. It runs inside the client's callback when
// the request came whole, else outside.
func (c *conn) process() (then next) {
	c.p.inFlight.Add(1)
	c.s.ex.Anchor = c.p.anchor.Load()
	if c.s.fd == 0 {
		c.busy()
	}
	defer func() {
		if cause := recover(); cause != nil {
			then = c.panicked(cause)
		}
	}()
	if c.serveRequest() == tunnelled {
		return nextTunnel
	}
	return c.finish()
}

// served tells how a request ended.
type served uint8

const (
	answered  served = iota // answered, or failed; finish does the rest
	tunnelled               // the connection is a tunnel; finish comes when it ends
)

// serveRequest finds the location of a request and applies it: limits, plugins, upstream.
func (c *conn) serveRequest() served {
	s := c.s
	s.ex.Processing = s.server.Processing.Add(1)
	s.counted = true
	route.ClientIP(&s.ex.Record, s.site.Trusted)
	if c.answersChallenge() {
		return answered
	}
	if m := s.server.Metrics; m != nil && string(s.ex.Request.Path) == m.Path {
		return c.showMetrics(m)
	}
	if s.server.Tracer != nil {
		s.server.Tracer.Begin(&s.ex.Record)
	}
	match := s.match()
	if match == nil {
		c.answerError(404, "HTTPStatus", "no matching location")
		return answered
	}
	s.ex.Location = match.Name
	s.location = s.server.Locations[match]
	s.location.Counts.Begin()
	if s.location.Untraced {
		s.ex.Trace.Reset()
	}
	if s.ex.Request.MethodID == message.POST && (c.stream() != nil || s.location.GRPCWeb) && c.beginCall() || c.refusedByLimit() {
		return answered
	}
	if chain := s.location.Plugins; chain != nil {
		if c.decide(chain.Early) {
			return answered
		}
		match.Rewrite(&s.ex.Record, s.server.RawPath)
		if c.decide(chain.Request) || c.decide(chain.ProxyUpstream) {
			return answered
		}
	} else {
		match.Rewrite(&s.ex.Record, s.server.RawPath)
	}
	return c.forward()
}

// match finds the location of the request.
func (s *session) match() *route.Location {
	if s.rehearsal != nil {
		return s.rehearsal.match(s)
	}
	return s.server.Table.Match(&s.ex.Record)
}

// answersChallenge answers a CA that asks for what only we can know. It comes before all locations, and over TLS as well: a CA follows
// redirects. What is no challenge that was announced is a request like any other.
func (c *conn) answersChallenge() bool {
	body, ok := c.p.challenge(c.s.ex.Request.Path)
	if ok {
		c.answer(plugins.Text(200, string(body)))
	}
	return ok
}

// refusedByLimit applies the limits of the location on body size and requests in process.
func (c *conn) refusedByLimit() bool {
	s, l := c.s, c.s.location
	if l.MaxBody > 0 && s.bodyAtLeast() > l.MaxBody {
		c.answerError(413, "HTTPStatus", "Request Entity Too Large, max:"+strconv.FormatInt(l.MaxBody, 10))
		return true
	}
	if l.Slots == nil {
		return false
	}
	if !l.Slots.Acquire(l.MaxProcessing) {
		s.ex.Limited = message.LimitedByProcessing
		c.answerError(429, "HTTPStatus", "Too Many Requests, max:"+strconv.FormatInt(l.MaxProcessing, 10))
		return true
	}
	s.held = true
	return false
}

// bodyAtLeast is what is known of the length of the request body.
func (s *session) bodyAtLeast() int64 {
	return max(s.reqFrame.Length, s.ex.RequestBody)
}

// setStatus makes the response head of the exchange a fresh one.
func (s *session) setStatus(status int) *message.Response {
	resp := &s.ex.Response
	resp.Reset()
	resp.Status, resp.Version = status, message.HTTP11
	s.ex.Status = status
	return resp
}
