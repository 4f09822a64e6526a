package outcome

import (
	"slices"
	"sync"
	"testing"

	"pingap/arena"
	"pingap/arena/backend"
	"pingap/config"
)

// ejecting is an upstream that ejects after 2 failures in a row, for 30 s.
func ejecting(percent int) *Rules {
	return Compile(&config.Upstream{EjectConsecutiveFailures: 2, EjectStatus: "502,503,504", EjectDuration: config.Duration(30 * second), EjectMaxPercent: percent})
}

// fail tells of failures until one asks for ejection, and tries it.
func fail(r *Rules, rec *arena.Record, pool []*arena.Record, now int64) bool {
	for !r.Done(rec, Outcome{Status: 503}, 0, now) {
	}
	return r.Eject(rec, slices.Values(pool), now)
}

func TestEjectionKeepsToItsShareOfThePool(t *testing.T) {
	for _, c := range []struct{ size, percent, want int }{{1, 100, 0}, {2, 50, 1}, {2, 0, 1}, {4, 50, 2}, {5, 50, 2}, {3, 10, 1}, {3, 100, 3}, {10, 35, 3}} {
		r := ejecting(c.percent)
		var pool []*arena.Record
		for range c.size {
			pool = append(pool, arena.NewRecord())
		}
		gone := 0
		for _, rec := range pool {
			if fail(r, rec, pool, 1000*second) {
				gone++
			}
		}
		if gone != c.want {
			t.Errorf("%d of %d out at %d %%, want %d", gone, c.size, c.percent, c.want)
		}
		if c.want < c.size && c.want > 0 && !fail(r, pool[c.size-1], pool, 1031*second) {
			t.Errorf("%d at %d %%: none is ejected after the others came back", c.size, c.percent)
		}
	}
}

func TestEjectionTimesGrowAndAreForgotten(t *testing.T) {
	r, pool := ejecting(50), []*arena.Record{arena.NewRecord(), arena.NewRecord()}
	rec, now := pool[0], 1000*second
	for i, want := range []int64{30, 60, 120, 240, 300, 300} {
		if !fail(r, rec, pool, now) {
			t.Fatalf("%d: not ejected", i)
		}
		if !r.Ejected(rec, now+want*second-1) || r.Ejected(rec, now+want*second) {
			t.Errorf("%d: not out for %d s", i, want)
		}
		if fail(r, rec, pool, now+second) {
			t.Errorf("%d: ejected while it is out", i)
		}
		rec.Word(backend.EjectRow).Store(0)
		now += want*second + 5*second
		if since := r.BackSince(rec, now); since != now-5*second {
			t.Errorf("%d: back for %d s", i, (now-since)/second)
		}
	}
	now += 301 * second
	if !fail(r, rec, pool, now) || r.Ejected(rec, now+30*second) {
		t.Error("who served for long is out for longer than the first time")
	}
}

func TestFailuresInARowAreCountedOverWorkers(t *testing.T) {
	r, records := ejecting(50), record(t)
	if r.Done(records[0], Outcome{Status: 502}, 0, 0) || !r.Done(records[1], Outcome{Failed: true}, 0, 0) {
		t.Error("not the second in a row")
	}
	r.Done(records[0], Outcome{Status: 500}, 0, 0) // is not in the list
	for i, o := range []Outcome{{Status: 504}, {Cancelled: true, Failed: true}, {}, {Status: 404}, {Failed: true}} {
		if r.Done(records[i%2], o, 0, 0) {
			t.Errorf("%+v: asks for ejection", o)
		}
	}
	if Compile(&config.Upstream{}) != nil {
		t.Error("rules of nothing")
	}
}

// Whoever decides last sees all others, so of the many at once never too many stay out.
func TestEjectionsAtOnceKeepToTheCap(t *testing.T) {
	r := ejecting(50)
	for range 300 {
		a, workers := shared(t, 2)
		var pools [2][]*arena.Record
		for row := 1; row <= 6; row++ {
			if err := a.Claim(row, uint64(row)); err != nil {
				t.Fatal(err)
			}
			for i, w := range workers {
				pools[i] = append(pools[i], w.Record(row, uint64(row)))
			}
		}
		var wait sync.WaitGroup
		for i := range 12 {
			wait.Go(func() { fail(r, pools[i%2][i/2], pools[i%2], 1000*second) })
		}
		wait.Wait()
		gone := 0
		for _, rec := range pools[0] {
			if r.Ejected(rec, 1001*second) {
				gone++
			}
			if rec.Word(backend.EjectedUntil).Load()&undecided != 0 {
				t.Fatal("one is undecided")
			}
		}
		if gone > 3 {
			t.Fatalf("%d of 6 are out", gone)
		}
	}
}

func TestAnEjectionThatNobodyDecidedKeepsNobodyOut(t *testing.T) {
	r, rec := ejecting(50), arena.NewRecord()
	rec.Word(backend.EjectedUntil).Store(even(1030*second) | undecided) // its process was killed
	if r.Ejected(rec, 1000*second) || r.BackSince(rec, 1100*second) != 0 {
		t.Error("out")
	}
	pool := []*arena.Record{rec, arena.NewRecord()}
	if fail(r, pool[1], pool, 1000*second) {
		t.Error("it does not count for the cap")
	}
	if !fail(r, rec, pool, 1031*second) {
		t.Error("never ejected again")
	}
}
