package spread

import (
	"cmp"
	"slices"
	"sort"
)

const (
	// pointsPerWeight is how often a backend of weight 1 is on the ring: more spread keys more
	// evenly (with 160 the shares of equals differ by about 8 %).
	pointsPerWeight = 160
	// maxPoints bounds the ring; beyond it every backend has proportionally fewer points.
	maxPoints = 1 << 17
)

// Ring is places in their order, and whose they are.
type Ring []point

type point struct {
	hash  uint32
	entry uint32
}

// NewRing places the backends on a ring, by what is a hash of each. A backend's places depend on its hash alone, so that
// the others keep their keys when it leaves, and all workers agree.
func NewRing(weights []int, hashes []uint64) Ring {
	total := 0
	for _, w := range weights {
		total += w * pointsPerWeight
	}
	ring := make(Ring, 0, min(total, maxPoints+len(weights)))
	for i, w := range weights {
		n := w * pointsPerWeight
		if total > maxPoints {
			n = max(1, n*maxPoints/total)
		}
		for k := range uint64(n) {
			ring = append(ring, point{uint32(mix(hashes[i]+k*golden) >> 32), uint32(i)})
		}
	}
	slices.SortFunc(ring, func(a, b point) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(hashes[a.entry], hashes[b.entry]))
	})
	return ring
}

// Start is the place of a key.
func (r Ring) Start(key uint64) int {
	want := uint32(key >> 32)
	return sort.Search(len(r), func(i int) bool { return r[i].hash >= want })
}

// At is the index of the backend at a place, which may be past the end: the ring goes round.
func (r Ring) At(place int) int { return int(r[place%len(r)].entry) }

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

// HashString is the hash of a text.
func HashString(s string) uint64 { return hashBytes([]byte(s)) }

// mix spreads differences in any bit over all bits.
func mix(h uint64) uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
