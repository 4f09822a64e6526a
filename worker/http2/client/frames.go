package client

import (
	"pingap/worker/http2/frame"
	"pingap/worker/http2/hpack"
)

const (
	// maxPieces bounds the frames of one field block, maxBlock its bytes: coded, a list within the limits has fewer.
	maxPieces = 64
	maxBlock  = 256 << 10
)

// frameLocked handles one frame. An error ends the connection.
func (r *reader) frameLocked(h frame.Header, p []byte) error {
	c := r.c
	if r.head.Stream != 0 && (h.Type != frame.Continuation || h.Stream != r.head.Stream) {
		return broken(frame.ProtocolError, "another frame inside a field block")
	}
	if !c.peer.seen && (h.Type != frame.Settings || h.Flags.Has(frame.FlagAck)) {
		return broken(frame.ProtocolError, "first frame is not SETTINGS")
	}
	switch h.Type {
	case frame.Data:
		return c.dataLocked(h, p)
	case frame.Headers:
		return r.headersLocked(h, p)
	case frame.Continuation:
		return r.continuationLocked(h, p)
	case frame.WindowUpdate:
		return c.windowUpdateLocked(h, p)
	case frame.RSTStream:
		return c.rstStreamLocked(h, p)
	case frame.Settings:
		return c.settingsLocked(h, p)
	case frame.Ping:
		return c.pingLocked(h, p)
	case frame.GoAway:
		return c.goAwayLocked(p)
	case frame.PushPromise:
		return broken(frame.ProtocolError, "PUSH_PROMISE, which was disabled")
	}
	return c.spendLocked(1) // PRIORITY means nothing to a client; others are ignored (section 5.5)
}

// idleLocked reports whether a stream has not been opened yet, or never can be.
func (c *Conn) idleLocked(id uint32) bool { return id&1 == 0 || id >= c.next }

// dataLocked handles DATA (section 6.1).
func (c *Conn) dataLocked(h frame.Header, p []byte) error {
	if c.idleLocked(h.Stream) {
		return broken(frame.ProtocolError, "DATA on an idle stream")
	}
	data, err := frame.ParseData(h, p)
	if err != nil {
		return err
	}
	n := int(h.Length)
	if c.recvWin -= int64(n); c.recvWin < 0 {
		return broken(frame.FlowControlError, "more DATA than the connection's window")
	}
	c.giveBackLocked(n) // at once: what one stream leaves unread must not stop the others
	if len(data) == 0 && !h.Flags.Has(frame.FlagEndStream) {
		if err := c.spendLocked(1); err != nil {
			return err
		}
	}
	s := c.streams.Find(h.Stream)
	if s == nil {
		return c.lateLocked(int64(n), 0)
	}
	if s.recvWin -= int64(n); s.recvWin < 0 {
		s.rejectLocked(wrong(frame.FlowControlError, "more DATA than the stream's window"))
		return nil
	}
	if broken := s.dataLocked(data, h.Flags.Has(frame.FlagEndStream)); broken != nil {
		s.rejectLocked(broken)
		return nil
	}
	c.unread += len(data)
	if c.unread > c.o.ConnWindow/2 {
		c.publishLocked()
	}
	s.giveBackLocked(n - len(data)) // padding
	return nil
}

// dataLocked takes bytes of the body.
func (s *Stream) dataLocked(data []byte, end bool) *Error {
	switch {
	case s.eof:
		return wrong(frame.StreamClosed, "DATA behind the end of the response")
	case !s.final:
		return malformed("DATA before the head of the response")
	case s.left >= 0 && int64(len(data)) > s.left, end && s.left > int64(len(data)):
		return malformed("content-length and DATA do not agree")
	}
	if s.left >= 0 {
		s.left -= int64(len(data))
	}
	s.body.Add(data, &s.c.pools.blocks)
	s.rd.wakeLocked()
	if end {
		s.endLocked()
	}
	return nil
}

// endLocked notes that the peer has ended its side.
func (s *Stream) endLocked() {
	s.eof = true
	s.rd.wakeLocked()
	if s.sentEnd {
		s.c.removeLocked(s)
	}
}

// lateLocked accounts for frames on a stream that is not open any more. What was on its way when we reset the stream
// is no fault; more is (section 5.1, closed).
func (c *Conn) lateLocked(bytes int64, heads int) error {
	c.late -= bytes
	c.lates -= heads
	if c.late < 0 || c.lates < 0 {
		return broken(frame.StreamClosed, "frames on a closed stream")
	}
	return nil
}

