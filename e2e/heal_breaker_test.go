package e2e

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

// ask makes n requests at once, each on a connection of its own, and returns how many came to which status; 0 is no answer. It
// returns when all have begun; the channel gives the outcome.
func askAtOnce(addr, target string, n int) <-chan map[int]int {
	out := make(chan map[int]int, 1)
	var wg sync.WaitGroup
	var mu sync.Mutex
	by := map[int]int{}
	for range n {
		wg.Go(func() { // ends with its answer, within exchangeTime
			a, err := fetch(addr, get(target))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				by[0]++
				return
			}
			by[a.status]++
		})
	}
	go func() { // ends with the last of them
		wg.Wait()
		out <- by
	}()
	return out
}

const (
	breakAfter  = 12
	breakProbes = 3
	breakOpen   = 2 * time.Second
	breakKeys   = `enable_backend_stats = true
circuit_break_max_consecutive_failures = 12
circuit_break_half_open_consecutive_success_threshold = 3
circuit_break_open_duration = "2s"`
)

// Load: requests through both workers. Fault: the backend answers 500. Expected: after exactly as many failures as the breaker allows, over
// both workers together, nothing arrives until it was open for its time; then exactly as many probes at once as it allows; a
// failure of one opens it again, their success closes it.
func TestFaultTheBreakerIsExactOverWorkers(t *testing.T) {
	count := faultTest(t, 2, 20)
	f := newFleet(t, 1)
	m := f[0]
	addr := freePort(t)
	i := start(t, healConf(addr, f, breakKeys, "max_retries = 0"))
	for range count {
		base := m.total.Load()
		m.has(trouble{status: 500})
		var opened time.Time
		i.inBoth(func() {
			by := asked(t, addr, "/", breakAfter)
			opened = time.Now()
			if by["500"] != breakAfter {
				t.Fatalf("closed: answers %v", by)
			}
			if by = asked(t, addr, "/", 40); by["503"] != 40 {
				t.Errorf("open: answers %v", by)
			}
		})
		if n := m.total.Load() - base; n != breakAfter {
			t.Errorf("%d requests arrived before the breaker was open, not %d", n, breakAfter)
		}
		m.has(trouble{hang: true})
		i.probes(m, addr, base+breakAfter, opened)
		m.has(trouble{status: 500}) // ends those that hang, by failures
		opened = time.Now()
		i.eventually("the breaker to open again", func() error {
			if by := asked(t, addr, "/", 5); by["503"] != 5 {
				return fmt.Errorf("answers %v", by)
			}
			return nil
		})
		if n := m.total.Load() - base - breakAfter - breakProbes; n > 0 {
			t.Errorf("%d requests arrived after a probe had failed", n)
		}
		m.has(trouble{hang: true})
		i.probes(m, addr, base+breakAfter+breakProbes, opened)
		m.has(trouble{})
		i.eventually("the breaker to close", func() error {
			if by := asked(t, addr, "/", 20); by["b0"] != 20 {
				return fmt.Errorf("answers %v", by)
			}
			return nil
		})
	}
}

// Load: requests through both workers. Fault: the backend answers some with 500. Expected: the breaker stays closed while there are few
// requests, or few of them fail, in a window of both workers together; and opens after one in which more do.
func TestFaultTheBreakerCountsShares(t *testing.T) {
	faultTest(t, 1, 1)
	f := newFleet(t, 1)
	addr := freePort(t)
	i := start(t, healConf(addr, f, `enable_backend_stats = true
backend_stats_interval = "1s"
circuit_break_max_failure_percent = 40
circuit_break_min_requests_threshold = 20
circuit_break_open_duration = "5m"`, "max_retries = 0"))
	ask := func(good, bad int) {
		f[0].has(trouble{})
		for status, n := range map[string]int{"b0": good, "500": bad} {
			if n == 0 {
				continue
			}
			f[0].has(trouble{status: map[string]int{"500": 500}[status]})
			if by := asked(t, addr, "/", n); by[status] != n {
				t.Fatalf("closed: answers %v, not %d of %s", by, n, status)
			}
		}
	}
	i.inBoth(func() {
		for range 12 { // four or five in a window
			ask(0, 1)
			time.Sleep(220 * time.Millisecond)
		}
		for end := time.Now().Add(3 * time.Second); time.Now().Before(end); {
			ask(9, 3)
		}
	})
	f[0].has(trouble{status: 500})
	i.eventually("the breaker to open", func() error {
		if by := asked(t, addr, "/", 10); by["503"] != 10 {
			return fmt.Errorf("answers %v", by)
		}
		return nil
	})
}

