package upstream

import "sync/atomic"

// signal wakes those who wait until something changes. Where nobody waits it costs a look.
type signal struct{ c atomic.Pointer[chan struct{}] }

// wait returns a channel that the next signal closes.
func (s *signal) wait() <-chan struct{} {
	fresh := make(chan struct{})
	for {
		if c := s.c.Load(); c != nil {
			return *c
		}
		if s.c.CompareAndSwap(nil, &fresh) {
			return fresh
		}
	}
}

func (s *signal) signal() {
	if s.c.Load() == nil {
		return
	}
	if c := s.c.Swap(nil); c != nil {
		close(*c)
	}
}

// Changed returns a channel that is closed when something has changed that may make a backend available. Who waits asks for it before
// Pick. What other workers do and what time does is not told: look again after a while.
func (u *Upstream) Changed() <-chan struct{} { return u.changed.wait() }
