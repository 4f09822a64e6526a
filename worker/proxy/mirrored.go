package proxy

import (
	"pingap/message"
	"pingap/worker/mirror"
)

// beginMirror makes a copy of the request for the upstream that the location mirrors to. With a whole body it is sent, else the upload
// adds the body.
func (c *conn) beginMirror() {
	s := c.s
	if s.reqFrame.Upgrade || s.ex.Request.MethodID == message.CONNECT {
		return
	}
	m := c.p.mirror.Begin(s.location.Mirror, &s.ex.Record, s.requestFields(), mirror.Framing{
		Length: s.reqFrame.Length, Chunked: s.reqFrame.Chunked, TETrailers: s.reqFrame.TETrailers,
		Announced: s.reqFrame.Length > 0 || s.ex.Request.Fields.Has(message.ContentLength),
	})
	switch {
	case m == nil:
	case s.reqWhole:
		m.Body(s.reqBody)
		m.Send()
	default:
		s.mirror = m
	}
}
