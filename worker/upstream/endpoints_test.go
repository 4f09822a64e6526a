package upstream

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pingap/arena"
	"pingap/arena/backend"
	"pingap/config"
	"pingap/message"
)

func tcp(host string, port int) config.Address {
	return config.Address{Network: "tcp", Host: host, Port: port}
}

func TestNamesHaveNoBackendsUntilControlTells(t *testing.T) {
	u := build(t, &config.Upstream{Addrs: []string{"web.test:80", "other.test"}}, Options{})
	if b := u.Pick(request("/"), nil); b != nil {
		t.Fatalf("%s", b.Addr)
	}
	changed := u.Changed()
	u.SetEndpoints([]Endpoint{{Address: tcp("10.0.0.1", 80), Weight: 1}}, nil)
	select {
	case <-changed:
	default:
		t.Error("who waits for a backend hears nothing")
	}
	if b := u.Pick(request("/"), nil); b == nil || b.Addr != "10.0.0.1:80" {
		t.Errorf("%v", b)
	}
	if b := build(t, &config.Upstream{Addrs: []string{"label=web"}, Discovery: "docker"}, Options{}).Pick(request("/"), nil); b != nil {
		t.Errorf("a label is taken for %s", b.Addr)
	}
}

func TestABackendThatStaysKeepsWhatItHas(t *testing.T) {
	server := listen(t, "tcp", "127.0.0.1:0")
	u := build(t, &config.Upstream{Addrs: []string{server.address(), "127.0.0.1:1"}}, Options{})
	stays, leaves := u.Backends()[0], u.Backends()[1]
	stays.Put(dial(t, stays))
	stays.Begin()
	leaves.Begin()
	list := []Endpoint{{Address: stays.address, Weight: 7, Health: Unhealthy}, {Address: tcp("127.0.0.1", 2), Weight: 1}, {Address: stays.address, Weight: 1}}
	u.SetEndpoints(list, nil)
	if got := u.Backends(); len(got) != 2 || got[0] != stays || stays.InFlight() != 1 || u.IdleConnections() != 1 {
		t.Errorf("%v, %d in flight, %d idle", got, stays.InFlight(), u.IdleConnections())
	}
	if len(u.leaving) != 1 {
		t.Errorf("%d are leaving", len(u.leaving))
	}
	u.Sweep(message.Now())
	if len(u.leaving) != 1 {
		t.Error("one with a request in flight is forgotten")
	}
	leaves.End()
	u.Sweep(message.Now())
	if len(u.leaving) != 0 || leaves.InFlight() != 0 {
		t.Error("one that has left is kept")
	}
}

func TestIdleConnectionsOfABackendThatLeavesAreClosed(t *testing.T) {
	server := listen(t, "tcp", "127.0.0.1:0")
	u := build(t, &config.Upstream{Addrs: []string{server.address()}}, Options{})
	b := u.Backends()[0]
	idle, used := dial(t, b), dial(t, b)
	b.Put(idle)
	u.SetEndpoints(nil, nil)
	if u.IdleConnections() != 0 || u.OpenConnections() != 1 {
		t.Errorf("%d idle, %d open", u.IdleConnections(), u.OpenConnections())
	}
	ping(t, used) // what is in flight goes on
	b.Put(used)
	if u.OpenConnections() != 0 {
		t.Errorf("%d open", u.OpenConnections())
	}
}

func TestOpenConnectionsOfUpstreamsOfANameAreCountedTogether(t *testing.T) {
	server := listen(t, "tcp", "127.0.0.1:0")
	shared, _ := workers(t, 1, 1, nil, nil)
	count, err := mapped(t, shared, 0).Counter("open")
	if err != nil {
		t.Fatal(err)
	}
	old := build(t, &config.Upstream{Addrs: []string{server.address()}}, Options{Open: count})
	idle, used := dial(t, old.Backends()[0]), dial(t, old.Backends()[0])
	idle.Backend.Put(idle)
	next := build(t, &config.Upstream{Addrs: []string{server.address()}}, Options{Open: count})
	dial(t, next.Backends()[0])
	if got := count.Load(); got != 3 {
		t.Errorf("%d, want two of the old one and one of the new", got)
	}
	old.Close()
	if got := count.Load(); got != 2 {
		t.Errorf("%d, want one of each: nobody uses the idle one any more", got)
	}
	used.Discard()
	used.Discard()
	if got := count.Load(); got != 1 {
		t.Errorf("%d, want the one of the new one", got)
	}
}

