package upstream

import (
	"fmt"

	"pingap/message"
	"pingap/worker/upstream/spread"
)

// Look is what Pick would do for a request at this moment, found out without doing it: no turn is taken, no place, no probe.
type Look struct {
	// Backends are those of the list, in its order.
	Backends []Candidate
	// Chosen is the address of the one that would be chosen; empty for none, or where a lot is drawn.
	Chosen string
	// Lot tells that one of several would be drawn.
	Lot bool
}

// Candidate is a backend as a choice sees it.
type Candidate struct {
	Addr   string
	Weight int
	Backup bool
	Health Health
	Admin  Admin
	Chosen bool
	// Why says in a few words why it would be chosen, or would not.
	Why string
}

// Look looks at the choice for a request, by the code of Pick.
func (u *Upstream) Look(rec *message.Record) Look {
	if u.transparent != nil {
		return u.transparent.look(rec)
	}
	set, probe := u.set.Load(), rec.UpstreamProbe
	c := choice{u: u, set: set, rec: rec, peek: true}
	if u.algo.Kind == spread.Random2 && c.drawn() {
		return c.describe(nil, true)
	}
	b := c.all()
	rec.UpstreamProbe = probe
	return c.describe(b, false)
}

// Count returns how many backends there are, and how many of them may be chosen by health and by hand.
func (u *Upstream) Count() (available, total int) {
	set := u.set.Load()
	return len(set.tiers[0].entries) + len(set.tiers[1].entries), len(set.entries)
}

// drawn reports whether a lot would be drawn: there are two at least that may be chosen.
func (c *choice) drawn() bool {
	if c.u.sticky != "" && c.stuck() != nil {
		return false
	}
	for i := range c.set.tiers {
		n := 0
		for _, e := range c.set.tiers[i].entries {
			if c.may(e.backend) {
				n++
			}
		}
		if n > 0 {
			return n > 1
		}
	}
	return false
}

// describe says of each backend why it was chosen, or was not.
func (c *choice) describe(chosen *Backend, lot bool) Look {
	l := Look{Lot: lot}
	primaries := c.anyOf(c.set.tiers[0].entries)
	for i := range c.set.entries {
		e := &c.set.entries[i]
		one := Candidate{Addr: e.backend.Addr, Weight: e.weight, Backup: e.backup, Health: e.health, Admin: e.admin, Chosen: e.backend == chosen}
		switch {
		case one.Chosen:
			one.Why = c.becauseOf(e)
			l.Chosen = one.Addr
		default:
			one.Why = c.against(e, primaries)
		}
		l.Backends = append(l.Backends, one)
	}
	return l
}

// becauseOf says why a backend is the one.
func (c *choice) becauseOf(e *entry) string {
	if c.u.sticky != "" && c.stuck() == e.backend {
		return "the cookie " + c.u.sticky + " names it"
	}
	if c.open {
		return "no backend is healthy, and fail_open is set"
	}
	why := "it is its turn"
	switch c.u.algo.Kind {
	case spread.Hash:
		why = "the ring has it for this key (" + c.u.Config.Algo + ")"
	case spread.LeastConn:
		why = fmt.Sprintf("it has least in process for its weight: %d", e.backend.inFlightOverAll())
	case spread.Random2:
		why = "no other can be drawn"
	}
	if e.backup {
		why += "; a backup, as no other is available"
	}
	return why
}

// against says what keeps a backend from being chosen: what control or an operator says of it, what this worker knows, or that another is it.
func (c *choice) against(e *entry, primaries bool) string {
	switch {
	case e.admin == Down:
		return "an operator has taken it out"
	case e.admin == Drain:
		return "it drains: only clients that stick to it get there"
	case e.health == Unhealthy:
		return "its health checks fail"
	case e.health == Unchecked:
		return "it has not been checked yet"
	}
	if r, l := c.u.rules, e.backend.current(); r.Guard() && !r.Idle(l.rec) {
		switch {
		case r.Ejected(l.rec, c.hostNow()):
			return "it is out for a time, after failures in a row"
		case !r.Closed(l.rec) && !r.Admits(l.rec, c.hostNow()):
			return "its circuit breaker is open"
		}
	}
	switch n := e.backend.inFlightOverAll(); {
	case c.u.places > 0 && n >= c.u.places:
		return fmt.Sprintf("it has all %d requests that it may have at a time", c.u.places)
	case e.backup && primaries:
		return "it is a backup, and others are available"
	case c.u.algo.Kind == spread.Hash:
		return "the ring has another for this key"
	case c.u.algo.Kind == spread.LeastConn:
		return fmt.Sprintf("it has %d in process", n)
	case c.u.algo.Kind == spread.Random2:
		return fmt.Sprintf("two are drawn by weight, and the one with less in process is taken; it has %d", n)
	}
	return "it is the turn of another"
}

// look of a transparent upstream is the host of the request.
func (t *transparent) look(rec *message.Record) Look {
	var space [maxHostName]byte
	host, ok := lowerHost(space[:0], rec.Request.HostName())
	if !ok {
		return Look{}
	}
	addr := newBackend(t.upstream, t.address(string(host))).Addr
	return Look{Chosen: addr, Backends: []Candidate{{Addr: addr, Weight: 1, Chosen: true, Why: "it is the host of the request"}}}
}