// headersLocked handles HEADERS (section 6.2).
func (r *reader) headersLocked(h frame.Header, p []byte) error {
	if r.c.idleLocked(h.Stream) {
		return broken(frame.ProtocolError, "HEADERS on an idle stream")
	}
	block, err := frame.ParseHeaders(h, p)
	if e, ok := err.(*frame.Error); ok && e.Stream == 0 {
		return err // what is wrong with a priority does not concern a client
	}
	if h.Flags.Has(frame.FlagEndHeaders) {
		return r.blockLocked(h, block)
	}
	r.head, r.pieces = h, 1
	r.block = append(r.block[:0], block...)
	return nil
}

// continuationLocked handles CONTINUATION (section 6.10).
func (r *reader) continuationLocked(h frame.Header, p []byte) error {
	if r.head.Stream == 0 {
		return broken(frame.ProtocolError, "CONTINUATION outside a field block")
	}
	r.pieces++
	if r.pieces > maxPieces || len(r.block)+len(p) > maxBlock {
		return broken(frame.EnhanceYourCalm, "field block is too large")
	}
	r.block = append(r.block, p...)
	if !h.Flags.Has(frame.FlagEndHeaders) {
		return nil
	}
	head := r.head
	r.head = frame.Header{}
	err := r.blockLocked(head, r.block)
	if cap(r.block) > frameSize {
		r.block = nil
	}
	return err
}

// blockLocked decodes a field block. That of a stream that is gone as well, since the table must stay in step.
func (r *reader) blockLocked(h frame.Header, block []byte) error {
	c := r.c
	s := c.streams.Find(h.Stream)
	if s == nil {
		if _, _, err := r.dec.Decode(block, &r.late, nil, hpack.Limit{}); err != nil {
			return broken(frame.CompressionError, err.Error())
		}
		return c.lateLocked(0, 1)
	}
	into := s.nextHead()
	limit := hpack.Limit{Size: c.o.MaxHead - s.headSize, Fields: c.o.MaxFields}
	mem, over, err := r.dec.Decode(block, &into.fields, into.mem, limit)
	if err != nil {
		return broken(frame.CompressionError, err.Error())
	}
	into.mem = mem
	if wrong := s.blockLocked(into, over, h.Flags.Has(frame.FlagEndStream)); wrong != nil {
		s.rejectLocked(wrong)
	}
	return nil
}

// windowUpdateLocked handles WINDOW_UPDATE (section 6.9).
func (c *Conn) windowUpdateLocked(h frame.Header, p []byte) error {
	if err := c.spendLocked(1); err != nil {
		return err
	}
	if h.Stream != 0 && c.idleLocked(h.Stream) {
		return broken(frame.ProtocolError, "WINDOW_UPDATE on an idle stream")
	}
	n, err := frame.ParseWindowUpdate(h, p)
	if h.Stream == 0 {
		if err != nil {
			return err
		}
		if c.sendWin += int64(n); c.sendWin > maxWindow {
			return broken(frame.FlowControlError, "the connection's window is over 2^31-1")
		}
		c.pumpLocked()
		return nil
	}
	s := c.streams.Find(h.Stream)
	if s == nil {
		return nil
	}
	if err != nil {
		s.rejectLocked(malformed("WINDOW_UPDATE of nothing"))
		return nil
	}
	s.widenLocked(int64(n))
	c.pumpLocked()
	return nil
}

// rstStreamLocked handles RST_STREAM (section 6.4).
func (c *Conn) rstStreamLocked(h frame.Header, p []byte) error {
	if c.idleLocked(h.Stream) {
		return broken(frame.ProtocolError, "RST_STREAM on an idle stream")
	}
	s := c.streams.Find(h.Stream)
	if s == nil {
		return c.spendLocked(1)
	}
	code := frame.ParseRSTStream(p)
	s.unprocessed = code == frame.RefusedStream
	s.failLocked(&Error{Cause: Reset, Code: code, Text: "stream reset by the peer"})
	c.removeLocked(s)
	return nil
}

// goAwayLocked handles GOAWAY (section 6.8): streams after last were not looked at, and none may be opened.
func (c *Conn) goAwayLocked(p []byte) error {
	if err := c.spendLocked(1); err != nil {
		return err
	}
	last, code, _ := frame.ParseGoAway(p)
	c.goneAway = true
	for _, s := range c.streams.All() {
		if s.id > last {
			s.unprocessed = true
			s.failLocked(&Error{Cause: GoneAway, Code: code, Text: "the peer goes away"})
			c.removeLocked(s)
		}
	}
	c.partLocked()
	c.publishLocked()
	return nil
}
