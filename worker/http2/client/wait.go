package client

import (
	"os"
	"time"
)

// waiter lets one goroutine wait for something on a stream: for the response, or for room to send. All of
// it but the channel is guarded by the connection's mu.
//
// Who ends the wait takes waiting away and sends one token; the goroutine goes on only with the token. So
// there is never a token left over for a later wait.
type waiter struct {
	c       *Conn
	token   chan struct{}
	waiting bool
	expired bool        // the deadline is over
	at      time.Time   // the deadline; zero for none
	timer   *time.Timer // made when a wait first has a deadline; it may fire early, and is then set again
	armed   time.Time   // when timer fires, zero if it is not set
}

func (w *waiter) init(c *Conn) {
	w.c = c
	w.token = make(chan struct{}, 1)
}

// reset forgets the deadline.
func (w *waiter) reset() {
	w.at, w.expired = time.Time{}, false
	if !w.armed.IsZero() {
		w.timer.Stop()
		w.armed = time.Time{}
	}
}

// waitLocked waits until somebody calls wakeLocked or the deadline is over.
func (w *waiter) waitLocked() {
	w.waiting = true
	if !w.at.IsZero() {
		w.armLocked()
	}
	w.c.mu.Unlock()
	<-w.token
	w.c.mu.Lock()
}

// wakeLocked ends the wait, if there is one.
func (w *waiter) wakeLocked() {
	if !w.waiting {
		return
	}
	w.waiting = false
	if w.c.batch {
		w.c.wakes = append(w.c.wakes, w.token)
		return
	}
	w.token <- struct{}{} // there is room: see the type
}

// setLocked sets the deadline. One that is over already ends the wait.
func (w *waiter) setLocked(t time.Time) {
	w.at = t
	w.expired = !t.IsZero() && time.Until(t) <= 0
	switch {
	case w.expired:
		w.wakeLocked()
	case w.waiting && !t.IsZero():
		w.armLocked()
	}
}

// armLocked makes sure that the timer fires no later than the deadline.
func (w *waiter) armLocked() {
	if !w.armed.IsZero() && !w.armed.After(w.at) {
		return
	}
	left := time.Until(w.at)
	if w.timer == nil {
		w.timer = time.AfterFunc(left, w.fire)
	} else {
		w.timer.Reset(left)
	}
	w.armed = w.at
}

// fire is the timer's.
func (w *waiter) fire() {
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	w.armed = time.Time{}
	if !w.waiting || w.at.IsZero() {
		return
	}
	if time.Until(w.at) > 0 {
		w.armLocked()
		return
	}
	w.expired = true
	w.wakeLocked()
}

// over returns the error of a deadline that is over.
func (w *waiter) over() error {
	if w.expired || !w.at.IsZero() && time.Until(w.at) <= 0 {
		w.expired = true
		return os.ErrDeadlineExceeded
	}
	return nil
}
