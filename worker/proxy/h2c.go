package proxy

import (
	"pingap/message"
	"pingap/worker/http2/cleartext"
)

// HTTP/2 in the clear: a client that begins with the preface (RFC 9113 section 3.3), or that asks for it in a request (RFC 7540
// section 3.2, which RFC 9113 does not have any more).

// priorKnowledge switches the connection to HTTP/2. What came of it so far is fed to the engine.
func (c *conn) priorKnowledge() next {
	m := c.serveMux(c.s.server)
	m.h2.Start()
	return c.switchTo(m)
}

// switchTo hands what came already to the engine, and gives the session back.
func (c *conn) switchTo(m *mux) next {
	s := c.s
	c.s = nil
	defer c.p.pools.putSession(s)
	err := m.feed(s.unread())
	m.h2.Flush()
	s.r = s.w
	s.reset()
	if err != nil {
		c.linger = true
		return nextClose
	}
	m.settle()
	return nextSwitch
}

// upgradeH2C agrees to go on in HTTP/2. The request is that of the first stream; a settings payload that cannot be read makes
// it an ordinary request.
func (c *conn) upgradeH2C() next {
	s := c.s
	settings, ok := cleartext.Settings(&s.ex.Request.Fields)
	if !ok {
		return c.process()
	}
	if err := c.write([]byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")); err != nil {
		return nextClose
	}
	m := c.serveMux(s.server)
	st, err := m.h2.StartUpgraded(settings)
	if err != nil {
		m.h2.Flush()
		return nextClose
	}
	rest := c.p.pools.session()
	if unread := s.unread(); len(unread) > len(rest.in) { // behind a large head
		rest.in = make([]byte, len(unread))
	}
	rest.w = copy(rest.in, s.unread())
	s.r = s.w
	k := c.p.pools.stream()
	k.begin(m, st)
	k.s, s.ex.Conn = s, &k.info
	s.fd, s.ex.Request.Version = 0, message.HTTP2
	c.info.Requests = m.requests.Add(1)
	m.first = k
	c.s = rest
	return c.switchTo(m)
}
