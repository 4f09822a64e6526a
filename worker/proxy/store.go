package proxy

import "pingap/message"

// stored hands the response of the upstream to the location's Storer. It reports whether the upstream's body is not needed: another answer
// takes the place of this one, or nobody wants to see it.
func (c *conn) stored(up *upstreamIO) bool {
	s := c.s
	chain := s.location.Plugins
	if chain == nil || len(chain.UpstreamBody) == 0 && chain.Storer == nil {
		return false
	}
	r := &s.resp
	if !s.bodyless(r.frame) {
		s.addFilters(chain.UpstreamBody)
	}
	if r.changes > 0 { // its length is not known to what follows
		s.ex.Response.Fields.DelID(message.ContentLength)
		s.ex.Response.BodyLength = message.LengthUnknown
	}
	if i := chain.Storer; i != nil && !s.reqFrame.Upgrade {
		begin := s.stopwatch()
		f, a := i.Storer.Store(&s.ex)
		s.spent(i, begin)
		if f != nil {
			s.addFilter(f)
			r.store, r.stored = f, len(r.filters)
		}
		if a != nil {
			s.instead = a
			return up.enough()
		}
	}
	return s.nobody && r.store == nil && up.enough()
}

// enough ends the exchange without the body of the response. It returns true.
func (up *upstreamIO) enough() bool {
	up.want = wantFail // by nobody's fault
	if up.bodyAtHand(up.c.s.resp.frame) {
		up.want = wantDone // and the connection can be used again
	}
	return true
}

// answerInstead sends the answer of the Storer that takes the place of the upstream's, if there is one.
func (c *conn) answerInstead() {
	s := c.s
	if a := s.instead; a != nil {
		s.instead = nil
		c.answer(a)
	}
}

// answerFailure answers what the upstream did not: the Storer may have something better than an error.
func (c *conn) answerFailure(status int, kind, text string) {
	if c.s.inside != nil {
		c.answerAway(kind)
		return
	}
	if status >= 500 && c.s.rehearsal == nil && c.rescued(status) {
		c.s.ex.ErrorType = kind // for the log
		return
	}
	c.answerError(status, kind, text)
}

// rescued reports whether the Storer had an answer in the place of an error.
func (c *conn) rescued(status int) bool {
	s := c.s
	if s.location.Plugins == nil || s.location.Plugins.Storer == nil || s.headSent || s.clientGone || c.cutting() {
		return false
	}
	a := s.location.Plugins.Storer.Storer.Rescue(&s.ex, status)
	if a == nil {
		return false
	}
	c.answer(a)
	return true
}
