package proxy

import (
	"pingap/worker/http1"
	"pingap/worker/http2/server"
)

// The seam between a response and how it is framed: HTTP/1 text in s.out, or a stream of HTTP/2, which gets the fields.

// prepareHead makes the head of the exchange's response ready to be sent.
func (c *conn) prepareHead(out http1.Out) {
	s := c.s
	if c.stream() != nil {
		s.resp.out = out
		return
	}
	s.out = http1.AppendResponse(s.out[:0], &s.ex.Response, out)
}

// sendHead sends the prepared head with the first bytes of the body behind it; last tells that these are all.
func (c *conn) sendHead(body []byte, last bool) error {
	st := c.stream()
	if st == nil {
		return c.writeJoined(body)
	}
	out := &c.s.resp.out
	length := out.Length
	if out.KeepLength {
		length = server.KeepLength
	}
	return st.WriteHead(&c.s.ex.Response, length, body, last)
}

// complete reports whether nothing of the body is to come after the bytes that are being sent.
func (r *respState) complete() bool {
	return r.mode == relayNone || r.mode == relayLength && r.left == 0
}
