package arena

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// later is a clock of tests: ahead of the true one, so that only the test moves it.
func later() int64 { return Now() + time.Hour.Nanoseconds() }

// admit asks n times and returns how many were admitted.
func admit(a *Arena, key Key, interval time.Duration, burst int, now int64, n int) (got int) {
	for range n {
		if ok, _, _ := a.Allow(key, interval, burst, now); ok {
			got++
		}
	}
	return got
}

func TestARateAdmitsABurstAndThenOneInEachInterval(t *testing.T) {
	for _, c := range []struct {
		interval time.Duration
		burst    int
	}{{time.Nanosecond, 1}, {1, 3}, {333, 7}, {time.Millisecond, 1}, {time.Second, 10}, {time.Hour, 100}, {365 * 24 * time.Hour, 1}} {
		a := create(t, Options{Columns: 3, Rates: 64})
		workers := []*Arena{attach(t, a, 0), attach(t, a, 1), attach(t, a, 2)}
		key, now := Key{1, 2}, later()
		admitted := func() (n int) {
			for i := range 3*c.burst + 3 {
				if ok, _, _ := workers[i%3].Allow(key, c.interval, c.burst, now); ok {
					n++
				}
			}
			return n
		}
		if got := admitted(); got != c.burst {
			t.Errorf("%v, %d: %d at once", c.interval, c.burst, got)
		}
		now += int64(c.interval) - 1
		if got := admitted(); got != 0 {
			t.Errorf("%v, %d: %d before the interval has passed", c.interval, c.burst, got)
		}
		now++
		if got := admitted(); got != 1 {
			t.Errorf("%v, %d: %d after an interval", c.interval, c.burst, got)
		}
		now += int64(c.interval) * int64(min(c.burst, 2))
		if got := admitted(); got != min(c.burst, 2) {
			t.Errorf("%v, %d: %d after two intervals", c.interval, c.burst, got)
		}
		now += int64(c.interval) * int64(c.burst) * 5
		if got := admitted(); got != c.burst {
			t.Errorf("%v, %d: %d after a pause", c.interval, c.burst, got)
		}
		if a.Evicted() != 0 {
			t.Error("evicted")
		}
	}
}

func TestWhoIsRefusedIsToldHowLong(t *testing.T) {
	a := attach(t, create(t, Options{}), 0)
	random := rand.New(rand.NewPCG(3, 4))
	for i := range 200 {
		key, now := Key{uint64(i), 1}, later()
		interval, burst := time.Duration(1+random.IntN(1e9)), 1+random.IntN(5)
		for range 20 {
			ok, wait, _ := a.Allow(key, interval, burst, now)
			if ok {
				now += random.Int64N(int64(interval))
				continue
			}
			if wait < 1 || wait > interval {
				t.Fatalf("%v of %v", wait, interval)
			}
			if early, rest, _ := a.Allow(key, interval, burst, now+int64(wait)-1); early || rest != 1 {
				t.Fatalf("admitted before, or %v is left", rest)
			}
			now += int64(wait)
			if ok, _, _ := a.Allow(key, interval, burst, now); !ok {
				t.Fatal("refused after what it was told to wait")
			}
		}
	}
}

func TestOddRatesAreBounded(t *testing.T) {
	a := attach(t, create(t, Options{}), 0)
	now := later()
	for i, c := range []struct {
		interval time.Duration
		burst    int
		now      int64
		want     int // of 10
	}{
		{0, 5, now, 10}, {-1, 5, now, 10}, {math.MinInt64, 0, now, 10},
		{time.Second, 0, now, 0}, {time.Second, math.MinInt, now, 0},
		{math.MaxInt64, 1, now, 1}, {math.MaxInt64, math.MaxInt, now, 1}, {time.Second, math.MaxInt, now, 10}, {maxSpan / 2, 5, now, 2},
		{time.Second, 3, -5, 1}, {time.Second, 3, math.MinInt64, 1}, {time.Second, 3, math.MaxInt64, 10},
	} {
		if got := admit(a, Key{uint64(i), 9}, c.interval, c.burst, c.now, 10); got != c.want {
			t.Errorf("%v, %d, at %d: %d, want %d", c.interval, c.burst, c.now, got, c.want)
		}
	}
}

