package proxy

import "pingap/plugins"

// decide runs the deciders of a step in order, and sends the first answer.
func (c *conn) decide(list []*plugins.Instance) bool {
	s := c.s
	if s.rehearsal != nil {
		return c.foresee(list)
	}
	for _, i := range list {
		if i.Shadow {
			c.watchDecider(i)
			continue
		}
		begin := s.stopwatch()
		d := i.Decider.Decide(&s.ex)
		s.spent(i, begin)
		if d.Refresh {
			c.refresh(i.Step == plugins.EarlyRequest)
		}
		if d.Answer != nil {
			c.answer(d.Answer)
			return true
		}
	}
	return false
}

// upstreamResponders run on the head that came from the upstream.
func (c *conn) upstreamResponders() {
	s := c.s
	if s.ex.Trace.On() {
		s.server.Tracer.Respond(&s.ex.Record)
	}
	chain := s.location.Plugins
	if chain == nil {
		return
	}
	for _, i := range chain.UpstreamResponse {
		if i.Shadow {
			c.guarded(func() { i.UpstreamResponder.UpstreamResponse(s.shadowed()) })
			continue
		}
		begin := s.stopwatch()
		i.UpstreamResponder.UpstreamResponse(&s.ex)
		s.spent(i, begin)
	}
}

// responders run on the head that goes to the client.
func (c *conn) responders() {
	s := c.s
	chain := s.location.Plugins
	if chain == nil || s.nobody {
		return
	}
	for _, i := range chain.Response {
		if i.Shadow {
			c.guarded(func() { i.Responder.Response(s.shadowed()) })
			continue
		}
		begin := s.stopwatch()
		i.Responder.Response(&s.ex)
		s.spent(i, begin)
	}
}

// endFilters ends the filters of the response, if there are any.
func (c *conn) endFilters() {
	for len(c.s.resp.filters) > 0 {
		c.guarded(c.s.resp.endFilters)
	}
}

// endExchange tells all that wait for the end of the exchange, whatever has become of it.
func (c *conn) endExchange(complete bool) {
	s := c.s
	c.endFilters()
	if s.instead != nil { // it was not sent
		c.guarded(func() { c.closeAnswer(s.instead) })
		s.instead = nil
	}
	for s.ex.HasEnd() {
		c.guarded(func() { s.ex.End(complete) })
	}
	for s.shadow != nil && s.shadow.HasEnd() {
		c.guarded(func() { s.shadow.End(complete) })
	}
}

// guarded calls what belongs to a plugin, outside of its steps: a panic there must not keep others from hearing of the end.
func (c *conn) guarded(f func()) {
	defer func() {
		if cause := recover(); cause != nil {
			c.notePanic(cause)
		}
	}()
	f()
}
