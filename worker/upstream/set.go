package upstream

import (
	"slices"
	"sync/atomic"

	"pingap/message"
)

const (
	// maxBackends bounds the backends of one upstream.
	maxBackends = 1024
	// maxSlots and maxScheduleWork bound the schedule's length and the time to make it; weights are
	// scaled down to fit.
	maxSlots        = 1 << 16
	maxScheduleWork = 1 << 22
)

// entry is a backend with its share.
type entry struct {
	backend *Backend
	weight  int
}

// set is the backends of an upstream at one time. It is immutable.
type set struct {
	entries  []entry
	schedule []uint16 // smooth weighted order over those that are up; indexes entries
	ring     []point  // over all; nil unless the choice is by hash
	down     int      // entries that were down when the set was made
}

func newSet(entries []entry, hashed bool) *set {
	s := &set{entries: entries}
	for _, e := range entries {
		if e.backend.Down() {
			s.down++
		}
	}
	if hashed {
		s.ring = newRing(entries)
		return s
	}
	s.schedule = newSchedule(entries)
	return s
}

func (s *set) has(b *Backend) bool {
	return slices.ContainsFunc(s.entries, func(e entry) bool { return e.backend == b })
}

func (s *set) pick(by *balance, turn *atomic.Uint64, rec *message.Record, tried []*Backend) *Backend {
	switch by.algo {
	case algoHash:
		return s.hashed(by.key(rec), tried)
	case algoLeastConn:
		return s.leastConn(turn, tried)
	case algoRandom2:
		return s.random2(turn, tried)
	}
	return s.next(turn, tried)
}

// next returns the backend whose turn it is.
func (s *set) next(turn *atomic.Uint64, tried []*Backend) *Backend {
	slots := uint64(len(s.schedule))
	if slots == 0 {
		return nil
	}
	for range 2 * len(s.entries) {
		b := s.entries[s.schedule[(turn.Add(1)-1)%slots]].backend
		if len(tried) == 0 || !contains(tried, b) {
			return b
		}
	}
	for _, e := range s.entries { // one with a small share may not have had its turn
		if !e.backend.Down() && !contains(tried, e.backend) {
			return e.backend
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
	total, up := 0, []uint16{}
	for i, w := range weights {
		total += w
		if w > 0 {
			up = append(up, uint16(i))
		}
	}
	if total == len(up) {
		return up // equal weights
	}
	schedule := make([]uint16, 0, total)
	gained := make([]int, len(weights))
	for range total {
		best := -1
		for i, w := range weights {
			if w == 0 {
				continue
			}
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

// scheduleWeights returns the weights of those that are up, 0 for the others, in lowest terms and
// small enough for a schedule.
func scheduleWeights(entries []entry) []int {
	weights := make([]int, len(entries))
	total, divisor := 0, 0
	for i, e := range entries {
		if e.backend.Down() {
			continue
		}
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
		if w > 0 {
			weights[i] = max(1, w*limit/total)
		}
	}
	return weights
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
