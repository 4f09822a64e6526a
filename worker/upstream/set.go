package upstream

import (
	"slices"
	"sync/atomic"
)

const (
	// maxBackends bounds the backends of one upstream.
	maxBackends = 1024
	// maxSlots and maxScheduleWork bound the schedule's length and the time to make it; weights are
	// scaled down to fit.
	maxSlots        = 1 << 16
	maxScheduleWork = 1 << 22
)

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
	schedule []uint16 // smooth weighted order; indexes entries
	ring     []point  // nil unless the choice is by hash
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
	if hashed {
		return tier{entries: entries, ring: newRing(entries)}
	}
	return tier{entries: entries, schedule: newSchedule(entries)}
}

// next returns the backend whose turn it is. One in its slow start passes most of its turns on; when all do, the first of them serves.
func (t *tier) next(c *choice, turn *atomic.Uint64) *Backend {
	slots := uint64(len(t.schedule))
	var declined *Backend
	for range 2 * len(t.entries) {
		b := t.entries[t.schedule[(turn.Add(1)-1)%slots]].backend
		if !c.may(b) {
			continue
		}
		if !c.accepts(b) {
			if declined == nil {
				declined = b
			}
			continue
		}
		if c.take(b) {
			return b
		}
	}
	if declined != nil && c.may(declined) && c.take(declined) {
		return declined
	}
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

// newSchedule lays out one round in which every backend has turns by its weight, spread evenly: at
// each turn every backend gains its weight, and the one that has most pays the sum.
func newSchedule(entries []entry) []uint16 {
	weights := scheduleWeights(entries)
	total := 0
	for _, w := range weights {
		total += w
	}
	schedule := make([]uint16, 0, total)
	if total == len(weights) { // equal ones
		for i := range weights {
			schedule = append(schedule, uint16(i))
		}
		return schedule
	}
	gained := make([]int, len(weights))
	for range total {
		best := -1
		for i, w := range weights {
			gained[i] += w
			if best < 0 || gained[i] > gained[best] {
				best = i
			}
		}
		gained[best] -= total
		schedule = append(schedule, uint16(best))
	}
	return schedule
}

// scheduleWeights returns the weights in lowest terms and small enough for a schedule.
func scheduleWeights(entries []entry) []int {
	weights := make([]int, len(entries))
	total, divisor := 0, 0
	for i, e := range entries {
		weights[i] = e.weight
		total += e.weight
		divisor = gcd(e.weight, divisor)
	}
	if total == 0 {
		return weights
	}
	for i := range weights {
		weights[i] /= divisor
	}
	total /= divisor
	limit := max(min(maxSlots, maxScheduleWork/len(entries)), len(entries))
	if total <= limit {
		return weights
	}
	for i, w := range weights {
		weights[i] = max(1, w*limit/total)
	}
	return weights
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
