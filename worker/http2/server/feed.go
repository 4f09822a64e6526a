package server

import (
	"pingap/worker/http2/frame"
)

// input is what Feed keeps from one call to the next.
type input struct {
	preface int     // bytes of the client's preface that have come
	greeted bool    // its first SETTINGS have come
	part    *buffer // a frame that is not complete, header included
	data    dataPart
	block   blockPart
}

// idle reports whether nothing is kept.
func (in *input) idle() bool {
	return in.part == nil && in.data.left == 0 && !in.data.open && in.block.stream == 0
}

// Feed takes bytes from the client: all of p, which is not kept. Requests whose heads are complete are handed over before it
// returns. An error is the end of the connection, from the client or the mistakes that it made; GOAWAY
// is queued then: Flush, and close the transport.
//
// Feed never waits for the client. One goroutine at a time may call it.
func (c *Conn) Feed(p []byte) error {
	c.mu.Lock()
	c.now = c.o.Now()
	c.lastRead = c.now
	c.woken = false
	for len(p) > 0 && c.err == nil {
		switch {
		case c.input.preface < len(frame.Preface):
			p = c.takePreface(p)
		case c.input.data.open:
			p = c.takeData(p)
		case c.input.part != nil || len(p) < frame.HeaderLen:
			p = c.gather(p)
		default:
			p = c.takeFrame(p)
		}
	}
	err := c.err
	arrived := c.handOverLocked()
	if !c.woken {
		c.kickLocked()
	}
	c.unlock()
	for s := arrived; s != nil; {
		next, h := s.nextArrived, s.head
		s.nextArrived, s.head = nil, nil
		c.h.Request(s, &h.head) // from here on s belongs to others
		c.e.putHead(h)
		s = next
	}
	return err
}

// takePreface compares the bytes that every client sends first.
func (c *Conn) takePreface(p []byte) []byte {
	in := &c.input
	n := min(len(p), len(frame.Preface)-in.preface)
	if string(p[:n]) != frame.Preface[in.preface:in.preface+n] {
		c.fail(frame.ProtocolError, "client preface expected")
		return nil
	}
	in.preface += n
	return p[n:]
}

// takeFrame takes a frame whose header is at the start of p.
func (c *Conn) takeFrame(p []byte) []byte {
	h := frame.ParseHeader(p)
	if !c.admit(h) {
		return nil
	}
	if h.Type == frame.Data {
		c.beginData(h)
		return p[frame.HeaderLen:]
	}
	n := frame.HeaderLen + int(h.Length)
	if len(p) < n {
		return c.gather(p)
	}
	c.frame(h, p[frame.HeaderLen:n])
	return p[n:]
}

// gather collects a frame that comes in pieces. The data of DATA frames is not collected.
func (c *Conn) gather(p []byte) []byte {
	in := &c.input
	if in.part == nil {
		in.part = c.e.buffer(frame.HeaderLen)
	}
	if have := len(in.part.b); have < frame.HeaderLen {
		n := min(len(p), frame.HeaderLen-have)
		in.part.b = append(in.part.b, p[:n]...)
		p = p[n:]
		if len(in.part.b) < frame.HeaderLen {
			return nil
		}
		if h := frame.ParseHeader(in.part.b); !c.admit(h) || h.Type == frame.Data {
			c.dropPart()
			if c.err == nil {
				c.beginData(h)
			}
			return p
		}
	}
	h := frame.ParseHeader(in.part.b)
	size := frame.HeaderLen + int(h.Length)
	c.growPart(size)
	n := min(len(p), size-len(in.part.b))
	in.part.b = append(in.part.b, p[:n]...)
	if len(in.part.b) == size {
		c.frame(h, in.part.b[frame.HeaderLen:])
		c.dropPart()
	}
	return p[n:]
}

// growPart makes room for a frame of size bytes.
func (c *Conn) growPart(size int) {
	part := c.input.part
	if cap(part.b) >= size {
		return
	}
	grown := c.e.buffer(size)
	grown.b = append(grown.b, part.b...)
	c.e.putBuffer(part)
	c.input.part = grown
}

