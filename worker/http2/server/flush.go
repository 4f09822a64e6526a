package server

import (
	"runtime"

	"pingap/worker/http2/frame"
)

// spaceLocked returns the queue with room for n more bytes.
func (c *Conn) spaceLocked(n int) *buffer {
	out := c.out
	if out == nil {
		c.out = c.e.buffer(n)
		return c.out
	}
	if cap(out.b)-len(out.b) >= n {
		return out
	}
	grown := c.e.buffer(len(out.b) + max(n, len(out.b)))
	grown.b = append(grown.b, out.b...)
	c.e.putBuffer(out)
	c.out = grown
	return grown
}

// fillLocked queues data of the streams that have some, as far as windows and the bound of the queue allow.
func (c *Conn) fillLocked() {
	for c.sendWindow > 0 && (c.out == nil || len(c.out.b) < c.o.Output) {
		s := c.ready.best()
		if s == nil {
			return
		}
		c.fillFromLocked(s)
	}
}

// fillFromLocked queues one DATA frame of s, which is the best of the ready ones.
func (c *Conn) fillFromLocked(s *Stream) {
	n := int(min(int64(len(s.pending)), sendFrame, s.sendWindow, c.sendWindow))
	// All that will be queued of this stream in a row is asked for at once.
	all := min(len(s.pending)+len(s.pending)/sendFrame*frame.HeaderLen, c.o.Output)
	out := c.spaceLocked(max(n+frame.HeaderLen, min(all, int(min(s.sendWindow, c.sendWindow)))+frame.HeaderLen))
	h := frame.Header{Length: uint32(n), Type: frame.Data, Stream: s.id}
	last := n == len(s.pending)
	if last && s.pendingEnd {
		h.Flags = frame.FlagEndStream
	}
	out.b = append(frame.AppendHeader(out.b, h), s.pending[:n]...)
	s.pending = s.pending[n:]
	s.sendWindow -= int64(n)
	c.sendWindow -= int64(n)
	if n >= worthwhile {
		c.controls.forgive(c.o.ControlPerSecond)
	}
	switch {
	case last:
		c.ready.remove(s)
		s.pending = nil
		if s.pendingEnd {
			s.localEnded = true
			s.endedLocked()
		}
		c.woken = true
		s.writable.Signal()
	case s.sendWindow <= 0:
		c.ready.remove(s)
	case s.priority.Incremental:
		c.ready.remove(s)
		c.ready.add(s)
	}
}

// worthwhile is the size in bytes from which on a DATA frame excuses a control frame.
const worthwhile = 64

// flushRounds is how many writes a goroutine does that has come to write something else: what follows is
// left to one that does nothing else, so that no response waits for those of others.
const flushRounds = 2

// flushLocked writes what is queued, unless another goroutine does. It gives mu up meanwhile.
func (c *Conn) flushLocked() {
	if c.flushing || c.out == nil || c.broken {
		return
	}
	c.flushing = true
	for range flushRounds {
		if c.out == nil || c.broken {
			break
		}
		c.writeOutLocked()
	}
	if c.out != nil && !c.broken {
		go c.flushRest() // ends when nothing is queued or the transport fails; Wait waits for it
		return
	}
	c.endFlushLocked()
}

// flushRest writes until nothing is queued.
func (c *Conn) flushRest() {
	c.mu.Lock()
	for c.out != nil && !c.broken {
		c.writeOutLocked()
	}
	c.endFlushLocked()
	c.unlock()
}

func (c *Conn) endFlushLocked() {
	c.flushing = false
	if c.quietWaits > 0 {
		c.quiet.Broadcast()
	}
}

// writeOutLocked writes what is queued. Where other streams are in work they get a moment to add theirs: one write and one
// TLS record then take the frames of several.
func (c *Conn) writeOutLocked() {
	if c.working > 1 {
		c.mu.Unlock()
		runtime.Gosched()
		c.mu.Lock()
	}
	out := c.out
	if out == nil {
		return
	}
	c.out, c.control = nil, 0
	c.fillLocked()
	if c.roomWaiters > 0 {
		c.room.Broadcast()
	}
	c.mu.Unlock()
	err := c.w.Write(out.b)
	c.e.putBuffer(out)
	c.mu.Lock()
	if err != nil {
		c.breakLocked(err)
	}
}

// kick has what is queued written by another goroutine: who reads from the client must never wait for it to take
// something, for it may itself be waiting to be read.
func (c *Conn) kick() {
	c.mu.Lock()
	c.kickLocked()
	c.mu.Unlock()
}

func (c *Conn) kickLocked() {
	if c.flushing || c.out == nil || c.broken {
		return
	}
	c.flushing = true
	go c.flushRest() // as in flushLocked
}

// Flush writes what is queued, and waits for it. It is for the end of a connection: who reads from the client should not
// call it before.
func (c *Conn) Flush() {
	c.mu.Lock()
	c.quietWaits++
	for {
		for c.flushing {
			c.quiet.Wait()
		}
		if c.out == nil || c.broken {
			break
		}
		c.flushLocked()
	}
	c.quietWaits--
	c.unlock()
}
