package proxy

import (
	"sync"
	"syscall"
	"time"
)

// phase is what a connection's goroutine is waiting for.
type phase uint8

const (
	phaseBusy     phase = iota // nothing: it works
	phaseIdle                  // the next request
	phaseParked                // the next request, without a goroutine
	phaseHead                  // the rest of a request head
	phaseBody                  // bytes of a request body, or of a tunnel
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

// socket is what the engine needs of a connection beside reads and writes.
type socket interface {
	SetReadDeadline(time.Time) error
	SyscallConn() (syscall.RawConn, error)
}

// wait notes what a goroutine is waiting for. The goroutine enters and leaves phases, the sweeper
// looks at them and interrupts. Interrupting happens under mu, so that after enter or leave nothing
// of an earlier phase can be interrupted any more.
type wait struct {
	mu sync.Mutex
	// guarded by mu
	phase    phase
	fired    cause
	since    int64  // when the phase was entered, on the clock of message.Now
	deadline int64  // when the time is up, 0 for never
	checked  int64  // when the peers were last looked at
	target   socket // what to interrupt; nil for the client's connection
}

// enter begins a phase at now that may last for limit, and returns why the phase before it was
// interrupted, if it was: its connection's read deadline is then in the past.
func (w *wait) enter(p phase, now int64, limit time.Duration, target socket) cause {
	w.mu.Lock()
	fired := w.fired
	w.phase, w.fired, w.since, w.checked, w.target = p, causeNone, now, now, target
	w.deadline = 0
	if limit > 0 {
		w.deadline = now + int64(limit)
	}
	w.mu.Unlock()
	return fired
}

// leave ends a phase; see enter.
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
func (w *wait) fireLocked(c cause, client socket) {
	w.fired = c
	target := w.target
	if target == nil {
		target = client
	}
	// The error can only be that the connection is closed, and then nobody waits on it.
	_ = target.SetReadDeadline(past)
}
