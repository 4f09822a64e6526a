package client

import (
	"pingap/worker/http2/frame"
	"pingap/worker/http2/hpack"
)

const (
	// hpackTable is the size of the decoder's table, the default of RFC 9113.
	hpackTable = hpack.DefaultTable
	// maxAcks is how many answers may be queued that the peer did not take yet.
	maxAcks = 256
	// fullPatience is how many frames that lead to nothing a peer may send in a second.
	fullPatience = 10000
)

// patience bounds the frames that cost work and lead to nothing. Each takes one; what is useful, and
// time, fill it up again.
type patience struct {
	budget int
	acks   int // answers queued
}

func (p *patience) fill() { p.budget = fullPatience }

// spendLocked takes n from the budget.
func (c *Conn) spendLocked(n int) error {
	if c.budget -= n; c.budget < 0 {
		return broken(frame.EnhanceYourCalm, "too many frames that lead to nothing")
	}
	return nil
}

// answerLocked counts an answer that is queued.
func (c *Conn) answerLocked() error {
	if c.acks++; c.acks > maxAcks {
		return broken(frame.EnhanceYourCalm, "too many frames to be answered")
	}
	return c.spendLocked(1)
}

// greetLocked queues what a connection begins with (RFC 9113 section 3.4).
func (c *Conn) greetLocked() {
	b := c.outLocked()
	b.b = append(b.b, frame.Preface...)
	b.b = frame.AppendSettings(b.b,
		frame.Setting{ID: frame.EnablePush, Value: 0},
		frame.Setting{ID: frame.InitialWindowSize, Value: uint32(c.o.StreamWindow)},
		frame.Setting{ID: frame.MaxHeaderListSize, Value: uint32(c.o.MaxHead)})
	if more := c.o.ConnWindow - minWindow; more > 0 {
		b.b = frame.AppendWindowUpdate(b.b, 0, uint32(more))
	}
}

// settingsLocked handles SETTINGS (section 6.5).
func (c *Conn) settingsLocked(h frame.Header, p []byte) error {
	if h.Flags.Has(frame.FlagAck) {
		c.acked = true
		return c.spendLocked(1)
	}
	for len(p) > 0 {
		var s frame.Setting
		var err error
		if s, p, err = frame.NextSetting(p); err != nil {
			return err
		}
		if err := c.settingLocked(s); err != nil {
			return err
		}
	}
	if !c.peer.seen {
		c.peer.seen = true
		close(c.settled)
	}
	b := c.outLocked()
	b.b = frame.AppendSettingsAck(b.b)
	c.publishLocked()
	c.pumpLocked()
	return c.answerLocked()
}

func (c *Conn) settingLocked(s frame.Setting) error {
	switch s.ID {
	case frame.HeaderTableSize:
		c.enc.SetMaxTable(s.Value)
	case frame.EnablePush:
		if s.Value != 0 {
			return broken(frame.ProtocolError, "server enables push")
		}
	case frame.MaxConcurrentStreams:
		c.peer.maxStreams = int64(s.Value)
	case frame.InitialWindowSize:
		return c.initialWindowLocked(int64(s.Value))
	case frame.MaxFrameSize:
		c.peer.maxFrame = int(s.Value)
	case frame.EnableConnectProtocol:
		if s.Value == 0 && c.peer.connect {
			return broken(frame.ProtocolError, "extended CONNECT is taken back")
		}
		c.peer.connect = s.Value == 1
	}
	return nil
}

// initialWindowLocked changes the windows of all streams by the difference, even below zero (section 6.9.2).
func (c *Conn) initialWindowLocked(window int64) error {
	more := window - c.peer.window
	c.peer.window = window
	if err := c.spendLocked(c.streams.n / 16); err != nil { // the work is one for each stream
		return err
	}
	over := false
	c.streams.each(func(s *Stream) {
		over = over || s.sendWin+more > maxWindow
		s.widenLocked(more)
	})
	if over {
		return broken(frame.FlowControlError, "a stream's window is over 2^31-1")
	}
	return nil
}

// pingLocked handles PING (section 6.7).
func (c *Conn) pingLocked(h frame.Header, p []byte) error {
	data := frame.ParsePing(p)
	if h.Flags.Has(frame.FlagAck) {
		if c.pingAt != 0 && data == c.token {
			c.pingAt, c.suspect = 0, false
			c.publishLocked()
			return nil
		}
		return c.spendLocked(1)
	}
	b := c.outLocked()
	b.b = frame.AppendPing(b.b, true, data)
	return c.answerLocked()
}
