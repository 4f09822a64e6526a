package table

import (
	"math/rand/v2"
	"testing"
)

type value struct{ id uint32 }

// The table agrees with a map, whatever comes and goes.
func TestTheTableFindsWhatIsInIt(t *testing.T) {
	var tab Table[value]
	in := map[uint32]*value{}
	next := uint32(1)
	for round := range 20000 {
		if len(in) == 0 || rand.IntN(100) < 50+10*(round/5000%2*2-1) {
			s := &value{next}
			next += 2 * uint32(1+rand.IntN(3))
			tab.Add(s.id, s)
			in[s.id] = s
		} else {
			for _, s := range in {
				tab.Remove(s.id)
				delete(in, s.id)
				break
			}
		}
		probe := uint32(rand.IntN(int(next))) | 1
		if tab.Find(probe) != in[probe] || tab.Len() != len(in) {
			t.Fatalf("round %d: %d entries, want %d", round, tab.Len(), len(in))
		}
	}
	seen := 0
	for _, s := range tab.All() {
		seen++
		if in[s.id] != s {
			t.Errorf("stream %d is not there any more", s.id)
		}
	}
	if seen != len(in) {
		t.Errorf("%d of %d entries seen", seen, len(in))
	}
}
