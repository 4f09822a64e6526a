package upstream

import "slices"

// Sweep closes idle connections that are past idle_timeout or were closed by their peer, and
// forgets backends that left the set and have none. now is on the clock of message.Now. One
// goroutine calls it, once a second.
func (u *Upstream) Sweep(now int64) {
	if u.IdleTimeout > 0 {
		discardAll(u.pool.expire(now - int64(u.IdleTimeout)))
	}
	u.swept = u.pool.appendAll(u.swept[:0])
	for _, c := range u.swept {
		if u.pool.removeDead(c) {
			c.Discard()
		}
	}
	clear(u.swept)
	if u.Multiplexed() {
		u.sweepShared(now)
	}
	u.forgetDeparted()
}

// forgetDeparted drops backends that have left the list and have no requests any more.
func (u *Upstream) forgetDeparted() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.leaving = slices.DeleteFunc(u.leaving, func(b *Backend) bool { return b.InFlight() == 0 && b.shared.empty() })
}