func TestKeysDoNotShare(t *testing.T) {
	a := attach(t, create(t, Options{}), 0)
	now := later()
	for _, shape := range []func(i uint64) Key{
		func(i uint64) Key { return Key{i, 0} }, func(i uint64) Key { return Key{0, i << 40} }, func(i uint64) Key { return Key{i, i} },
		func(i uint64) Key { return Key{^i, 7} }, func(i uint64) Key { return Key{i << 56, i >> 8} },
	} {
		now += time.Minute.Nanoseconds() // all are forgotten
		for i := range uint64(2000) {
			if got := admit(a, shape(i+1), time.Second, 3, now, 4); got != 3 {
				t.Fatalf("%v: %d admitted", shape(i+1), got)
			}
		}
	}
	if got := a.Evicted(); got != 0 {
		t.Errorf("%d evicted: the windows are not used alike", got)
	}
}

func TestPlacesOfKeysAreOthersInEachArena(t *testing.T) {
	same := 0
	for i := range uint64(1000) {
		one, _ := Key{i, 5}.place(1)
		two, _ := Key{i, 5}.place(2)
		if one&1023 == two&1023 {
			same++
		}
	}
	if same > 20 {
		t.Errorf("%d of 1000", same)
	}
}

func TestAFullWindowGivesUpWhatIsNearestToRunningOut(t *testing.T) {
	a := attach(t, create(t, Options{Columns: 1, Rates: places}), 0)
	now := later()
	for i := range uint64(places) {
		if got := admit(a, Key{i, 1}, time.Second, 20, now, int(i)+2); got != int(i)+2 {
			t.Fatal(got)
		}
	}
	if ok, _, _ := a.Allow(Key{100, 1}, time.Second, 4, now); !ok || a.Evicted() != 1 {
		t.Errorf("%v, %d evicted", ok, a.Evicted())
	}
	for i := uint64(1); i < places; i++ { // all but the first know what they have had
		if got := admit(a, Key{i, 1}, time.Second, 20, now, 30); got != 20-int(i)-2 {
			t.Errorf("key %d: %d more", i, got)
		}
	}
	for i := range uint64(1000) { // light ones push out light ones
		a.Allow(Key{i, 2}, time.Second, 1, now)
	}
	for i := uint64(1); i < places; i++ {
		if got := admit(a, Key{i, 1}, time.Second, 20, now, 30); got != 0 {
			t.Errorf("key %d: %d more after a flood", i, got)
		}
	}
	if got := a.Evicted(); got != 1001 || a.Rates() != places {
		t.Errorf("%d evicted of %d", got, a.Rates())
	}
	now += 20*time.Second.Nanoseconds() + grace
	for i := range uint64(places) {
		a.Allow(Key{i, 3}, time.Second, 1, now)
	}
	if got := a.Evicted(); got != 1001 {
		t.Errorf("%d evicted, although the time of all was past", got-1001)
	}
}

func TestReadersAreToldAndCountNothing(t *testing.T) {
	a := create(t, Options{Columns: 1, Rates: 8})
	w, now, key := attach(t, a, 0), later(), Key{4, 4}
	for name, r := range map[string]*Arena{"only reads": attach(t, a, ReadOnly), "control": a} {
		now += time.Minute.Nanoseconds()
		if got := admit(r, key, time.Second, 2, now, 10); got != 10 {
			t.Errorf("%s: %d of 10 of an unknown key", name, got)
		}
		if got := admit(w, key, time.Second, 2, now, 10); got != 2 {
			t.Errorf("%s: it counted, %d are left", name, 2-got)
		}
		if ok, wait, _ := r.Allow(key, time.Second, 2, now); ok || wait != time.Second {
			t.Errorf("%s: %v, %v", name, ok, wait)
		}
		if got := admit(r, key, time.Second, 2, now+1e9, 10); got != 10 {
			t.Errorf("%s: %d of 10 when one may come", name, got)
		}
	}
}

