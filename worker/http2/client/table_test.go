package client

import (
	"math/rand/v2"
	"testing"
)

// The table agrees with a map, whatever comes and goes.
func TestTheTableFindsWhatIsInIt(t *testing.T) {
	var tab table
	in := map[uint32]*Stream{}
	next := uint32(1)
	for round := range 20000 {
		if len(in) == 0 || rand.IntN(100) < 50+10*(round/5000%2*2-1) {
			s := &Stream{id: next}
			next += 2 * uint32(1+rand.IntN(3))
			tab.add(s)
			in[s.id] = s
		} else {
			for _, s := range in {
				tab.remove(s)
				delete(in, s.id)
				break
			}
		}
		probe := uint32(rand.IntN(int(next))) | 1
		if tab.find(probe) != in[probe] || tab.n != len(in) {
			t.Fatalf("round %d: %d entries, want %d", round, tab.n, len(in))
		}
	}
	seen := 0
	tab.each(func(s *Stream) {
		seen++
		if in[s.id] != s {
			t.Errorf("stream %d is not there any more", s.id)
		}
	})
	if seen != len(in) {
		t.Errorf("%d of %d entries seen", seen, len(in))
	}
}
