package upstream

import "math/rand/v2"

// load is the requests in flight for a share; lower is better.
type load struct {
	inFlight int64
	weight   int64
}

// loadOf looks at all workers. A backend in its slow start has little weight.
func (c *choice) loadOf(e *entry) load {
	return load{e.backend.inFlightOverAll(), int64(e.weight) * c.shareOf(e.backend)}
}

func (l load) less(other load) bool {
	return l.inFlight*other.weight < other.inFlight*l.weight
}

// leastConn returns the backend with the fewest requests in flight for its weight; among equals the
// one whose turn it is.
func (t *tier) leastConn(c *choice) *Backend {
	turn := c.counter(&c.u.turn)
	start := int(t.schedule[(turn.Add(1)-1)%uint64(len(t.schedule))])
	for range len(c.refused) { // that are lost in the last moment
		best := t.lowest(c, start, 0)
		if best == nil {
			return nil
		}
		if !c.accepts(best) {
			if other := t.lowest(c, start, c.shareOf(best)); other != nil {
				best = other
			}
		}
		if c.take(best) {
			return best
		}
	}
	return t.next(c, turn)
}

// lowest is the least loaded from start on, of those that get more than a share.
func (t *tier) lowest(c *choice, start int, share int64) *Backend {
	var best *Backend
	var lowest load
	for i := range t.entries {
		e := &t.entries[(start+i)%len(t.entries)]
		if !c.may(e.backend) || share > 0 && c.shareOf(e.backend) <= share {
			continue
		}
		if l := c.loadOf(e); best == nil || l.less(lowest) {
			best, lowest = e.backend, l
		}
	}
	return best
}

// random2 draws two different backends by weight and returns the one with fewer requests in flight
// for its weight.
func (t *tier) random2(c *choice) *Backend {
	if len(c.tried) > 0 || len(t.entries) < 2 {
		return t.next(c, &c.u.turn)
	}
	first := t.draw(c, nil)
	if first == nil {
		return t.next(c, &c.u.turn)
	}
	second := t.draw(c, first)
	if second != nil && c.loadOf(second).less(c.loadOf(first)) {
		first, second = second, first
	}
	if c.take(first.backend) {
		return first.backend
	}
	if second != nil && c.take(second.backend) {
		return second.backend
	}
	return t.next(c, &c.u.turn)
}

// draw returns one by weight that may be chosen, another than not; nil if there is none at hand.
func (t *tier) draw(c *choice, not *entry) *entry {
	const draws = 8 // enough unless one backend has nearly all the weight
	for range draws {
		e := &t.entries[t.schedule[rand.IntN(len(t.schedule))]]
		if e != not && c.may(e.backend) && c.accepts(e.backend) {
			return e
		}
	}
	return nil
}