func TestRatesOfAFurtherPartAreUsedWhenAllKnowIt(t *testing.T) {
	a := create(t, Options{Columns: 2, Rates: places})
	w, other := attach(t, a, 0), attach(t, a, 1)
	now := later()
	for i := range uint64(places) {
		admit(w, Key{i, 1}, time.Hour, 5, now, 3)
	}
	if err := a.Grow(0, 0, 0); err != nil {
		t.Fatal(err)
	}
	for _, m := range []*Arena{w, other} {
		if err := m.AddPart(dup(t, a.Parts()[0])); err != nil {
			t.Fatal(err)
		}
	}
	p := w.parts()[1]
	if d := time.Duration(p.opens - Now()); d < opening/2 || d > opening {
		t.Errorf("opens in %v", d)
	}
	p.opens = now + 1
	if admit(w, Key{100, 1}, time.Hour, 5, now, 9) != 5 || w.Evicted() != 1 {
		t.Errorf("before it opens: %d evicted", w.Evicted())
	}
	now++
	if admit(w, Key{101, 1}, time.Hour, 5, now, 9) != 5 || admit(other, Key{101, 1}, time.Hour, 5, now, 9) != 0 || w.Evicted() != 1 {
		t.Errorf("afterwards: %d evicted", w.Evicted())
	}
	left := 0 // those of before the growth, of which one was evicted
	for i := range uint64(places) {
		left += admit(other, Key{i, 1}, time.Hour, 5, now, 9)
	}
	if left != 2*places+3 || a.Rates() != places+DefaultRates {
		t.Errorf("%d left of %d rates", left, a.Rates())
	}
}

func TestRubbishInRatesIsBounded(t *testing.T) {
	a := create(t, Options{Columns: 1, Rates: places})
	w, key := attach(t, a, 0), Key{6, 6}
	random := rand.New(rand.NewPCG(1, 2))
	_, tag := key.place(a.parts()[0].id)
	for round := range 5000 {
		now := later()
		all := w.parts()[0].windows[0][:]
		for i := range all {
			all[i].state.Store(random.Uint64() >> random.IntN(64))
			all[i].owner.Store(random.Uint64())
			if random.IntN(2) == 0 { // as if it were the key's
				all[i].owner.Store(tag<<turnBits | all[i].state.Load()&turnMask)
			}
		}
		if round%10 == 0 {
			w.parts()[0].evicted.Store(math.MaxUint64)
		}
		_, wait, _ := w.Allow(key, time.Second, 3, now)
		if wait < 0 || wait > time.Second {
			t.Fatalf("%v", wait)
		}
		for range places { // the first that refuses is cut, one after the other at worst
			now += 4e9
			w.Allow(key, time.Second, 3, now)
		}
		if got := admit(w, key, time.Second, 3, now+4e9, 10); got != 3 {
			t.Fatalf("%d admitted when all rubbish has run out", got)
		}
	}
	w.Evicted()
}

func TestASmallerBurstHoldsAtOnce(t *testing.T) {
	w, key, now := attach(t, create(t, Options{}), 0), Key{7, 7}, later()
	if got := admit(w, key, time.Second, 100, now, 200); got != 100 {
		t.Fatal(got)
	}
	if ok, wait, _ := w.Allow(key, time.Second, 2, now); ok || wait != time.Second {
		t.Errorf("%v, %v", ok, wait)
	}
	if got := admit(w, key, time.Second, 2, now+1e9, 9); got != 1 {
		t.Errorf("%d a second later", got)
	}
}

func TestAllowAllocatesNothing(t *testing.T) {
	w := attach(t, create(t, Options{}), 0)
	i := uint64(0)
	got := testing.AllocsPerRun(1000, func() {
		i++
		now := Now()
		w.Allow(Key{i, 1}, time.Second, 1, now)
		w.Allow(Key{1, 1}, time.Second, 1, now)
	})
	if got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func BenchmarkAllow(b *testing.B) {
	a, err := Create(Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	a.column = 0 // as a worker
	for name, key := range map[string]func(i uint64) Key{
		"one":     func(uint64) Key { return Key{1, 1} },
		"1000":    func(i uint64) Key { return Key{i % 1000, 2} },
		"50000":   func(i uint64) Key { return Key{i % 50000, 3} },
		"refused": func(uint64) Key { return Key{1, 4} },
	} {
		interval := time.Nanosecond
		if name == "refused" {
			interval = maxSpan // the burst is one
		}
		for _, n := range []int{1, 4} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				b.SetParallelism(max(1, n/2))
				loop := func(next func() bool) {
					for i, now := rand.Uint64N(1e6), Now(); next(); i++ {
						now += 10
						a.Allow(key(i), interval, 1e9, now)
					}
				}
				if n == 1 {
					loop(b.Loop)
					return
				}
				b.RunParallel(func(pb *testing.PB) { loop(pb.Next) })
			})
		}
	}
}
