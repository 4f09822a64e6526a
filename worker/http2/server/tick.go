package server

import (
	"encoding/binary"
	"errors"

	"pingap/worker/http2/frame"
)

// ErrPing is the end of a connection whose client has gone silent.
var ErrPing = errors.New("http2: no answer to a ping")

// Tick keeps the times: deadlines of streams, those of settings, signs of life, and responses that are not taken. It
// is called every now and then, on any goroutine, with the time on the clock of Options.Now. An error is the end of
// the connection as with Feed. Tick never waits for the client.
func (c *Conn) Tick(now int64) error {
	if !c.mu.TryLock() {
		return nil // somebody works on it: the next time will do
	}
	c.now = now
	if c.err == nil {
		c.tickStreams()
	}
	switch {
	case c.err != nil:
	case c.unacked > 0 && now-c.settingsAt > int64(c.o.SettingsTimeout):
		c.fail(frame.SettingsTimeout, "settings are not acknowledged")
	case c.pingAt != 0 && c.lastRead > c.pingAt: // anything that came is a sign of life
		c.pingAt = 0
	case c.pingAt != 0 && now-c.pingAt > int64(c.o.PingTimeout):
		c.goAwayLocked(c.maxID, frame.NoError, "no answer to a ping")
		c.endLocked(ErrPing)
	case c.pingAt == 0 && c.table.n > 0 && now-c.lastRead > int64(c.o.PingAfter):
		c.pingLocked()
	}
	err := c.err
	c.kickLocked()
	c.unlock()
	return err
}

// pingLocked asks for a sign of life.
func (c *Conn) pingLocked() {
	c.pingAt = c.now
	c.pingToken += 0x9e3779b97f4a7c15 // any other value than the last
	var data [8]byte
	binary.BigEndian.PutUint64(data[:], c.pingToken)
	out := c.spaceLocked(frame.HeaderLen + len(data))
	out.b = frame.AppendPing(out.b, false, data)
}

// slowAtOnce is how many streams are reset in one look at them because the client does not take their responses.
const slowAtOnce = 32

// tickStreams keeps the deadlines of all streams.
func (c *Conn) tickStreams() {
	var slow [slowAtOnce]*Stream
	n := 0
	c.table.each(func(s *Stream) {
		if s.readBy != 0 && c.now >= s.readBy && !s.readLate {
			s.readLate = true
			s.readable.Signal()
		}
		if s.writeBy != 0 && c.now >= s.writeBy && !s.writeLate {
			s.writeLate = true
			s.wakeLateLocked()
		}
		if s.writeBy == 0 && len(s.pending) > 0 && c.now-s.writeSince > int64(c.o.SendTimeout) && n < len(slow) {
			slow[n] = s
			n++
		}
	})
	if n > 0 && c.sendWindow <= 0 { // the client takes nothing of any stream
		c.fail(frame.EnhanceYourCalm, "responses are not taken")
		return
	}
	for _, s := range slow[:n] { // any further one the next time
		s.resetLocked(frame.Cancel)
	}
}
