package process

import (
	"testing"
	"time"
)

func TestMemoryIsGivenBackOnceParkingHasSettled(t *testing.T) {
	var trim Trimmer
	shed := 0
	for n, c := range []struct {
		parked int64
		at     time.Duration
		want   int
	}{
		{100, 1 * time.Second, 0},   // few
		{5000, 2 * time.Second, 0},  // they still come
		{9000, 3 * time.Second, 0},  // they still come
		{9010, 4 * time.Second, 1},  // no more
		{9010, 20 * time.Second, 1}, // as before
		{20000, 21 * time.Second, 1},
		{20000, 22 * time.Second, 2},
		{25000, 23 * time.Second, 2},
		{25000, 24 * time.Second, 2}, // too soon
		{25000, 33 * time.Second, 3},
		{30, 40 * time.Second, 3}, // they have gone
		{600, 50 * time.Second, 3},
		{600, 51 * time.Second, 4}, // and come back
	} {
		trim.Look(c.parked, int64(c.at), func() { shed++ })
		if shed != c.want {
			t.Errorf("look %d: memory was given back %d times, want %d", n, shed, c.want)
			shed = c.want
		}
	}
}
