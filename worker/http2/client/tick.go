package client

import (
	"time"

	"golang.org/x/sys/unix"

	"pingap/worker/http2/frame"
)

// idleTrim is after how long without streams a connection gives back what it keeps for the next.
const idleTrim = int64(2 * time.Second)

// lookEvery is how often a connection is looked at whose peer may have closed unnoticed; a system call each.
const lookEvery = int64(500 * time.Millisecond)

// beat is what Tick knows, all on the clock of message.Now.
type beat struct {
	began      int64   // when Tick first saw the connection
	lastHeard  int64   // when bytes had come
	idleSince  int64   // since when there are no streams, 0 if there are some
	trimmed    bool    // since then
	pingAt     int64   // when a PING was sent that is not answered, 0 for none
	pings      uint64  // how many were
	token      [8]byte // the last one's
	suspect    bool    // the PING remains without an answer
	writeSince int64   // since when somebody writes, 0 for nobody
	writeErr   error   // why nothing is written any more
	acked      bool    // our SETTINGS
	refill     int64   // when patience was filled
	looked     int64   // when the socket was looked at
}

// Tick looks after the connection: it has to be called every second or more often, with message.Now. It asks a silent peer whether it is
// there, and closes the connection when that, or the peer's SETTINGS, or the writing, takes too long.
func (c *Conn) Tick(now int64) {
	if !c.mu.TryLock() {
		return // it is at work, and will be looked at the next time
	}
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	if c.began == 0 {
		c.began, c.lastHeard, c.refill = now, now, now
	}
	if c.heard.Swap(false) {
		c.lastHeard, c.suspect = now, false
		c.publishLocked()
	}
	if now-c.refill >= int64(time.Second) {
		c.patience.fill()
		c.refill = now
	}
	if reason := c.overdueLocked(now); reason != nil {
		c.failLocked(reason)
		c.closing, c.hungUp = true, true
		c.mu.Unlock()
		_ = c.t.Close() // nothing can be said to it any more
		return
	}
	c.restLocked(now)
	c.askLocked(now)
	lost := c.lostLocked(now)
	c.kickLocked()
	if lost {
		_ = c.t.SetReadDeadline(time.Unix(1, 0)) // the reader looks again, and finds the end
	}
}

// overdueLocked returns what takes too long, nil for nothing.
func (c *Conn) overdueLocked(now int64) *Error {
	silent := func(code frame.ErrCode, text string) *Error {
		return &Error{Cause: Silent, Code: code, Text: text}
	}
	over := func(since int64, limit time.Duration) bool { return since != 0 && now-since > int64(limit) }
	switch {
	case over(c.writeSince, c.o.WriteTimeout):
		return silent(frame.NoError, "the peer does not read")
	case !(c.peer.seen && c.acked) && over(c.began, c.o.SettingsTimeout):
		return silent(frame.SettingsTimeout, "the peer's SETTINGS do not come")
	case c.lastHeard <= c.pingAt && over(c.pingAt, c.o.PingTimeout):
		return silent(frame.NoError, "the peer does not answer PING")
	}
	return nil
}

// askLocked sends a PING to a peer that is silent.
func (c *Conn) askLocked(now int64) {
	if c.pingAt != 0 {
		if c.lastHeard > c.pingAt {
			c.pingAt, c.suspect = 0, false // bytes came: it lives, whatever became of the answer
		} else {
			c.suspect = true
		}
		c.publishLocked()
		return
	}
	limit := c.o.PingWaiting
	if c.streams.n == 0 {
		limit = c.o.PingIdle
	}
	if limit <= 0 || now-c.lastHeard < int64(limit) {
		return
	}
	c.pings++
	for i := range c.token {
		c.token[i] = byte(c.pings >> (8 * i))
	}
	c.pingAt = now
	b := c.outLocked()
	b.b = frame.AppendPing(b.b, false, c.token)
}

// restLocked gives back what an idle connection does not need.
func (c *Conn) restLocked(now int64) {
	if c.streams.n > 0 || c.reserved > 0 {
		c.idleSince, c.trimmed = 0, false
		return
	}
	if c.idleSince == 0 {
		c.idleSince = now
	}
	if c.trimmed || now-c.idleSince < idleTrim {
		return
	}
	c.trimmed = true
	c.free, c.frees = nil, 0
	c.streams = table{}
	c.scratch, c.text = nil, nil
	c.late, c.lates = max(c.late, 0), max(c.lates, 0)
	if c.raw == nil {
		_ = c.t.SetReadDeadline(time.Unix(1, 0)) // the reader gives its buffer back: see readPlain
	}
}

// lostLocked reports whether the peer has closed without an edge that the reader could see: a FIN that came with the
// data before it.
func (c *Conn) lostLocked(now int64) bool {
	if c.raw == nil {
		return false
	}
	if now-c.looked < lookEvery {
		return false
	}
	c.looked = now
	gone := false
	err := c.raw.Control(func(fd uintptr) {
		fds := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		n, err := unix.Poll(fds[:], 0)
		gone = err == nil && n > 0 && fds[0].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
	})
	return gone || err != nil
}
