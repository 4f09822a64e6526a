package upstream

import "time"

// departedIdle is how long connections to an address that left the set are kept, in case it comes
// back, where idle_timeout sets no limit.
const departedIdle = time.Minute

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
	u.forgetDeparted(now)
}

// forgetDeparted drops backends that are in no set, idle and without connections.
func (u *Upstream) forgetDeparted(now int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	current := u.set.Load()
	if len(u.known) == len(current.entries) {
		return
	}
	for key, b := range u.known {
		if !current.has(b) && b.InFlight() == 0 && b.shared.empty() && u.pool.stale(b, now-int64(departedIdle)) {
			delete(u.known, key)
			discardAll(u.pool.forget(b))
		}
	}
}

// stale reports whether a backend's newest idle connection, if any, is idle since before limit.
func (p *pool) stale(b *Backend, limit int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range b.tops {
		if c.idleSince > limit {
			return false
		}
	}
	return b.top == nil || b.top.idleSince <= limit
}
