package plugins

import (
	"sync"
	"time"
)

// MaxDelay bounds how long a plugin may make a client wait, and with it how long a drain waits for such a request.
const MaxDelay = 10 * time.Second

// Delay is the time that who guesses has to wait. The zero value waits for nothing.
type Delay struct {
	span  time.Duration
	ended chan struct{}
	end   func()
}

// DelayParam declares the parameter that Parameters.Delay reads. when completes the sentence "Time to wait ...".
func DelayParam(when string) Param {
	return Param{Name: "delay", Type: Duration, Help: "Time to wait " + when + ", at most 10s; 0s is none."}
}

// Delay reads the parameter of DelayParam.
func (p *Parameters) Delay() (Delay, error) {
	span := p.Duration("delay")
	if span > MaxDelay {
		return Delay{}, Errorf("delay", "expected at most %s, found %s", MaxDelay, span)
	}
	if span == 0 {
		return Delay{}, nil
	}
	ended := make(chan struct{})
	return Delay{span: span, ended: ended, end: sync.OnceFunc(func() { close(ended) })}, nil
}

// Wait returns when the time is over, or the Delay is closed. It holds nothing but the request itself, and nothing at all in shadow mode.
func (d *Delay) Wait(e *Exchange) {
	if d.span == 0 || e.Shadow {
		return
	}
	timer := time.NewTimer(d.span)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-d.ended:
	}
}

// Close lets all go on that wait.
func (d *Delay) Close() error {
	if d.end != nil {
		d.end()
	}
	return nil
}
