package server

import (
	"encoding/binary"

	"pingap/worker/http2/frame"
	"pingap/worker/http2/head"
)

// takeReset takes RST_STREAM (RFC 9113 section 6.4).
func (c *Conn) takeReset(h frame.Header, payload []byte) {
	if h.Stream&1 == 0 || h.Stream > c.maxID {
		c.fail(frame.ProtocolError, "RST_STREAM on an idle stream")
		return
	}
	s := c.table.get(h.Stream)
	if s == nil {
		c.spend()
		return
	}
	// A response that has begun cost the client as long a wait as us.
	if !s.headSent && !c.resets.take(c.now, c.o.Resets, c.o.ResetsPerSecond) {
		c.fail(frame.EnhanceYourCalm, "too many streams are reset")
		return
	}
	c.closed.add(s.id, false)
	c.killLocked(s, &ResetError{Code: frame.ParseRSTStream(payload), Remote: true})
}

// takeSettings takes SETTINGS (RFC 9113 section 6.5).
func (c *Conn) takeSettings(h frame.Header, payload []byte) {
	c.input.greeted = true
	if !c.spend() {
		return
	}
	if h.Flags.Has(frame.FlagAck) {
		if c.unacked > 0 {
			c.unacked--
		}
		return
	}
	c.applySettings(payload)
	if c.err == nil {
		out := c.spaceLocked(frame.HeaderLen)
		out.b = frame.AppendSettingsAck(out.b)
		c.noteControl(frame.HeaderLen)
		c.fillLocked() // behind the acknowledgement: only there does the client count with the new windows
	}
}

// applySettings applies the client's settings one after the other.
func (c *Conn) applySettings(payload []byte) {
	for len(payload) > 0 && c.err == nil {
		s, rest, err := frame.NextSetting(payload)
		if err != nil {
			c.failWith(err)
			return
		}
		payload = rest
		switch s.ID {
		case frame.HeaderTableSize:
			c.enc.SetMaxTable(s.Value)
		case frame.InitialWindowSize:
			c.setInitialWindow(int64(s.Value))
		}
	}
}

// setInitialWindow changes the windows of all streams by the difference (RFC 9113 section 6.9.2). They can become negative.
func (c *Conn) setInitialWindow(n int64) {
	change := n - c.sendFirst
	c.sendFirst = n
	c.table.each(func(s *Stream) {
		s.sendWindow += change
		if s.sendWindow > maxWindow {
			c.fail(frame.FlowControlError, "settings open a window too far")
			return
		}
		c.offerLocked(s)
	})
}

// offerLocked makes a stream ready, or not, after its window has changed.
func (c *Conn) offerLocked(s *Stream) {
	if len(s.pending) > 0 && s.sendWindow > 0 {
		c.ready.add(s)
		return
	}
	c.ready.remove(s)
}

// takePing answers a PING, or takes the answer to ours (RFC 9113 section 6.7).
func (c *Conn) takePing(h frame.Header, payload []byte) {
	if !c.spend() {
		return
	}
	if h.Flags.Has(frame.FlagAck) {
		if c.pingAt != 0 && binary.BigEndian.Uint64(payload) == c.pingToken {
			c.pingAt = 0
		}
		return
	}
	out := c.spaceLocked(frame.HeaderLen + 8)
	out.b = frame.AppendPing(out.b, true, frame.ParsePing(payload))
	c.noteControl(frame.HeaderLen + 8)
}

// takeWindowUpdate opens a window (RFC 9113 section 6.9).
func (c *Conn) takeWindowUpdate(h frame.Header, payload []byte) {
	if !c.spend() {
		return
	}
	if h.Stream != 0 && (h.Stream&1 == 0 || h.Stream > c.maxID) {
		c.fail(frame.ProtocolError, "WINDOW_UPDATE on an idle stream")
		return
	}
	n, err := frame.ParseWindowUpdate(h, payload)
	if err != nil {
		c.failWith(err)
		return
	}
	if h.Stream == 0 {
		if c.sendWindow += int64(n); c.sendWindow > maxWindow {
			c.fail(frame.FlowControlError, "the connection's window is opened too far")
			return
		}
		c.fillLocked()
		return
	}
	s := c.table.get(h.Stream)
	if s == nil {
		return // closed while the frame was on its way
	}
	if s.sendWindow += int64(n); s.sendWindow > maxWindow {
		c.failStream(s.id, frame.FlowControlError)
		return
	}
	c.offerLocked(s)
	c.fillLocked()
}

// takePriorityUpdate changes the priority of an open stream (RFC 9218 section 7.1). That of a stream which is not there yet
// is not kept: its head will say one.
func (c *Conn) takePriorityUpdate(payload []byte) {
	if !c.spend() {
		return
	}
	id, value, err := frame.ParsePriorityUpdate(payload)
	if err != nil {
		c.failWith(err)
		return
	}
	s := c.table.get(id)
	if s == nil {
		return
	}
	c.ready.remove(s)
	s.priority = head.ParsePriority(value)
	c.offerLocked(s)
}
