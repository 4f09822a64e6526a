package proxy

import (
	"bytes"

	"pingap/message"
	"pingap/worker/eventstream"
	"pingap/worker/grpc"
	"pingap/worker/http1"
)

// longBody is the length in bytes beyond which a response is a long download.
const longBody = 16 << 20

var eventStream = []byte("text/event-stream")

// partKind is what the parts of a body are.
type partKind uint8

const (
	partNone partKind = iota // nothing that is known here
	partEvents
	partMessages // of a call
)

// parts follows a body as it passes, so that it can be ended between two of its parts.
type parts struct {
	kind     partKind
	events   eventstream.Tracker
	messages grpc.Messages
}

func (p *parts) known() bool { return p.kind != partNone }

func (p *parts) feed(data []byte) {
	switch p.kind {
	case partEvents:
		p.events.Feed(data)
	case partMessages:
		p.messages.Feed(data)
	}
}

func (p *parts) between() bool {
	return p.kind == partEvents && p.events.Between() || p.kind == partMessages && p.messages.Between()
}

// noteLong finds out whether a response may take long by its nature: its length is not known, or large. Event streams and calls are looked
// at, so that they can be ended between two events or messages.
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
	switch {
	case s.call.encode || s.call.kind == callGRPC && grpc.IsContentType(kind):
		s.resp.parts.kind = partMessages
	case len(kind) >= len(eventStream) && bytes.EqualFold(kind[:len(eventStream)], eventStream):
		s.resp.parts.kind, s.resp.parts.events = partEvents, eventstream.Begin()
	}
}