func TestARecordThatBelongsToSomethingElseIsLeftAlone(t *testing.T) {
	a, both := workers(t, 2, 2, nil, func(cfg *config.Upstream) {
		cfg.EjectConsecutiveFailures, cfg.EjectDuration = 2, config.Duration(time.Minute)
	})
	u := both[0]
	b := u.Backends()[0]
	b.Begin()
	a.Free(2)
	if err := a.Claim(2, 55); err != nil {
		t.Fatal(err)
	}
	other := a.Record(2, 55)
	b.Begin() // counted by itself from now on
	for range 9 {
		b.Done(request("/"), Outcome{Failed: true})
	}
	if n := other.Held().Load(); n != 1 || b.InFlight() != 2 || other.Word(backend.EjectRow).Load() != 0 {
		t.Errorf("%d held, %d in flight, %d failures", n, b.InFlight(), other.Word(backend.EjectRow).Load())
	}
	b.End()
	b.End()
	if n := other.Held().Load(); n != 0 || b.InFlight() != 0 {
		t.Errorf("then %d held, %d in flight", n, b.InFlight())
	}
	a.Free(1) // the upstream's own
	if got := counts(u, 10); got["none"] != 0 {
		t.Error(got)
	}
	tell(u, b, func(e *Endpoint) { e.Record = nil }) // what is gone may be told again
}

func TestChangesUnderLoad(t *testing.T) {
	a, both := workers(t, 2, 8, nil, func(cfg *config.Upstream) {
		cfg.MaxRequestsPerBackend, cfg.Sticky, cfg.SlowStart = 50, "cookie:s", config.Duration(time.Second)
		cfg.EjectConsecutiveFailures, cfg.EjectDuration, cfg.EjectMaxPercent = 3, config.Duration(time.Millisecond), 50
		cfg.EnableBackendStats, cfg.CircuitBreakMaxConsecutiveFailures, cfg.CircuitBreakOpenDuration = true, 3, config.Duration(time.Millisecond)
		cfg.FailOpen = true
	})
	var over atomic.Bool
	var served, none atomic.Int64
	var users, changes sync.WaitGroup
	for i := range 6 {
		users.Go(func() {
			u := both[i%2]
			for !over.Load() {
				rec := request("/")
				b := u.Pick(rec, nil)
				if b == nil {
					none.Add(1)
					continue
				}
				served.Add(1)
				b.Begin()
				b.Done(rec, Outcome{Status: 200 + 303*rand.IntN(2), Failed: rand.IntN(9) == 0, Cancelled: rand.IntN(9) == 0})
				b.End()
			}
		})
	}
	for worker, u := range both {
		changes.Go(func() {
			all := listed(u)
			for round := range 400 {
				list := append([]Endpoint(nil), all[:1+rand.IntN(len(all))]...)
				for i := range list {
					list[i].Weight, list[i].Health = 1+rand.IntN(3), Health(rand.IntN(3))
					list[i].Since = int64(rand.IntN(2)) * time.Now().UnixNano()
					if rand.IntN(3) == 0 {
						list[i].Record = nil
					}
				}
				u.SetEndpoints(list, nil)
				if worker == 0 && round%10 == 0 { // rubbish, by another process
					row := 2 + rand.IntN(8)
					for w := range arena.Words {
						a.Record(row, uint64(1000+row)).Word(w).Store(rand.Uint64())
					}
				}
				u.Sweep(message.Now())
			}
			u.SetEndpoints(all, nil)
		})
	}
	changes.Wait()
	over.Store(true)
	users.Wait()
	for _, u := range both {
		u.Sweep(message.Now())
		if len(u.leaving) != 0 {
			t.Errorf("%d are leaving", len(u.leaving))
		}
		for _, b := range u.Backends() {
			if b.InFlight() != 0 || b.inFlightOverAll() != 0 {
				t.Errorf("%s: %d in flight, %d over all", b.Addr, b.InFlight(), b.inFlightOverAll())
			}
		}
	}
	if served.Load() == 0 {
		t.Errorf("%d served, %d found no backend", served.Load(), none.Load())
	}
}

