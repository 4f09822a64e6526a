package proxy

import (
	"bytes"
	"encoding/base64"

	"pingap/message"
	"pingap/worker/http2/frame"
)

// HTTP/2 in the clear: a client that begins with the preface (RFC 9113 section 3.3), or that asks for it in a request (RFC 7540
// section 3.2, which RFC 9113 does not have any more).

// prefaced tells how much of the preface a connection begins with.
type prefaced uint8

const (
	prefaceNone prefaced = iota
	prefacePart
	prefaceWhole
)

// preface looks for HTTP/2's preface at the start of what came first on a connection.
func preface(b []byte) prefaced {
	n := min(len(b), len(frame.Preface))
	switch {
	case string(b[:n]) != frame.Preface[:n]:
		return prefaceNone
	case n < len(frame.Preface):
		return prefacePart
	}
	return prefaceWhole
}

// mentionsHTTP1 reports whether what came first on a connection is a line that ends in a version of HTTP/1.
func mentionsHTTP1(b []byte) bool {
	line, _, _ := bytes.Cut(b, []byte{'\n'})
	return bytes.Contains(line, []byte(" HTTP/"))
}

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
	settings, ok := settingsOf(&s.ex.Request.Fields)
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

// settingsOf returns the payload of the one HTTP2-Settings field. It has to be one of the connection: else somebody in between may
// have passed on the wish of another, and would know nothing of the tunnel through it.
func settingsOf(fields *message.Fields) ([]byte, bool) {
	var value []byte
	found, nominated := 0, false
	list := fields.List()
	for i := range list {
		switch list[i].ID {
		case message.HTTP2Settings:
			value = list[i].Value
			found++
		case message.Connection:
			nominated = nominated || names(list[i].Value, "http2-settings")
		}
	}
	if found != 1 || !nominated {
		return nil, false
	}
	payload, err := base64.RawURLEncoding.AppendDecode(nil, bytes.TrimRight(value, "="))
	return payload, err == nil && len(payload)%6 == 0
}

// names reports whether a list of options has one.
func names(list []byte, option string) bool {
	for len(list) > 0 {
		var one []byte
		if one, list, _ = bytes.Cut(list, []byte{','}); message.EqualFold(bytes.Trim(one, " \t"), option) {
			return true
		}
	}
	return false
}
