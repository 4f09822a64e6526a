package upstream

import (
	"slices"
	"sync/atomic"

	"pingap/worker/upstream/spread"
)

// maxBackends bounds the backends of one upstream.
const maxBackends = 1024

// entry is a backend with its share, and what control says of it.
type entry struct {
	backend *Backend
	weight  int
	backup  bool
	health  Health
	admin   Admin
}

// set is the backends of an upstream at one time. It is immutable.
type set struct {
	entries []entry
	tiers   [2]tier // the ones that may be chosen, by health and by hand: first these, then the backups
	open    *tier   // for when none of them is healthy: all but those taken out by hand; nil without fail_open
}

// tier is backends that are chosen among.
type tier struct {
	entries  []entry
	schedule []uint16    // smooth weighted order; indexes entries
	ring     spread.Ring // nil unless the choice is by hash
}

func newSet(entries []entry, hashed, failOpen bool) *set {
	s := &set{entries: entries}
	var tiers [3][]entry
	for _, e := range entries {
		if e.admin != Up {
			continue
		}
		if failOpen {
			tiers[2] = append(tiers[2], e)
		}
		switch {
		case e.health != Healthy:
		case e.backup:
			tiers[1] = append(tiers[1], e)
		default:
			tiers[0] = append(tiers[0], e)
		}
	}
	s.tiers[0], s.tiers[1] = newTier(tiers[0], hashed), newTier(tiers[1], hashed)
	if failOpen {
		open := newTier(tiers[2], hashed)
		s.open = &open
	}
	return s
}

func newTier(entries []entry, hashed bool) tier {
	weights, hashes := make([]int, len(entries)), make([]uint64, len(entries))
	for i, e := range entries {
		weights[i], hashes[i] = e.weight, e.backend.hash
	}
	if hashed {
		return tier{entries: entries, ring: spread.NewRing(weights, hashes)}
	}
	return tier{entries: entries, schedule: spread.Schedule(weights)}
}

// next returns the backend whose turn it is. One in its slow start passes most of its turns on, to one that gets a larger share; where
// there is none it serves. Turns that were passed over for nothing are given back, so that a look at one tier leaves others as they were.
func (t *tier) next(c *choice, turn *atomic.Uint64) *Backend {
	slots, looked := uint64(len(t.schedule)), uint64(0)
	var declined *Backend
	for range 2 * len(t.entries) {
		b := t.entries[t.schedule[(turn.Add(1)-1)%slots]].backend
		looked++
		if !c.may(b) {
			continue
		}
		if declined == nil && !c.accepts(b) {
			declined = b
			continue
		}
		if (declined == nil || c.shareOf(b) > c.shareOf(declined)) && c.take(b) {
			return b
		}
	}
	if declined != nil && c.take(declined) {
		turn.Add(1 - looked)
		return declined
	}
	turn.Add(-looked)
	for i := range t.entries { // one with a small share may not have had its turn
		if b := t.entries[i].backend; c.may(b) && c.take(b) {
			return b
		}
	}
	return nil
}

func contains(list []*Backend, b *Backend) bool {
	return slices.Contains(list, b)
}