func TestManyChangesLeaveNothingBehind(t *testing.T) {
	u := of(t, 2, nil, nil)
	memory := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	round := func(n int) {
		for i := range n {
			var list []Endpoint
			for k := range 10 {
				list = append(list, Endpoint{Address: tcp(fmt.Sprintf("10.1.%d.%d", i%250, k), 80), Weight: 1})
			}
			u.SetEndpoints(list, nil)
			if b := u.Pick(request("/"), nil); b == nil {
				t.Fatal("no backend")
			}
			if i%100 == 0 {
				u.Sweep(message.Now())
			}
		}
		u.Sweep(message.Now())
	}
	round(100)
	before := memory()
	round(10_000)
	if after := memory(); after > before+1<<20 || len(u.leaving) != 0 || len(u.known) != 10 {
		t.Errorf("%d bytes, then %d; %d known, %d leaving", before, after, len(u.known), len(u.leaving))
	}
}

func TestAThousandBackends(t *testing.T) {
	for _, algo := range []string{"round_robin", "least_conn", "random2", "hash:url"} {
		_, both := workers(t, 1, maxBackends, nil, func(cfg *config.Upstream) {
			cfg.Algo, cfg.Sticky = algo, "cookie:s"
			cfg.EjectConsecutiveFailures, cfg.EjectDuration, cfg.EjectMaxPercent = 1, config.Duration(time.Hour), 50
		})
		u := both[0]
		for i := range 4000 { // half of them, and no more
			rec := request(fmt.Sprintf("/%d", i))
			b := u.Pick(rec, nil)
			b.Begin()
			b.Done(rec, Outcome{Failed: true})
			b.End()
		}
		out := 0
		for _, b := range u.Backends() {
			if u.rules.Ejected(b.current().rec, u.hostNow()) {
				out++
			}
		}
		if out != maxBackends/2 {
			t.Errorf("%s: %d are out", algo, out)
		}
		last := u.Backends()[maxBackends-1]
		last.current().rec.Word(backend.EjectedUntil).Store(0)
		if u.Pick(sticking(last), nil) != last {
			t.Errorf("%s: the last one is not found by its cookie", algo)
		}
	}
}

func TestChoosingAllocatesNothingWithAllOn(t *testing.T) {
	for _, algo := range []string{"round_robin", "least_conn", "random2", "hash:url"} {
		_, both := workers(t, 2, 4, nil, everything(algo))
		u := both[0]
		rec := sticking(u.Backends()[1])
		tell(u, u.Backends()[1], func(e *Endpoint) { e.Health = Unhealthy })
		n := testing.AllocsPerRun(100, func() {
			b := u.Pick(rec, nil)
			b.Begin()
			b.Done(rec, Outcome{Status: 200})
			b.End()
			u.Retries().Budget.Earn()
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", algo, n)
		}
	}
}

// everything configures all that decides about a choice.
func everything(algo string) func(*config.Upstream) {
	return func(cfg *config.Upstream) {
		cfg.Algo, cfg.Sticky, cfg.SlowStart, cfg.MaxRequestsPerBackend = algo, "cookie:s", config.Duration(time.Minute), 100
		cfg.EnableBackendStats, cfg.BackendStatsInterval = true, config.Duration(time.Minute)
		cfg.CircuitBreakMaxConsecutiveFailures, cfg.CircuitBreakMaxFailurePercent, cfg.CircuitBreakMinRequestsThreshold = 5, 50, 10
		cfg.EjectConsecutiveFailures, cfg.EjectDuration, cfg.RetryBudget = 5, config.Duration(time.Second), 20
	}
}

func BenchmarkRequest(b *testing.B) {
	_, shared := workers(b, 2, 4, nil, nil)
	_, all := workers(b, 2, 4, nil, everything("round_robin"))
	for name, u := range map[string]*Upstream{"plain": of(b, 4, nil, nil), "records": shared[0], "everything": all[0]} {
		one := func(rec *message.Record) {
			x := u.Pick(rec, nil)
			x.Begin()
			x.Done(rec, Outcome{Status: 200})
			x.End()
		}
		b.Run(name, func(b *testing.B) {
			rec := request("/items/17?x=1")
			b.ReportAllocs()
			for b.Loop() {
				one(rec)
			}
		})
		b.Run(name+"/parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				rec := request("/items/17?x=1")
				for pb.Next() {
					one(rec)
				}
			})
		})
	}
}
