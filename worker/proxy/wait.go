package proxy

import (
	"context"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// phase is what a connection's goroutine is waiting for.
type phase uint8

const (
	phaseBusy     phase = iota // nothing: it works
	phaseIdle                  // the next request
	phaseParked                // the next request, without a goroutine
	phaseHead                  // the rest of a request head
	phaseUpstream              // bytes from the upstream
)

// cause is why the sweeper interrupted a wait.
type cause uint8

const (
	causeNone      cause = iota
	causePark            // idle long enough to wait without a goroutine
	causeTimeout         // the time is up
	causeClientOut       // the client has left while the upstream was waited for
	causeLook            // the upstream may have closed without an edge: look again
)

// past is a deadline that is over: setting it wakes a blocked read.
var past = time.Unix(1, 0)

// peer is what a goroutine waits for and the sweeper can interrupt.
type peer interface {
	// interrupt ends the wait.
	interrupt()
	// gone reports whether the other side has closed, even if bytes before that are unread.
	gone() bool
}

// wait notes what a goroutine is waiting for. The goroutine enters and leaves phases, the sweeper
// looks at them and interrupts. Interrupting happens under mu, so that after enter or leave nothing
// of an earlier phase can be interrupted any more.
type wait struct {
	mu sync.Mutex
	// guarded by mu
	phase    phase
	fired    cause
	checked  uint32 // when the peers were last looked at, in ms on that clock
	since    int64  // when the phase was entered, on the clock of message.Now
	deadline int64  // when the time is up, 0 for never
	target   peer   // what to interrupt
}

// enter begins a phase at now that may last for limit, and returns why the phase before it was
// interrupted, if it was: its connection's read deadline is then in the past.
func (w *wait) enter(p phase, now int64, limit time.Duration, target peer) cause {
	w.mu.Lock()
	fired := w.fired
	w.phase, w.fired, w.since, w.checked, w.target = p, causeNone, now, millis(now), target
	w.deadline = 0
	if limit > 0 {
		w.deadline = now + int64(limit)
	}
	w.mu.Unlock()
	return fired
}

// millis is a time on the clock of message.Now in ms; differences of two are right for 49 days.
func millis(now int64) uint32 { return uint32(now / int64(time.Millisecond)) }

// leave ends a phase; see enter. Its target may be somebody else's from then on.
func (w *wait) leave() cause {
	w.mu.Lock()
	fired := w.fired
	w.phase, w.fired, w.target = phaseBusy, causeNone, nil
	w.mu.Unlock()
	return fired
}

// again goes on with the phase after an interruption that was no end.
func (w *wait) again() {
	w.mu.Lock()
	w.fired = causeNone
	w.mu.Unlock()
}

// peek returns the cause of an interruption without ending the phase.
func (w *wait) peek() cause {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fired
}

// fireLocked interrupts the wait.
func (w *wait) fireLocked(c cause) {
	w.fired = c
	if w.target != nil {
		w.target.interrupt()
	}
}

// interrupt implements peer for the client's connection. An error can only be that it is closed, and
// then nobody waits on it.
func (c *conn) interrupt() { _ = c.net.SetReadDeadline(past) }

func (c *conn) gone() bool {
	if st := c.stream(); st != nil {
		return st.Gone()
	}
	if c.raw == nil {
		return false // there is no client
	}
	return closed(c.raw)
}

// interrupt implements peer for an upstream's connection.
func (up *upstreamIO) interrupt() { _ = up.net().SetReadDeadline(past) }

func (up *upstreamIO) gone() bool { return up.stream == nil && closed(up.conn.Raw) } // a stream's end wakes its reader

// dialing is the peer of a connection that is being made.
type dialing struct{ cancel context.CancelFunc }

func (d dialing) interrupt() { d.cancel() }

func (d dialing) gone() bool { return false }

// closed reports whether a socket's peer has closed.
func closed(raw syscall.RawConn) bool {
	gone := false
	err := raw.Control(func(fd uintptr) {
		fds := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		n, err := unix.Poll(fds[:], 0)
		gone = err == nil && n > 0 && fds[0].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
	})
	return gone || err != nil
}
