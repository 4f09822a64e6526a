package process

import (
	"testing"
	"time"
)

func TestPaceRestsOnlyWhenServing(t *testing.T) {
	past := time.Now().Add(-time.Hour)
	for _, on := range []bool{false, true} {
		p := Pace{on: on, since: past}
		for range paceEvery - 1 {
			p.Step()
		}
		if p.since != past {
			t.Errorf("on %t: rested before the clock was looked at", on)
		}
		p.Step()
		if rested := p.since != past; rested != on {
			t.Errorf("on %t: rested %t", on, rested)
		}
	}
}
