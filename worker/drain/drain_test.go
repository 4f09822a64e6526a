package drain

import (
	"maps"
	"testing"
	"time"
)

const second = int64(time.Second)

func TestIdleConnectionsEndOneByOne(t *testing.T) {
	p := Begin(100*second, Times{IdleGrace: 2 * time.Second, Spread: 10 * time.Second})
	const all = 10_000
	for _, step := range []uint64{1, 2, 8} { // neighbours, or every so many
		over := func(at int64) (n int) {
			for i := range uint64(all) {
				if p.IdleOver(i*step, 5*second, at) {
					n++
				}
			}
			return n
		}
		if n := over(102 * second); n != 0 {
			t.Errorf("step %d: %d ended within the grace", step, n)
		}
		if n := over(107 * second); n < all*4/10 || n > all*6/10 {
			t.Errorf("step %d: %d of %d ended in half of the spread", step, n, all)
		}
		if n := over(112*second + 1); n != all {
			t.Errorf("step %d: %d of %d ended in all of it", step, n, all)
		}
	}
	if p.IdleOver(1, 111*second, 112*second) {
		t.Error("a connection that has just come has no grace")
	}
}

func TestWhatIsAtWorkIsCutInItsTime(t *testing.T) {
	long := Times{Spread: time.Second, Timeout: 10 * time.Second, LongTimeout: 100 * time.Second}
	stop := Times{Spread: time.Second, Timeout: 10 * time.Second}
	for name, c := range map[string]struct {
		times Times
		long  bool
		own   time.Duration
		after int64 // seconds it goes on for at least
		until int64 // and at most
		why   Why
	}{
		"request":                      {long, false, 0, 10, 10, Timeout},
		"request, location says more":  {long, false, time.Hour, 10, 10, Timeout},
		"tunnel":                       {long, true, 0, 100, 101, LongTimeout},
		"tunnel, location says less":   {long, true, 5 * time.Second, 5, 6, LongTimeout},
		"tunnel, location says more":   {long, true, 200 * time.Second, 200, 201, LongTimeout},
		"tunnel at a stop":             {stop, true, 0, 10, 10, Timeout},
		"tunnel at a stop, own limits": {stop, true, time.Hour, 10, 10, Timeout},
	} {
		p := Begin(7*second, c.times)
		if got := p.Over(3, c.long, c.own, (7+c.after)*second); got != NotCut {
			t.Errorf("%s: cut too early for %s", name, got)
		}
		if got := p.Over(3, c.long, c.own, (7+c.until)*second+1); got != c.why {
			t.Errorf("%s: cut for %q, want %s", name, got, c.why)
		}
	}
}

func TestHurryOnlyShortens(t *testing.T) {
	p := Begin(0, Times{Timeout: 10 * time.Second, LongTimeout: 100 * time.Second})
	p.Hurry(second, 50*time.Second)
	if got := p.Over(1, false, 0, 11*second); got != Timeout {
		t.Errorf("a request is cut for %q", got)
	}
	p.Hurry(2*second, 3*time.Second)
	p.Hurry(3*second, time.Hour)
	if got := p.Over(1, true, time.Hour, 4*second); got != NotCut {
		t.Errorf("cut too early for %s", got)
	}
	if got := p.Over(1, true, time.Hour, 5*second); got != Faster {
		t.Errorf("cut for %q", got)
	}
}

func TestFigures(t *testing.T) {
	var f Figures
	f.Finish()
	f.Finish()
	for _, e := range []End{ByClient, AfterAnswer, AfterAnswer, Idle} {
		f.Count(e, Timeout)
	}
	f.Count(Cut, LongTimeout)
	f.Count(Cut, Faster)
	f.Count(Cut, Faster)
	got := f.Counts()
	if got.Finished != 2 || got.Connections != 7 || got.AfterAnswer != 2 || got.Idle != 1 || got.Cut != 3 ||
		!maps.Equal(got.CutWhy, map[string]int64{"long_timeout": 1, "faster": 2}) {
		t.Errorf("%+v", got)
	}
}
