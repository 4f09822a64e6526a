package server

import (
	"pingap/worker/http2/frame"
)

// dataPart is the DATA frame that is coming. Its data is not collected: it goes to its stream as it comes.
type dataPart struct {
	open   bool
	end    bool // END_STREAM
	padded bool // the length of the padding has not come
	stream uint32
	left   int // bytes of data and padding still to come
	pad    int // bytes of padding among them
	empty  bool
}

// beginData takes the header of a DATA frame (RFC 9113 section 6.1). The whole payload counts for flow control.
func (c *Conn) beginData(h frame.Header) {
	size := int64(h.Length)
	c.input.data = dataPart{open: true, end: h.Flags.Has(frame.FlagEndStream), padded: h.Flags.Has(frame.FlagPadded),
		stream: h.Stream, left: int(h.Length), empty: size == 0}
	if size > c.recvWindow {
		c.fail(frame.FlowControlError, "more data than the connection's window")
		return
	}
	c.recvWindow -= size
	if c.input.data.padded && size == 0 {
		c.fail(frame.FrameSizeError, "DATA without the length of its padding")
		return
	}
	s := c.table.get(h.Stream)
	switch {
	case s == nil:
		c.lateFrame(h.Stream, true, size < worthwhile)
	case s.remoteEnded:
		c.failStream(h.Stream, frame.StreamClosed)
	case size > s.recvWindow:
		c.failStream(h.Stream, frame.FlowControlError)
	default:
		s.recvWindow -= size
	}
	if c.err == nil && size == 0 {
		c.endData()
	}
}

// lateFrame judges a DATA or HEADERS frame on a stream that is not open, and has been used or is not to be used any
// more (RFC 9113 section 5.1). Data that comes after a reset of ours is only late; small tells that it is so little
// that it counts as nothing.
func (c *Conn) lateFrame(id uint32, data, small bool) {
	if id&1 == 0 || id > c.maxID {
		c.fail(frame.ProtocolError, "frame on an idle stream")
		return
	}
	switch c.closed.fate(id) {
	case fateResetHere:
		if small {
			c.spend()
		}
	case fateEnded:
		c.fail(frame.StreamClosed, "frame on a closed stream")
	case fateSkipped:
		if data {
			c.fail(frame.StreamClosed, "DATA on a closed stream")
			return
		}
		c.fail(frame.ProtocolError, "stream number goes back")
	case fateForgotten:
		c.failStream(id, frame.StreamClosed)
	}
}

// takeData takes bytes of the DATA frame that is coming.
func (c *Conn) takeData(p []byte) []byte {
	d := &c.input.data
	if d.padded {
		d.padded = false
		d.left--
		if d.pad = int(p[0]); d.pad > d.left {
			c.fail(frame.ProtocolError, "padding is longer than the frame")
			return nil
		}
		p = p[1:]
		c.creditPadding(d.stream, int64(1+d.pad))
		d.empty = d.left == d.pad
	}
	if n := min(len(p), d.left-d.pad); n > 0 {
		c.deliver(d.stream, p[:n])
		d.left -= n
		p = p[n:]
	}
	if skip := min(len(p), d.pad, d.left); d.left == d.pad && skip > 0 {
		d.left -= skip
		d.pad -= skip
		p = p[skip:]
	}
	if d.left == 0 && c.err == nil {
		c.endData()
	}
	return p
}

// creditPadding gives the padding back: nobody will read it.
func (c *Conn) creditPadding(id uint32, n int64) {
	c.creditLocked(n)
	if s := c.table.get(id); s != nil {
		c.creditStreamLocked(s, n)
	}
}

// deliver gives data to its stream, or back to the connection's window where there is none any more.
func (c *Conn) deliver(id uint32, p []byte) {
	s := c.table.get(id)
	if s == nil || s.remoteEnded {
		c.creditLocked(int64(len(p)))
		return
	}
	if len(p) >= worthwhile {
		c.controls.forgive(c.o.ControlPerSecond)
	}
	s.got += int64(len(p))
	if s.length >= 0 && s.got > s.length {
		c.creditLocked(int64(len(p)))
		c.failStream(id, frame.ProtocolError)
		return
	}
	s.keepLocked(p)
	s.readable.Signal()
}

// keepLocked buffers what came.
func (s *Stream) keepLocked(p []byte) {
	s.buffered += len(p)
	for len(p) > 0 {
		b := s.last
		if b == nil || len(b.b) == cap(b.b) {
			b = s.c.e.buffer(s.nextBuffer(len(p)))
			if s.last == nil {
				s.first = b
			} else {
				s.last.next = b
			}
			s.last = b
		}
		n := min(len(p), cap(b.b)-len(b.b))
		b.b = append(b.b, p[:n]...)
		p = p[n:]
	}
}

// nextBuffer is how large a buffer for n bytes that begin to come is to be: for all of a body that is known to be short, for
// one frame of any other.
func (s *Stream) nextBuffer(n int) int {
	if s.length >= 0 {
		n = int(max(int64(n), s.length-s.got+int64(n)))
	}
	return min(n, sendFrame)
}

// endData ends the DATA frame that was coming.
func (c *Conn) endData() {
	d := c.input.data
	c.input.data = dataPart{}
	if d.empty && !d.end && !c.spendEmpty() {
		return
	}
	s := c.table.get(d.stream)
	if s == nil || s.remoteEnded {
		return
	}
	if d.end {
		c.endRemote(s)
	}
}

// endRemote notes that a request has all come.
func (c *Conn) endRemote(s *Stream) {
	if s.length >= 0 && s.got != s.length {
		c.failStream(s.id, frame.ProtocolError)
		return
	}
	s.remoteEnded = true
	s.readable.Signal()
	s.endedLocked()
}

// creditLocked notes that n bytes of data are dealt with, and opens the connection's window when it is worth a frame.
func (c *Conn) creditLocked(n int64) {
	c.recvUnsaid += n
	if c.recvUnsaid < int64(c.o.ConnWindow)/4 || c.err != nil {
		return
	}
	c.recvWindow += c.recvUnsaid
	out := c.spaceLocked(frame.HeaderLen + 4)
	out.b = frame.AppendWindowUpdate(out.b, 0, uint32(c.recvUnsaid))
	c.recvUnsaid = 0
}

// creditStreamLocked is the same for a stream's window.
func (c *Conn) creditStreamLocked(s *Stream, n int64) {
	s.recvUnsaid += n
	if s.recvUnsaid < int64(c.o.StreamWindow)/4 || c.err != nil || s.remoteEnded || s.dead != nil {
		return
	}
	s.recvWindow += s.recvUnsaid
	out := c.spaceLocked(frame.HeaderLen + 4)
	out.b = frame.AppendWindowUpdate(out.b, s.id, uint32(s.recvUnsaid))
	s.recvUnsaid = 0
}
