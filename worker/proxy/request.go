package proxy

import (
	"pingap/message"
	"pingap/worker/http1"
	"pingap/worker/http2/cleartext"
)

// advance takes the next request from the buffered bytes, and serves it if it is complete. A request
// whose body is still coming is left to process, outside the callback.
func (c *conn) advance() next {
	s := c.s
	site := c.p.siteOf(c.server)
	if site == nil {
		return nextClose // the listener is gone from the configuration
	}
	s.site, s.server = site, site.Servers[c.server]
	s.ex.Server, s.ex.ConfigVersion = s.server.Name, site.Version
	if c.via == nil && s.server.H2C && c.info.Requests == 0 {
		switch cleartext.Preface(s.unread()) {
		case cleartext.Part:
			return c.incomplete()
		case cleartext.Whole:
			return c.priorKnowledge()
		}
	}
	if !s.reqScan.Ready(s.unread(), s.server.Limits.Head) {
		return c.incomplete()
	}
	n, frame, err := http1.ParseRequest(s.unread(), &s.ex.Request, &s.server.Limits)
	if err != nil {
		return c.refuse(err)
	}
	if n == 0 {
		return c.incomplete()
	}
	s.r += n
	s.reqFrame = frame
	s.keepClient = frame.KeepAlive
	c.linger = false
	if err := s.takeBody(); err != nil {
		return c.refuse(err)
	}
	if frame.H2C && s.reqWhole && c.via == nil && s.server.H2C {
		return c.upgradeH2C()
	}
	if !s.reqWhole || frame.Upgrade {
		return nextOutside
	}
	return c.process()
}

// incomplete waits for the rest of a head. Its time runs from its first byte on.
func (c *conn) incomplete() next {
	c.s.ex.Request.Reset()
	c.partial = true
	c.wait.mu.Lock()
	waiting := c.wait.phase == phaseHead
	c.wait.mu.Unlock()
	if !waiting {
		c.enter(phaseHead, c.s.ex.Start, c.s.server.HeaderTimeout, c)
	}
	return nextRequest
}

// takeBody takes the body that came with the head, if it came whole.
func (s *session) takeBody() *http1.Error {
	rest := s.unread()
	switch {
	case s.reqFrame.Chunked:
		pass, used, err := s.reqChunks.Pass(rest)
		if err != nil {
			return err
		}
		if s.reqChunks.Done() && pass == used {
			s.reqBody, s.reqWhole = rest[:used], true
			s.r += used
			s.ex.RequestBody = s.reqChunks.Data
			return nil
		}
		s.reqChunks.Reset() // the upload begins again with what is buffered
	case s.reqFrame.Length <= int64(len(rest)):
		s.reqBody, s.reqWhole = rest[:s.reqFrame.Length], true
		s.r += int(s.reqFrame.Length)
		s.ex.RequestBody = s.reqFrame.Length
	}
	return nil
}

// refuse answers a request that cannot be accepted, and ends the connection. Nothing of the request
// has gone anywhere.
func (c *conn) refuse(err *http1.Error) next {
	s := c.s
	s.keepClient = false
	c.linger = true
	if s.ex.Request.Version == 0 {
		s.ex.Request.Version = message.HTTP11
	}
	c.p.inFlight.Add(1)
	if s.server.H2C && c.info.Requests == 0 && !cleartext.MentionsHTTP1(s.unread()) {
		s.ex.Status, s.ex.ErrorType, s.headSent = err.Status, err.Type, true // a text in HTTP/1 would be read as frames
		return c.finish()
	}
	c.answerError(err.Status, err.Type, err.Text)
	return c.finish()
}

// timeoutHead answers a head that did not come in time.
func (c *conn) timeoutHead() {
	s := c.s
	s.ex.Request.Reset()
	s.ex.Request.Version = message.HTTP11
	s.keepClient = false
	c.p.inFlight.Add(1)
	c.answerError(408, "ReadTimedout", "request head did not come within header_timeout")
	c.finish()
}
