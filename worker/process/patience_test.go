package process

import (
	"testing"
	"time"
)

func TestManyIdleConnectionsHaveLessTime(t *testing.T) {
	for _, c := range []struct {
		most time.Duration
		idle int
		want time.Duration // negative for never
	}{
		{0, 0, 1500 * time.Millisecond},
		{0, 1000, 1500 * time.Millisecond},
		{0, 2000, 750 * time.Millisecond},
		{0, 1_000_000, 200 * time.Millisecond},
		{100 * time.Millisecond, 1_000_000, 100 * time.Millisecond},
		{-1, 10_000, -1},
	} {
		p := NewPatience(c.most)
		for range c.idle {
			p.Over(0)
		}
		p.Next()
		if c.want < 0 {
			if p.Over(int64(time.Hour)) {
				t.Errorf("%v, %d idle: over", c.most, c.idle)
			}
			continue
		}
		if p.Over(int64(c.want)) || !p.Over(int64(c.want)+1) {
			t.Errorf("%v, %d idle: not %v", c.most, c.idle, c.want)
		}
		for range 2 { // none is idle any more but this one
			p.Next()
		}
		if p.Over(max(int64(c.most), int64(c.want))) {
			t.Errorf("%v, %d idle: it stays so", c.most, c.idle)
		}
	}
}