// probes waits until the half-open breaker lets requests pass, which hang, and fails when they are not as many as it allows. Before they had
// been base.
func (i *instance) probes(m *member, addr string, base int64, opened time.Time) {
	i.t.Helper()
	time.Sleep(max(0, time.Until(opened.Add(breakOpen/2)))) // not early
	i.eventually("probes", func() error {
		for range 8 {
			askAtOnce(addr, "/", 1)
		}
		return atLeast(m.total.Load()-base, breakProbes)
	})
	if early := time.Until(opened.Add(breakOpen)); early > 0 {
		i.t.Errorf("the breaker was half open %v early", early)
	}
	askAtOnce(addr, "/", 20)
	time.Sleep(300 * time.Millisecond) // for one too many
	if n := m.total.Load() - base; n != breakProbes {
		i.t.Errorf("%d probes at once, %d may be", n, breakProbes)
	}
}

// Load: requests through both workers. Fault: the backend refuses connections. Expected: the breaker opens, too, and tries it again.
func TestFaultTheBreakerCountsConnectionsThatFail(t *testing.T) {
	faultTest(t, 1, 1)
	f := newFleet(t, 2)
	addr := freePort(t)
	i := start(t, healConf(addr, f, breakKeys+"\nhealth_check = \"tcp://x?failure=1000\"", "max_retries = 0"))
	f[1].die()
	by := asked(t, addr, "/", 2*breakAfter+20)
	if by["b0"] != breakAfter+20 || by["502"] != breakAfter {
		t.Errorf("answers %v", by)
	}
	f[1].back()
	i.eventually("requests for b1", func() error {
		if by := asked(t, addr, "/", 4); by["b1"] == 0 {
			return fmt.Errorf("answers %v", by)
		}
		return nil
	})
}

const mostAtOnce = 4

// Load: more requests at once than two backends may have. Fault: a worker is killed that holds some. Expected: never more at once on a
// backend than it may have, over both workers; the others are answered with 503; places of the dead worker are free again.
func TestFaultRequestsAtOnceAreExactOverWorkers(t *testing.T) {
	count := faultTest(t, 2, 20)
	f := newFleet(t, 2)
	addr := freePort(t)
	i := start(t, healConf(addr, f, fmt.Sprintf("max_requests_per_backend = %d", mostAtOnce), "max_retries = 0"))
	for n := range count {
		for _, m := range f {
			m.has(trouble{hang: true})
			m.max.Store(0)
		}
		outcome := askAtOnce(addr, "/", 40)
		i.eventually("all places taken", func() error { return f.hold(mostAtOnce) })
		killed := n%2 == 1
		if killed {
			i.killOneThatHolds(f)
			i.waitRunning()
			second := askAtOnce(addr, "/", 40)
			i.eventually("all places taken again", func() error { return f.hold(mostAtOnce) })
			defer func() { <-second }()
		}
		time.Sleep(100 * time.Millisecond) // for one too many
		for _, m := range f {
			if most := m.max.Load(); most != mostAtOnce {
				t.Errorf("%s had %d requests at once, %d may be", m.name, most, mostAtOnce)
			}
			m.has(trouble{})
		}
		by := <-outcome
		t.Logf("answers %v, a worker was killed: %v", by, killed)
		if !killed && (by[200] != 2*mostAtOnce || by[503] != 40-2*mostAtOnce) {
			t.Errorf("answers %v", by)
		}
	}
	i.eventually("the end of all requests", func() error { return f.hold(0) })
	for _, m := range f {
		m.has(trouble{delay: 5 * time.Millisecond})
	}
	// A place is free again a moment after the answer, so there are fewer clients than places.
	l := runLoad(t, addr, mix{clients: mostAtOnce, pause: time.Millisecond, fresh: true, request: numbered("GET", "/load")})
	l.progress(t, 300)
	for _, m := range f {
		if most := m.max.Load(); most > mostAtOnce {
			t.Errorf("%s had %d requests at once, %d may be", m.name, most, mostAtOnce)
		}
	}
	l.mustBeClean(t)
}

