package upstream

import (
	"cmp"
	"slices"
	"sort"
)

type hashBy uint8

const (
	byPath hashBy = iota
	byURL
	byIP
	byHeader
	byCookie
	byQuery
)

// parseHashBy reads the word behind "hash:"; any other word is the path.
func parseHashBy(kind string) hashBy {
	switch kind {
	case "url":
		return byURL
	case "ip":
		return byIP
	case "header":
		return byHeader
	case "cookie":
		return byCookie
	case "query":
		return byQuery
	}
	return byPath
}

const (
	// pointsPerWeight is how often a backend of weight 1 is on the ring: more spread keys more
	// evenly (with 160 the shares of equals differ by about 8 %).
	pointsPerWeight = 160
	// maxPoints bounds the ring; beyond it every backend has proportionally fewer points.
	maxPoints = 1 << 17
)

// point is a place on the ring and whose it is.
type point struct {
	hash  uint32
	entry uint32
}

// newRing places the backends on a ring. A backend's places depend on its address alone, so that
// the others keep their keys when it leaves, and all workers agree.
func newRing(entries []entry) []point {
	total := 0
	for _, e := range entries {
		total += e.weight * pointsPerWeight
	}
	ring := make([]point, 0, min(total, maxPoints+len(entries)))
	for i, e := range entries {
		n := e.weight * pointsPerWeight
		if total > maxPoints {
			n = max(1, n*maxPoints/total)
		}
		for k := range uint64(n) {
			ring = append(ring, point{uint32(mix(e.backend.hash+k*golden) >> 32), uint32(i)})
		}
	}
	slices.SortFunc(ring, func(a, b point) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(entries[a.entry].backend.hash, entries[b.entry].backend.hash))
	})
	return ring
}

// hashed returns the first backend on the ring, from the key on, that can take the request.
func (t *tier) hashed(c *choice, key uint64) *Backend {
	want := uint32(key >> 32)
	start := sort.Search(len(t.ring), func(i int) bool { return t.ring[i].hash >= want })
	if b := t.entries[t.ring[start%len(t.ring)].entry].backend; c.may(b) && c.take(b) {
		return b
	}
	if !c.anyOf(t.entries) { // the way round is long
		return nil
	}
	for i := range t.ring {
		if b := t.entries[t.ring[(start+i)%len(t.ring)].entry].backend; c.may(b) && c.take(b) {
			return b
		}
	}
	return nil
}

const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
	golden    = 0x9e3779b97f4a7c15
)

// hashBytes is FNV-1a, mixed so that every bit depends on the whole.
func hashBytes(b []byte) uint64 {
	h := uint64(fnvOffset)
	for _, c := range b {
		h = (h ^ uint64(c)) * fnvPrime
	}
	return mix(h)
}

func hashString(s string) uint64 { return hashBytes([]byte(s)) }

// mix spreads differences in any bit over all bits.
func mix(h uint64) uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
