package tally

import (
	"math"
	"math/bits"
	"slices"
)

// Native buckets are those of Prometheus, each by a factor of 2^(1/4) wider than the one before, for times from 2^-14 s (61 µs) to 2^7 s (128 s). Of
// the NativeWords of a histogram the first is the zero bucket, of all up to NativeZero. The word after it has the bucket of index NativeFirst, and so on; an
// observation v is in the one of index i for which 2^((i-1)/4) < v <= 2^(i/4). The last has all that is above 128 s, as if it were just above.
// Sum and number are those of the classic buckets.
const (
	NativeSchema = 2
	NativeFirst  = nativeLow<<NativeSchema + 1
	NativeWords  = 1 + (nativeHigh-nativeLow)<<NativeSchema + 1
	NativeZero   = 1.0 / (1 << -nativeLow) // s

	nativeLow, nativeHigh = -14, 7 // powers of two
)

// nativeBounds are the upper bounds in ns of all words but the last.
var nativeBounds = func() (bounds [NativeWords - 1]int64) {
	for i := range bounds {
		bounds[i] = int64(perSecond * math.Exp2(nativeLow+float64(i)/(1<<NativeSchema)))
	}
	return bounds
}()

// nativeFrom is by the number of its bits the first word that a time may be in. There are at most five more.
var nativeFrom = func() (from [65]uint8) {
	for n := range from {
		if n > 0 {
			at, _ := slices.BinarySearch(nativeBounds[:], int64(uint64(1)<<(n-1)&math.MaxInt64))
			from[n] = uint8(at)
		}
	}
	return from
}()

// nativeWord is the word of a time, from the first one on.
func nativeWord(ns int64) int {
	i := int(nativeFrom[bits.Len64(uint64(max(ns, 0)))])
	for i < len(nativeBounds) && ns > nativeBounds[i] {
		i++
	}
	return i
}