// killOneThatHolds kills a worker, and the next one if that had none of the requests that the backends hold.
func (i *instance) killOneThatHolds(f fleet) {
	i.t.Helper()
	for _, pid := range i.status().pids() {
		i.kill(pid)
		if within(time.Second, func() error {
			if f.hold(mostAtOnce) == nil {
				return errors.New("it had none")
			}
			return nil
		}) == nil {
			return
		}
	}
	i.t.Fatal("no worker had requests")
}

// hold says whether each has so many requests in process.
func (f fleet) hold(n int64) error {
	for _, m := range f {
		if now := m.now.Load(); now != n {
			return fmt.Errorf("%s has %d requests", m.name, now)
		}
	}
	return nil
}

// Requests beyond max_requests_per_backend wait in the queue and are answered when there is room; those beyond the queue, and those that wait
// too long, are answered with 503.
func TestTheQueue(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 1)
	addr := freePort(t)
	i := start(t, healConf(addr, f, "max_requests_per_backend = 2\nqueue_size = 10\nqueue_timeout = \"2s\"", "max_retries = 0"))
	f[0].has(trouble{hang: true})
	i.queues(f[0], addr, 12, func() { f[0].has(trouble{delay: 5 * time.Millisecond}) }, map[int]int{200: 12}, 0)
	f[0].has(trouble{hang: true})
	late := time.AfterFunc(4*time.Second, func() { f[0].has(trouble{}) })
	defer late.Stop()
	i.queues(f[0], addr, 12, func() {}, map[int]int{200: 2, 503: 10}, 2*time.Second)
	f[0].has(trouble{hang: true})
	// Each worker has a queue of 10: of 50 at least 28 are too many. A place is free a moment after its answer, so that all who are served may
	// have waited.
	outcome := askAtOnce(addr, "/", 50)
	i.eventually("requests at the backend", func() error { return f.hold(2) })
	time.Sleep(300 * time.Millisecond) // for those that are refused
	f[0].has(trouble{})
	if by := <-outcome; by[200] < 10 || by[200] > 22 || by[200]+by[503] != 50 {
		t.Errorf("beyond the queue: answers %v", by)
	}
	if most := f[0].max.Load(); most != 2 {
		t.Errorf("%d requests at once", most)
	}
}

// queues asks n times at once, frees the backend when two requests have arrived, and wants these answers, after at least a time.
func (i *instance) queues(m *member, addr string, n int, free func(), want map[int]int, least time.Duration) {
	i.t.Helper()
	began := time.Now()
	outcome := askAtOnce(addr, "/", n)
	i.eventually("requests at the backend", func() error { return fleet{m}.hold(2) })
	time.Sleep(200 * time.Millisecond) // those that wait go on waiting
	if now := m.now.Load(); now != 2 {
		i.t.Errorf("%d requests at once", now)
	}
	free()
	by := <-outcome
	if fmt.Sprint(by) != fmt.Sprint(want) {
		i.t.Errorf("answers %v, not %v", by, want)
	}
	if took := time.Since(began); took < least {
		i.t.Errorf("answers after %v", took)
	}
}
