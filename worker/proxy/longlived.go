package proxy

import (
	"bytes"

	"pingap/message"
	"pingap/worker/bodyparts"
	"pingap/worker/grpc"
	"pingap/worker/http1"
)

// longBody is the length in bytes beyond which a response is a long download.
const longBody = 16 << 20

var eventStream = []byte("text/event-stream")

// noteLong finds out whether a response may take long by its nature: its length is not known, or large. Event streams and calls are looked
// at, so that they can be ended between two events or messages.
func (c *conn) noteLong(frame http1.Framing) {
	s := c.s
	unknown := frame.Chunked || frame.UntilClose
	if !unknown && frame.Length <= longBody {
		return
	}
	c.long.Store(s.location)
	if !unknown || s.resp.changes > 0 || s.ex.Response.Fields.Has(message.ContentEncoding) {
		return // no stream, or one that cannot be read
	}
	kind := s.ex.Response.Fields.Get(message.ContentType)
	switch {
	case s.call.encode || s.call.kind == callGRPC && grpc.IsContentType(kind):
		s.resp.parts.Begin(bodyparts.Messages)
	case len(kind) >= len(eventStream) && bytes.EqualFold(kind[:len(eventStream)], eventStream):
		s.resp.parts.Begin(bodyparts.Events)
	}
}
