package spread

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestScheduleGivesEveryBackendItsWeight(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		var weights []int
		total, largest := 0, []int{1, 3, 300}[r.IntN(3)]
		for range 1 + r.IntN(30) {
			weights = append(weights, 1+r.IntN(largest))
			total += weights[len(weights)-1]
		}
		counts := make([]int, len(weights))
		schedule := Schedule(weights)
		for i, at := range schedule {
			counts[at]++
			for k, w := range weights { // smooth: never further than one turn per backend from the ideal
				ideal := float64((i+1)*w) / float64(total)
				if d := math.Abs(float64(counts[k]) - ideal); d > float64(len(weights)) {
					t.Fatalf("backend %d is %.1f turns off at %d", k, d, i)
				}
			}
		}
		for k, w := range weights {
			if counts[k]*total != w*len(schedule) {
				t.Fatalf("backend %d of weight %d/%d has %d of %d turns", k, w, total, counts[k], len(schedule))
			}
		}
	}
}

func TestLargeWeightsAreScaledToABoundedSchedule(t *testing.T) {
	many := make([]int, 1024)
	for i := range many {
		many[i] = 1 + i*61%65535
	}
	for _, weights := range [][]int{{65535, 65534, 1}, {65535, 1}, many} {
		schedule := Schedule(weights)
		if len(schedule) > min(maxSlots, maxWork/len(weights))+len(weights) {
			t.Errorf("%d weights: %d slots", len(weights), len(schedule))
		}
		seen := map[uint16]bool{}
		for _, at := range schedule {
			seen[at] = true
		}
		if len(seen) != len(weights) {
			t.Errorf("%d weights: a backend has no turn", len(weights))
		}
	}
}

func TestNothingToSpreadOver(t *testing.T) {
	if len(Schedule(nil)) != 0 || len(NewRing(nil, nil)) != 0 {
		t.Error("something of nothing")
	}
}
