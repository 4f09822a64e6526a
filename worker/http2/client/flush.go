package client

import (
	"runtime"
	"syscall"
	"time"

	"pingap/message"
)

const (
	// outSpawn is from how many bytes on a write that may block gets a goroutine of its own.
	outSpawn = 16 << 10
	// flushRounds is how often a request's goroutine writes for others before it passes that on.
	flushRounds = 8
	// rescueTime is how long the reader may look for an answer after a write has failed.
	rescueTime = time.Second
)

// writer is the state of one write, which belongs to who flushes.
type writer struct {
	fn    func(fd uintptr) bool // attempt, bound once
	b     []byte                // what is left to write
	n     int
	block bool // wait for the socket
	errno syscall.Errno
}

func (w *writer) init(c *Conn) {
	if c.raw != nil {
		w.fn = w.attempt
	}
}

// attempt is the callback of RawConn.Write.
func (w *writer) attempt(fd uintptr) bool {
	for len(w.b) > 0 {
		n, errno := rawWrite(fd, w.b)
		switch {
		case errno == syscall.EAGAIN:
			return !w.block
		case errno != 0:
			w.errno = errno
			return true
		}
		w.b = w.b[n:]
		w.n += n
	}
	return true
}

// write writes b; without block only what the socket takes at once, if t is a socket.
func (c *Conn) write(b []byte, block bool) (int, error) {
	if c.raw == nil {
		return c.t.Write(b)
	}
	w := &c.send
	w.b, w.n, w.block, w.errno = b, 0, block, 0
	err := c.raw.Write(w.fn)
	w.b = nil
	if err == nil && w.errno != 0 {
		err = w.errno
	}
	return w.n, err
}

// outLocked returns the buffer of what waits to be written.
func (c *Conn) outLocked() *outBuffer {
	if c.out == nil {
		c.out = c.pools.getOut()
	}
	return c.out
}

// position is how many bytes were ever queued.
func (c *Conn) positionLocked() int64 {
	if c.out == nil {
		return c.handed
	}
	return c.handed + int64(len(c.out.b))
}

// flushLocked has what is queued written, and releases mu. Whoever comes while somebody writes leaves his
// frames to him; so those of several streams share a system call. It does not wait for a peer that does not read.
func (c *Conn) flushLocked() {
	if c.flushing || c.out == nil && (!c.closing || c.hungUp) {
		c.mu.Unlock()
		return
	}
	c.flushing = true
	if c.raw == nil && c.out != nil && len(c.out.b) >= outSpawn {
		c.spawnLocked()
		c.mu.Unlock()
		return
	}
	if c.streams.n > 1 {
		c.mu.Unlock()
		runtime.Gosched() // streams that are about to send join in
		c.mu.Lock()
	}
	c.writeLocked(flushRounds, false)
}

// kickLocked is flushLocked for who may not write to a transport that can block.
func (c *Conn) kickLocked() {
	if c.flushing || c.out == nil && (!c.closing || c.hungUp) {
		c.mu.Unlock()
		return
	}
	c.flushing = true
	if c.raw == nil {
		c.spawnLocked()
		c.mu.Unlock()
		return
	}
	c.writeLocked(flushRounds, false)
}

// spawnLocked passes the writing on to a goroutine, which ends when all is written or the transport fails; one that
// takes nothing is closed by Tick.
func (c *Conn) spawnLocked() {
	c.wg.Add(1)
	go func() {
		defer c.wg.Done()
		c.mu.Lock()
		c.writeLocked(1<<30, true)
	}()
}

// writeLocked writes until nothing is queued, or rounds times, and releases mu.
func (c *Conn) writeLocked(rounds int, block bool) {
	for c.out != nil {
		if rounds == 0 {
			c.spawnLocked()
			c.mu.Unlock()
			return
		}
		rounds--
		if !c.writeOneLocked(block) {
			c.mu.Unlock()
			return
		}
	}
	c.flushing = false
	c.writeSince = 0
	hangUp := c.closing && !c.hungUp
	c.hungUp = c.hungUp || hangUp
	if hangUp { // all is said
		c.wg.Add(1)
		go c.hangUp()
	}
	c.mu.Unlock()
}

// hangUp closes the transport. It is a goroutine of its own, because the close of a socket waits for the reader's callback,
// which may be where that was decided.
func (c *Conn) hangUp() {
	defer c.wg.Done()
	_ = c.t.Close() // the reader learns of it
}

// writeOneLocked writes one buffer. It reports false when another goroutine goes on.
func (c *Conn) writeOneLocked(block bool) bool {
	b := c.out
	c.out, c.acks = nil, 0
	c.handed += int64(len(b.b))
	c.writeSince = message.Now()
	if len(b.b) > 0 && c.writeErr == nil {
		n := c.putLocked(b.b, block)
		if n < len(b.b) && c.writeErr == nil { // the socket took no more
			c.wg.Add(1)
			go c.writeRest(b, b.b[n:]) // as spawnLocked
			return false
		}
	}
	c.pools.putOut(b)
	c.pumpLocked()
	return true
}

// writeRest writes what the socket did not take, and goes on.
func (c *Conn) writeRest(b *outBuffer, p []byte) {
	defer c.wg.Done()
	c.mu.Lock()
	c.putLocked(p, true)
	c.pools.putOut(b)
	c.pumpLocked()
	c.writeLocked(1<<30, true)
}

// putLocked writes p, without mu, and returns how much the transport took.
func (c *Conn) putLocked(p []byte, block bool) int {
	c.mu.Unlock()
	n, err := c.write(p, block)
	c.mu.Lock()
	c.taken += int64(n)
	if err != nil {
		c.writeFailedLocked(err)
	}
	return n
}

// writeFailedLocked is called when the transport takes nothing any more. The peer may have answered before: the
// reader gets a moment to find that.
func (c *Conn) writeFailedLocked(err error) {
	c.goneAway, c.writeErr = true, err
	c.publishLocked()
	_ = c.t.SetReadDeadline(time.Now().Add(rescueTime)) // else it is closed already
}
