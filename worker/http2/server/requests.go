package server

import (
	"pingap/message"
	"pingap/worker/http2/frame"
	"pingap/worker/http2/head"
	"pingap/worker/http2/hpack"
)

// blockPart is a field block whose CONTINUATION frames are still coming.
type blockPart struct {
	stream uint32 // 0: there is none
	end    bool   // END_STREAM
	wrong  error  // of the HEADERS frame, to be told when the block is there
	size   int
	frames int
	buf    *buffer
}

// blockMax is the longest field block that is collected, in bytes: what is only a little too large is decoded and answered
// with 431, and the connection goes on.
func (c *Conn) blockMax() int { return max(2*c.o.HeadSize, 64<<10) }

// takeHeaders takes a HEADERS frame.
func (c *Conn) takeHeaders(h frame.Header, payload []byte) {
	block, err := frame.ParseHeaders(h, payload)
	if e, ok := err.(*frame.Error); ok && e.Stream == 0 {
		c.failWith(err)
		return
	}
	if h.Flags.Has(frame.FlagEndHeaders) {
		c.takeBlock(h.Stream, h.Flags.Has(frame.FlagEndStream), block, err)
		return
	}
	if len(block) == 0 && !c.spendEmpty() {
		return
	}
	c.input.block = blockPart{stream: h.Stream, end: h.Flags.Has(frame.FlagEndStream), wrong: err, buf: c.e.buffer(len(block))}
	c.addBlock(block)
}

// addBlock collects a part of a field block.
func (c *Conn) addBlock(p []byte) {
	b := &c.input.block
	b.size += len(p)
	if cap(b.buf.b) < b.size {
		grown := c.e.buffer(2 * b.size)
		grown.b = append(grown.b, b.buf.b...)
		c.e.putBuffer(b.buf)
		b.buf = grown
	}
	b.buf.b = append(b.buf.b, p...)
}

// takeContinuation takes a CONTINUATION frame.
func (c *Conn) takeContinuation(h frame.Header, payload []byte) {
	b := &c.input.block
	if b.frames++; b.frames > c.o.Continuations {
		c.fail(frame.EnhanceYourCalm, "too many CONTINUATION frames")
		return
	}
	if len(payload) == 0 && !c.spendEmpty() {
		return
	}
	c.addBlock(payload)
	if !h.Flags.Has(frame.FlagEndHeaders) {
		return
	}
	whole := *b
	*b = blockPart{}
	c.takeBlock(whole.stream, whole.end, whole.buf.b, whole.wrong)
	c.e.putBuffer(whole.buf)
}

// crumbs is how many more fields than a head may have are decoded: browsers send each cookie in one of its own
// (RFC 9113 section 8.2.3).
const crumbs = 256

// takeBlock takes a whole field block. It is decoded whatever becomes of it, because what comes later depends on it.
func (c *Conn) takeBlock(id uint32, end bool, block []byte, wrong error) {
	hb := c.e.headBuffer()
	limit := hpack.Limit{Size: c.o.HeadSize, Fields: c.o.HeadFields + crumbs}
	mem, over, err := c.dec.Decode(block, &hb.list, hb.mem, limit)
	hb.mem = mem
	if err != nil {
		c.e.putHead(hb)
		c.fail(frame.CompressionError, "field block cannot be decoded")
		return
	}
	if s := c.table.get(id); s != nil {
		c.takeTrailers(s, end, over, wrong, hb)
		c.e.putHead(hb)
		return
	}
	if id&1 != 0 && id <= c.maxID {
		c.e.putHead(hb)
		c.lateFrame(id, false, true)
		return
	}
	if !c.takeRequest(id, end, over, wrong, hb) {
		c.e.putHead(hb)
	}
}

// takeTrailers takes the second field block of a stream.
func (c *Conn) takeTrailers(s *Stream, end, over bool, wrong error, hb *headBuffer) {
	switch {
	case wrong != nil:
		c.failWith(wrong)
	case s.remoteEnded:
		c.failStream(s.id, frame.StreamClosed)
	case !end:
		c.failStream(s.id, frame.ProtocolError)
	case over:
		c.failStream(s.id, frame.EnhanceYourCalm)
	case head.Trailers(&hb.list, &s.trailers) != "":
		c.failStream(s.id, frame.ProtocolError)
	default:
		c.endRemote(s)
	}
}

// Judge makes h the head of a decoded list, of which a part is missing if over. It says what is malformed, if anything is.
func (e *Engine) Judge(h *Head, list *message.Fields, over bool) (malformed string) {
	malformed = h.Check(list, &e.limits)
	switch {
	case over && malformed != "": // of what was left out, perhaps: nothing of it is used
		*h, malformed = Head{Length: message.LengthUnknown, Priority: head.DefaultPriority}, ""
		h.TooLarge()
	case over:
		h.TooLarge()
	case malformed == "" && e.o.NoConnect && h.Protocol != nil:
		malformed = ":protocol was not offered"
	}
	return malformed
}

// Over reports whether a list is longer than is decoded of one.
func (e *Engine) Over(list *message.Fields) bool {
	size := 0
	for _, f := range list.List() {
		size += len(f.Name) + len(f.Value) + 32 // RFC 7541 section 4.1
	}
	return size > e.o.HeadSize || list.Len() > e.o.HeadFields+crumbs
}

// takeRequest begins a stream. It reports whether hb is used by it.
func (c *Conn) takeRequest(id uint32, end, over bool, wrong error, hb *headBuffer) bool {
	if id&1 == 0 {
		c.fail(frame.ProtocolError, "stream number of a server")
		return false
	}
	c.maxID = id
	c.controls.forgive(c.o.ControlPerSecond)
	h := &hb.head
	malformed := c.e.Judge(h, &hb.list, over)
	switch {
	case wrong != nil:
		c.failWith(wrong)
	case c.goingAway, c.table.n >= c.o.MaxStreams, c.working >= c.o.MaxStreams+c.o.MaxStreams/4:
		c.refuse(id)
	case malformed != "", end && h.Length > 0:
		c.failStream(id, frame.ProtocolError)
	default:
		s := c.openLocked(id)
		s.head, s.length, s.priority = hb, h.Length, h.Priority
		s.remoteEnded = end
		c.arrive(s)
		return true
	}
	return false
}

// refuse refuses a stream of which nothing has been looked at: the client may repeat it.
func (c *Conn) refuse(id uint32) {
	if c.spend() {
		c.queueReset(id, frame.RefusedStream)
		c.closed.add(id, true)
	}
}

// arrive puts s at the end of the requests that Feed will hand over.
func (c *Conn) arrive(s *Stream) {
	if c.arrived == nil {
		c.arrived = s
	} else {
		c.lastArrived.nextArrived = s
	}
	c.lastArrived = s
}

// handOverLocked returns the requests that have arrived, chained through nextArrived, without those that have been reset
// meanwhile: nobody ever hears of these.
func (c *Conn) handOverLocked() *Stream {
	s := c.arrived
	c.arrived, c.lastArrived = nil, nil
	var first, last *Stream
	for s != nil {
		next := s.nextArrived
		s.nextArrived = nil
		if s.dead != nil {
			c.releaseLocked(s)
		} else {
			h := &s.head.head
			h.Ended = s.remoteEnded
			h.Body = s.got
			if last == nil {
				first = s
			} else {
				last.nextArrived = s
			}
			last = s
		}
		s = next
	}
	return first
}
