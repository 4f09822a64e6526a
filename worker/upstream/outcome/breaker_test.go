package outcome

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"pingap/arena/backend"
	"pingap/config"
)

// Each step is done by worker a or b: + and - are requests that succeed and fail, ! one that cannot connect, ~ a client that leaves, < lets a request in that
// stays (for > success, x failure, 0 nothing), # is refused, a number waits seconds. The state is that after all.
func TestBreakerOverTwoWorkers(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*config.Upstream)
		steps  string
		want   backend.State
	}{
		"stays closed":                {nil, "a- b- a+ b- a-", backend.Closed},
		"in a row over both":          {nil, "a- b- a- b#", backend.Open},
		"refused connects count":      {nil, "a! b! a! b#", backend.Open},
		"clients that leave do not":   {nil, "a- b- a~ b~ a~ a+", backend.Closed},
		"waits as long as configured": {nil, "a- a- a- 9 a# b#", backend.Open},
		"then lets probes out":        {nil, "a- a- a- 10 a< b<", backend.HalfOpen},
		"not more than it should":     {nil, "a- a- a- 10 a< b< a# b#", backend.HalfOpen},
		"closes after enough":         {nil, "a- a- a- 10 a+ b+ a+", backend.Closed},
		"one failure opens it":        {nil, "a- a- a- 10 a< b- a#", backend.Open},
		"for the whole time again":    {nil, "a- a- a- 10 b- 9 a#", backend.Open},
		"old probes say nothing":      {nil, "a- a- a- 10 a< b- a> 10 a+", backend.HalfOpen},
		"old failures say nothing":    {nil, "a- a- a- 10 a< b- 10 b< ax b>", backend.HalfOpen},
		"nothing frees the place":     {nil, "a- a- a- 10 a< b< a0 a< b#", backend.HalfOpen},
		"closed begins anew":          {nil, "a- a- a- 10 a+ b+ a- b-", backend.Closed},
		"probes that are lost":        {nil, "a- a- a- 10 a< a< b# 10 b# 1 b< b< a#", backend.HalfOpen},
		"what they said before stays": {nil, "a- a- a- 10 b+ a< a< b# 11 b+", backend.Closed},
		"percent of the last window":  {func(u *config.Upstream) { u.CircuitBreakMaxConsecutiveFailures = 0 }, "a+ b- a+ b- a+ b- a+ b- a+ b- 60 a-", backend.Open},
		"not of the present one":      {func(u *config.Upstream) { u.CircuitBreakMaxConsecutiveFailures = 0 }, "a+ b- a+ b- a+ b- a+ b- a+ b- a- b-", backend.Closed},
		"not of one long ago":         {func(u *config.Upstream) { u.CircuitBreakMaxConsecutiveFailures = 0 }, "a- a- a- a- a- b- b- b- b- b- 120 a-", backend.Closed},
		"too few for a percentage":    {func(u *config.Upstream) { u.CircuitBreakMaxConsecutiveFailures = 0 }, "a- a- a- a- a- b- b- b- b- 60 a-", backend.Closed},
		"fewer than the percentage":   {func(u *config.Upstream) { u.CircuitBreakMaxConsecutiveFailures = 0 }, "a+ a+ a+ a+ a+ a+ b- b- b- b- 60 a-", backend.Closed},
		"a success does not open it":  {func(u *config.Upstream) { u.CircuitBreakMaxConsecutiveFailures = 0 }, "a- a- a- a- a- b- b- b- b- b- 60 a+", backend.Closed},
		"percent 0 is off":            {func(u *config.Upstream) { u.CircuitBreakMaxFailurePercent = 0 }, "a- a- a+ a- a- a+ a- a- a+ a- a- a+ 60 a- a- a+", backend.Closed},
		"percent over 100 is off": {func(u *config.Upstream) {
			u.CircuitBreakMaxFailurePercent, u.CircuitBreakMaxConsecutiveFailures = 101, 99
		}, "a- a- a- a- a- a- a- a- a- a- 60 a-", backend.Closed},
		"the old window does not again": {func(u *config.Upstream) { u.CircuitBreakMaxConsecutiveFailures = 0 }, "a- a- a- a- a- b- b- b- b- b- 60 a- 10 b+ b+ a- b-", backend.Closed},
		"no statistics, no breaker":     {func(u *config.Upstream) { u.EnableBackendStats = false; u.EjectConsecutiveFailures = 0 }, "", backend.Closed},
		"listed statuses":               {func(u *config.Upstream) { u.BackendFailureStatusCode = "503" }, "a- a- a- a- a-", backend.Closed},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := breaker()
			if c.change != nil {
				c.change(cfg)
			}
			r := Compile(cfg)
			if r == nil {
				if c.steps != "" {
					t.Fatal("no rules")
				}
				return
			}
			script := play{t: t, rules: r, records: record(t), now: 6000 * second}
			for i, step := range strings.Fields(c.steps) {
				script.step(fmt.Sprintf("%d %s", i, step), step)
			}
			if got := stateOf(script.records[0]); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

func TestProbesAreNeverMoreThanTheThresholdOverWorkers(t *testing.T) {
	cfg := breaker()
	cfg.CircuitBreakHalfOpenConsecutiveSuccessThreshold = 3
	rules, records := Compile(cfg), record(t)
	records[0].Word(backend.BreakerState).Store(uint64(backend.NewWord(backend.HalfOpen, 1, 0, 0)))
	now := 1000 * second
	records[0].Word(backend.BreakerTime).Store(uint64(now))
	var out, most, let atomic.Int64
	var wait sync.WaitGroup
	for worker := range 8 {
		wait.Go(func() {
			rec := records[worker%2]
			for range 5000 {
				probe, ok := rules.Enter(rec, now)
				if !ok || probe == 0 {
					continue
				}
				let.Add(1)
				n := out.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				if rand.IntN(2) == 0 {
					out.Add(-1)
					rules.Leave(rec, probe)
				} else {
					out.Add(-1)
					rules.Done(rec, Outcome{Cancelled: true}, probe, now)
				}
			}
		})
	}
	wait.Wait()
	w := backend.Word(records[1].Word(backend.BreakerState).Load())
	if most.Load() > 3 || let.Load() == 0 || w.Probes() != 0 || w.State() != backend.HalfOpen {
		t.Errorf("%d at once of %d, then %d out, %v", most.Load(), let.Load(), w.Probes(), w.State())
	}
}

func TestRubbishInWordsIsBounded(t *testing.T) {
	cfg := breaker()
	cfg.EjectConsecutiveFailures, cfg.EjectDuration, cfg.EjectMaxPercent = 5, config.Duration(30*second), 50
	rules := Compile(cfg)
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		records := record1()
		for w := range 15 {
			records.Word(w).Store(random.Uint64() << random.IntN(64))
		}
		now := 5000*second + random.Int64N(second)
		served, at := false, now
		for ; at < now+20*60*second && !served; at += second { // the longest wait is an ejection
			if rules.Ejected(records, at) || !rules.Admits(records, at) {
				continue
			}
			probe, ok := rules.Enter(records, at)
			if served = ok; ok {
				rules.Done(records, Outcome{Status: 200}, probe, at)
			}
		}
		if at > now+rules.lengthOf(backend.MaxEjectTimes)+2*rules.openFor+second {
			t.Fatalf("kept out for %d s", (at-now)/second)
		}
		for range 10 {
			rules.Done(records, Outcome{Status: 502}, Probe(random.Uint64()), at)
			rules.BackSince(records, at)
		}
		if s := backend.Read(records, at); s.EjectTimes > backend.MaxEjectTimes || s.OpenFor < 0 {
			t.Fatalf("%+v", s)
		}
	}
}

func TestAWindowThatIsFullKeepsTheShare(t *testing.T) {
	var w backend.Window
	const many = 5_000_000
	for i := range many {
		w = w.Add(9, i%4 == 0)
	}
	requests, failures := w.Counts(9)
	if share := float64(failures) / float64(requests); requests < many/4 || share < 0.249 || share > 0.251 {
		t.Errorf("%d of %d", failures, requests)
	}
	if n, _ := w.Counts(11); n != 0 {
		t.Errorf("another window has %d", n)
	}
	if n, f := w.Add(11, true).Counts(11); n != 1 || f != 1 {
		t.Errorf("the next begins with %d, %d", n, f)
	}
}