func (c *Conn) dropPart() {
	if c.input.part != nil {
		c.e.putBuffer(c.input.part)
		c.input.part = nil
	}
}

// admit judges the header of a frame before its payload is there. It reports whether the connection goes on.
func (c *Conn) admit(h frame.Header) bool {
	in := &c.input
	switch err := h.Check(uint32(c.o.MaxFrame)); {
	case err != nil:
		c.failWith(err)
	case !in.greeted && (h.Type != frame.Settings || h.Flags.Has(frame.FlagAck)):
		c.fail(frame.ProtocolError, "SETTINGS expected")
	case in.block.stream != 0 && (h.Type != frame.Continuation || h.Stream != in.block.stream):
		c.fail(frame.ProtocolError, "CONTINUATION expected")
	case in.block.stream == 0 && h.Type == frame.Continuation:
		c.fail(frame.ProtocolError, "CONTINUATION without HEADERS")
	case h.Type == frame.PushPromise:
		c.fail(frame.ProtocolError, "PUSH_PROMISE from a client")
	case in.block.stream != 0 && in.block.size+int(h.Length) > c.blockMax():
		c.fail(frame.EnhanceYourCalm, "field block is too long")
	}
	return c.err == nil
}

// failWith ends connection or stream as an error of package frame says.
func (c *Conn) failWith(err error) {
	e, ok := err.(*frame.Error)
	switch {
	case !ok:
		c.fail(frame.InternalError, "unknown error")
	case e.Stream == 0:
		c.fail(e.Code, e.Text)
	default:
		c.failStream(e.Stream, e.Code)
	}
}

// failStream resets a stream because of the client's mistake, whether there is such a stream or not.
func (c *Conn) failStream(id uint32, code frame.ErrCode) {
	if c.err != nil {
		return
	}
	if !c.resets.take(c.now, c.o.Resets, c.o.ResetsPerSecond) {
		c.fail(frame.EnhanceYourCalm, "too many streams are reset")
		return
	}
	if s := c.table.get(id); s != nil {
		s.resetLocked(code)
		return
	}
	c.queueReset(id, code)
	if c.closed.fate(id) != fateResetHere {
		c.closed.add(id, true)
	}
}

// frame takes a whole frame that is not DATA.
func (c *Conn) frame(h frame.Header, payload []byte) {
	switch h.Type {
	case frame.Headers:
		c.takeHeaders(h, payload)
	case frame.Continuation:
		c.takeContinuation(h, payload)
	case frame.RSTStream:
		c.takeReset(h, payload)
	case frame.Settings:
		c.takeSettings(h, payload)
	case frame.Ping:
		c.takePing(h, payload)
	case frame.WindowUpdate:
		c.takeWindowUpdate(h, payload)
	case frame.Priority:
		if c.spend() {
			if _, err := frame.ParsePriority(h, payload); err != nil {
				c.failWith(err)
			}
		}
	case frame.PriorityUpdate:
		c.takePriorityUpdate(payload)
	default: // GOAWAY asks nothing of a server that pushes nothing; unknown types are ignored (section 5.5)
		c.spend()
	}
}

// spend counts a frame that carries nothing. It reports whether the connection goes on.
func (c *Conn) spend() bool {
	if !c.controls.take(c.now, c.o.Control, c.o.ControlPerSecond) {
		c.fail(frame.EnhanceYourCalm, "too many control frames")
		return false
	}
	return true
}

// spendEmpty counts a frame of a body or a head that has no content.
func (c *Conn) spendEmpty() bool {
	if !c.empties.take(c.now, c.o.Empty, c.o.EmptyPerSecond) {
		c.fail(frame.EnhanceYourCalm, "too many empty frames")
		return false
	}
	return true
}

// noteControl counts bytes queued that answer something the client has sent.
func (c *Conn) noteControl(n int) {
	if c.control += n; c.control > controlBytes {
		c.fail(frame.EnhanceYourCalm, "answers to control frames are not read")
	}
}
