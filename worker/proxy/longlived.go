package proxy

import (
	"bytes"

	"pingap/message"
	"pingap/worker/eventstream"
	"pingap/worker/http1"
)

// longBody is the length in bytes beyond which a response is a long download.
const longBody = 16 << 20

var eventStream = []byte("text/event-stream")

// noteLong finds out whether a response may take long by its nature: its length is not known, or large. An event stream is looked at
// byte by byte, so that it can be ended between two events.
func (c *conn) noteLong(frame http1.Framing) {
	s := c.s
	unknown := frame.Chunked || frame.UntilClose
	if !unknown && frame.Length <= longBody {
		return
	}
	c.long.Store(s.location)
	if !unknown || len(s.resp.filters) > 0 || s.ex.Response.Fields.Has(message.ContentEncoding) {
		return // no stream, or one that cannot be read
	}
	kind := s.ex.Response.Fields.Get(message.ContentType)
	if len(kind) >= len(eventStream) && bytes.EqualFold(kind[:len(eventStream)], eventStream) {
		s.resp.events = eventstream.Begin()
	}
}
