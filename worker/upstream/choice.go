package upstream

import (
	"slices"
	"sync/atomic"

	"pingap/arena/backend"
	"pingap/message"
	"pingap/worker/upstream/outcome"
	"pingap/worker/upstream/spread"
)

// choice is one choice of a backend, on the stack of Pick. What the list of backends says is in the tiers already; the rest is asked of
// each backend when it comes up, and where nothing of that is configured, of none.
type choice struct {
	u       *Upstream
	set     *set
	rec     *message.Record
	tried   []*Backend
	open    bool // nobody is healthy: those that are ejected may come up
	peek    bool // it is only a look: nothing is counted or taken
	now     int64
	refused [4]*Backend // that had no place in the last moment
	lost    int         // of them
}

// hostNow is the time on the clock that records have; it is looked at once.
func (c *choice) hostNow() int64 {
	if c.now == 0 {
		c.now = c.u.hostNow()
	}
	return c.now
}

// pick chooses from one tier.
func (c *choice) pick(t *tier) *Backend {
	if len(t.entries) == 0 {
		return nil
	}
	switch c.u.algo.Kind {
	case spread.Hash:
		return t.hashed(c, c.u.algo.Key(c.rec))
	case spread.LeastConn:
		return t.leastConn(c)
	case spread.Random2:
		return t.random2(c)
	}
	return t.next(c, c.counter(c.u.turns()))
}

// turns is where the turns of round robin are counted: over all workers where there is a record for it.
func (u *Upstream) turns() *atomic.Uint64 {
	if own := u.own.Load(); own != nil && own.Valid() {
		return own.Word(backend.Turn)
	}
	return &u.turn
}

// counter is where turns are taken from: a look takes them from a copy.
func (c *choice) counter(turn *atomic.Uint64) *atomic.Uint64 {
	if !c.peek {
		return turn
	}
	own := new(atomic.Uint64)
	own.Store(turn.Load())
	return own
}

// may reports whether a backend may be chosen as far as can be seen.
func (c *choice) may(b *Backend) bool {
	if len(c.tried) > 0 && contains(c.tried, b) {
		return false
	}
	return !c.u.guarded || c.free(b)
}

// free reports whether neither ejection nor breaker nor the limit of requests keep the backend out.
func (c *choice) free(b *Backend) bool {
	if c.lost > 0 && slices.Contains(c.refused[:c.lost], b) {
		return false
	}
	l := b.current()
	if r := c.u.rules; r.Guard() && !r.Idle(l.rec) {
		if !c.open && r.Ejected(l.rec, c.hostNow()) || !r.Closed(l.rec) && !r.Admits(l.rec, c.hostNow()) {
			return false
		}
	}
	return c.u.places == 0 || b.inFlightOverAll() < c.u.places
}

// accepts reports whether a backend that may be chosen takes this turn: one that is in its slow start takes a share of its turns.
func (c *choice) accepts(b *Backend) bool {
	if c.u.slowStart == 0 {
		return true
	}
	share := c.shareOf(b)
	if share == fullShare {
		return true
	}
	before := b.credit.Load()
	if !c.peek {
		before = b.credit.Add(share) - share
	}
	return before/fullShare != (before+share)/fullShare
}

// shareOf is how much of its weight a backend gets at the moment.
func (c *choice) shareOf(b *Backend) int64 {
	if c.u.slowStart == 0 {
		return fullShare
	}
	return b.share(c.hostNow())
}

// take makes sure of a backend: its place, and where the breaker is half-open, that of a probe.
func (c *choice) take(b *Backend) bool {
	if !c.u.guarded {
		return true
	}
	if c.peek {
		return c.free(b)
	}
	if !c.free(b) || c.u.places > 0 && !b.acquire(c.u.places) {
		return c.refuse(b)
	}
	r := c.u.rules
	if r.Guard() {
		if l := b.current(); !r.Closed(l.rec) {
			probe, ok := r.Enter(l.rec, c.hostNow())
			if !ok {
				if c.u.places > 0 {
					b.end()
				}
				return c.refuse(b)
			}
			c.rec.UpstreamProbe = uint64(probe)
		}
	}
	return true
}

// refuse notes a backend that is not to be looked at again. There is room for a few; more that are lost in one moment are looked at
// twice, which the loops bound.
func (c *choice) refuse(b *Backend) bool {
	c.refused[min(c.lost, len(c.refused)-1)] = b
	c.lost = min(c.lost+1, len(c.refused))
	return false
}

// anyOf reports whether one of these could serve the request.
func (c *choice) anyOf(entries []entry) bool {
	for i := range entries {
		if c.may(entries[i].backend) {
			return true
		}
	}
	return false
}

// anyHealthy reports whether any backend is in that neither checks nor ejection keep out, busy or not.
func (c *choice) anyHealthy() bool {
	for i := range c.set.tiers {
		for _, e := range c.set.tiers[i].entries {
			r, l := c.u.rules, e.backend.current()
			if !r.Guard() || !r.Ejected(l.rec, c.hostNow()) {
				return true
			}
		}
	}
	return false
}

// acquire takes one of the places of the backend.
func (b *Backend) acquire(limit int64) bool {
	for {
		l := b.current()
		if !l.acquire(limit) {
			return false
		}
		if b.lease.Load() == l || !l.end() {
			return true
		}
	}
}

// fullShare is the share of a backend that is not in its slow start.
const fullShare = 1024

// share is how much of its weight a backend gets: from a tenth on, in the time of slow_start.
func (b *Backend) share(now int64) int64 {
	since := b.since.Load()
	if r := b.owner.rules; r.Guard() {
		since = max(since, r.BackSince(b.current().rec, now))
	}
	age := now - since
	if since == 0 || age >= b.owner.slowStart {
		return fullShare
	}
	const tenth = fullShare / 10
	return tenth + int64(float64(fullShare-tenth)*float64(max(age, 0))/float64(b.owner.slowStart))
}

// Fails reports whether a response is a failure of the backend by its status alone.
func (b *Backend) Fails(status int) bool { return b.owner.rules.Fails(status) }

// Done tells what came of a request that Pick gave this backend for, once for each, before End. rec is the one that Pick got.
func (b *Backend) Done(rec *message.Record, o Outcome) {
	probe := outcome.Probe(rec.UpstreamProbe)
	rec.UpstreamProbe = 0
	r := b.owner.rules
	if r == nil {
		return
	}
	l, now := b.current(), b.owner.hostNow()
	v := r.Done(l.rec, o, probe, now)
	if v.Eject && r.Eject(l.rec, b.owner.records(), now) {
		b.owner.tellEjected(b)
	}
	if v.Opened || v.Closed {
		b.owner.tellBreaker(b, v.Opened)
	}
	if probe != 0 {
		b.owner.changed.signal()
	}
}
