package upstream

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pingap/arena"
	"pingap/arena/backend"
	"pingap/config"
	"pingap/message"
)

const second = int64(time.Second)

// clock is a time that tests set.
type clock struct{ atomic.Int64 }

func (c *clock) options() Options { return Options{Now: c.Load} }

// of builds an upstream of n backends, 10.0.0.1 and so on.
func of(t testing.TB, n int, now *clock, change func(*config.Upstream)) *Upstream {
	t.Helper()
	cfg := &config.Upstream{Name: "up", EjectStatus: "502,503,504"}
	for i := range n {
		cfg.Addrs = append(cfg.Addrs, fmt.Sprintf("10.0.%d.%d:80", i/200, i%200+1))
	}
	if change != nil {
		change(cfg)
	}
	if now == nil {
		return build(t, cfg, Options{})
	}
	if now.Load() == 0 {
		now.Store(10_000 * second)
	}
	return build(t, cfg, now.options())
}

// serve does one request to the end, and returns the backend, nil for none.
func serve(u *Upstream, o Outcome) *Backend {
	rec := request("/")
	b := u.Pick(rec, nil)
	if b != nil {
		b.Begin()
		b.Done(rec, o)
		b.End()
	}
	return b
}

// counts serves n requests and counts where they went.
func counts(u *Upstream, n int) map[string]int {
	got := map[string]int{}
	for range n {
		name := "none"
		if b := serve(u, Outcome{Status: 200}); b != nil {
			name = b.address.Host
		}
		got[name]++
	}
	return got
}

func eject(cfg *config.Upstream) {
	cfg.EjectConsecutiveFailures, cfg.EjectDuration, cfg.EjectMaxPercent = 3, config.Duration(30*time.Second), 50
}

func TestABackendThatFailsIsEjectedAndComesBack(t *testing.T) {
	for _, algo := range []string{"round_robin", "least_conn", "random2", "hash:url"} {
		var now clock
		u := of(t, 4, &now, func(cfg *config.Upstream) { eject(cfg); cfg.Algo = algo })
		bad := u.Backends()[1]
		failed := 0
		for i := 0; failed < 3; i++ {
			rec := request(fmt.Sprintf("/%d", i))
			b := u.Pick(rec, nil)
			b.Begin()
			o := Outcome{Status: 200}
			if b == bad {
				o = Outcome{Failed: true}
				failed++
			}
			b.Done(rec, o)
			b.End()
		}
		for i := range 200 {
			if u.Pick(request(fmt.Sprintf("/%d", i)), nil) == bad {
				t.Fatalf("%s: chosen after %d failures", algo, failed)
			}
		}
		now.Add(31 * second)
		found := false
		for i := range 200 {
			found = found || u.Pick(request(fmt.Sprintf("/y%d", i)), nil) == bad
		}
		if !found {
			t.Errorf("%s: did not come back", algo)
		}
	}
}

func TestAnEjectedOneLeavesItsShareToAll(t *testing.T) {
	var now clock
	u := of(t, 4, &now, eject)
	u.Backends()[1].current().rec.Word(backend.EjectedUntil).Store(uint64(now.Load() + 20*second))
	if got := counts(u, 300); got["10.0.0.1"] != 100 || got["10.0.0.3"] != 100 || got["10.0.0.4"] != 100 {
		t.Error(got)
	}
}

func TestWhoComesBackStartsSlowly(t *testing.T) {
	for _, algo := range []string{"round_robin", "least_conn", "random2"} {
		var now clock
		u := of(t, 4, &now, func(cfg *config.Upstream) {
			eject(cfg)
			cfg.SlowStart, cfg.Algo = config.Duration(100*time.Second), algo
		})
		u.Backends()[0].current().rec.Word(backend.EjectedUntil).Store(uint64(now.Load()))
		last := 0
		for _, c := range []struct {
			after    int64
			from, to int // of 4000 requests
		}{{0, 80, 220}, {50 * second, 400, 750}, {101 * second, 900, 1100}} {
			now.Store(10_000*second + c.after)
			got := counts(u, 4000)["10.0.0.1"]
			if got < c.from || got > c.to || got <= last {
				t.Errorf("%s: %d of 4000 after %d s", algo, got, c.after/second)
			}
			last = got
		}
	}
}

func TestANewOneStartsSlowlyAndTheFirstDoNot(t *testing.T) {
	var now clock
	u := of(t, 3, &now, func(cfg *config.Upstream) { cfg.SlowStart = config.Duration(time.Hour) })
	if got := counts(u, 300); got["10.0.0.1"] != 100 {
		t.Errorf("at first: %v", got)
	}
	list := append(listed(u), Endpoint{Address: config.Address{Network: "tcp", Host: "10.0.0.9", Port: 80}, Weight: 1, Since: time.Now().UnixNano()})
	u.SetEndpoints(list, nil)
	if got := counts(u, 3100)["10.0.0.9"]; got < 70 || got > 140 {
		t.Errorf("the new one: %d of 3100", got)
	}
	now.Add(2 * 3600 * second)
	u.SetEndpoints(list, nil) // told again, it is no newer
	if got := counts(u, 400)["10.0.0.9"]; got != 100 {
		t.Errorf("the new one, later: %d of 400", got)
	}
	for i := range list {
		list[i].Since = time.Now().UnixNano() + int64(i) // all of them
	}
	u.SetEndpoints(list, nil)
	for range 100 {
		if got := counts(u, 8); got["10.0.0.1"] != 2 || got["10.0.0.2"] != 2 || got["10.0.0.3"] != 2 {
			t.Fatalf("all at once take turns: %v", got)
		}
	}
}

func TestBackupsServeOnlyWhileNoOtherCan(t *testing.T) {
	for _, algo := range []string{"", "least_conn", "random2", "hash:ip"} {
		var now clock
		u := of(t, 2, &now, func(cfg *config.Upstream) {
			eject(cfg)
			cfg.EjectMaxPercent, cfg.Algo, cfg.Sticky = 100, algo, "cookie:s"
			cfg.Addrs = append(cfg.Addrs, "10.0.0.8:80 backup", "10.0.0.9:80 3 backup")
		})
		if got := counts(u, 50); got["10.0.0.1"]+got["10.0.0.2"] != 50 {
			t.Errorf("%s: %v", algo, got)
		}
		one, two := u.Backends()[0], u.Backends()[1]
		setDown(u, one, true)
		two.current().rec.Word(backend.EjectedUntil).Store(uint64(now.Load() + 20*second))
		if got := counts(u, 50); got["10.0.0.8"]+got["10.0.0.9"] != 50 {
			t.Errorf("%s: one is down, one ejected: %v", algo, got)
		}
		stuck := sticking(u.Backends()[2])
		if b := u.Pick(stuck, nil); b != u.Backends()[2] {
			t.Errorf("%s: does not stick to the backup meanwhile", algo)
		}
		now.Add(21 * second)
		if got := counts(u, 50); got["10.0.0.2"] != 50 || u.Pick(stuck, nil) != two {
			t.Errorf("%s: one is back: %v", algo, got)
		}
		if b := u.Pick(request("/"), []*Backend{two}); b == nil || b == one || b == two {
			t.Errorf("%s: the only other one was tried: %v", algo, b)
		}
	}
}

func TestFailOpen(t *testing.T) {
	var now clock
	u := of(t, 4, &now, func(cfg *config.Upstream) { eject(cfg); cfg.FailOpen, cfg.EjectMaxPercent = true, 100 })
	all := u.Backends()
	tell(u, all[0], func(e *Endpoint) { e.Admin = Down })
	tell(u, all[1], func(e *Endpoint) { e.Health = Unchecked })
	tell(u, all[2], func(e *Endpoint) { e.Health, e.Backup = Unhealthy, true })
	if got := counts(u, 30); got["10.0.0.4"] != 30 {
		t.Errorf("one is healthy: %v", got)
	}
	if b := u.Pick(request("/"), all[3:]); b != nil {
		t.Errorf("a healthy one was tried, and then %s", b.Addr)
	}
	all[3].current().rec.Word(backend.EjectedUntil).Store(uint64(now.Load() + 20*second))
	if got := counts(u, 30); got["10.0.0.2"] != 10 || got["10.0.0.3"] != 10 || got["10.0.0.4"] != 10 {
		t.Errorf("none is: %v", got)
	}
	now.Add(21 * second)
	if got := counts(u, 30); got["10.0.0.4"] != 30 {
		t.Errorf("one is again: %v", got)
	}
}

func TestWithoutFailOpenNobodyServes(t *testing.T) {
	u := of(t, 2, nil, nil)
	for _, b := range u.Backends() {
		tell(u, b, func(e *Endpoint) { e.Health = Unchecked })
	}
	if got := counts(u, 5); got["none"] != 5 {
		t.Error(got)
	}
}

// sticking is a request with the cookie of a backend.
func sticking(b *Backend) *message.Record {
	rec := request("/")
	rec.Request.Fields.Add("Cookie", append([]byte("a=b; "+b.Upstream().Sticky()+"="), b.AppendSticky(nil)...))
	return rec
}

func TestClientsStickToTheirBackend(t *testing.T) {
	var now clock
	u := of(t, 5, &now, func(cfg *config.Upstream) { eject(cfg); cfg.Sticky = "cookie:route" })
	if u.Sticky() != "route" || of(t, 1, nil, nil).Sticky() != "" {
		t.Error("name of the cookie")
	}
	for _, b := range u.Backends() {
		value := string(b.AppendSticky(nil))
		if len(value) != stickySize || strings.Contains(value, "10.0") {
			t.Errorf("value %q", value)
		}
		for range 10 {
			if got := u.Pick(sticking(b), nil); got != b {
				t.Errorf("%s with the cookie of %s", got.Addr, b.Addr)
			}
		}
	}
	b := u.Backends()[2]
	for name, change := range map[string]func(*Endpoint){
		"unhealthy": func(e *Endpoint) { e.Health = Unhealthy }, "unchecked": func(e *Endpoint) { e.Health = Unchecked },
		"down": func(e *Endpoint) { e.Admin = Down },
	} {
		tell(u, b, change)
		if got := u.Pick(sticking(b), nil); got == b || got == nil {
			t.Errorf("%s: %v", name, got)
		}
		tell(u, b, func(e *Endpoint) { e.Health, e.Admin = Healthy, Up })
	}
	if got := u.Pick(sticking(b), []*Backend{b}); got == b || got == nil {
		t.Error("it was tried")
	}
	b.current().rec.Word(backend.EjectedUntil).Store(uint64(now.Load() + second))
	if got := u.Pick(sticking(b), nil); got == b || got == nil {
		t.Error("it is ejected")
	}
	for _, text := range []string{"", "0", strings.Repeat("f", 16), strings.Repeat("g", 16), strings.Repeat("0", 17)} {
		rec := request("/")
		rec.Request.Fields.Add("Cookie", []byte("route="+text))
		if u.Pick(rec, nil) == nil {
			t.Errorf("%q: no backend", text)
		}
	}
}

func TestWhoDrainsGetsOnlyThoseThatStick(t *testing.T) {
	u := of(t, 3, nil, func(cfg *config.Upstream) { cfg.Sticky = "cookie:s" })
	b := u.Backends()[0]
	tell(u, b, func(e *Endpoint) { e.Admin = Drain })
	if got := counts(u, 100)[b.address.Host]; got != 0 || u.Pick(sticking(b), nil) != b {
		t.Errorf("%d of 100 without the cookie", got)
	}
}

// mapped is an arena as the process of a column has it.
func mapped(t testing.TB, a *arena.Arena, column int) *arena.Arena {
	t.Helper()
	fd, err := unix.FcntlInt(uintptr(a.FD()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	m, err := arena.Map(fd, column)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// workers builds an upstream in each of n workers, with records in one arena.
func workers(t testing.TB, n, backends int, now *clock, change func(*config.Upstream)) (*arena.Arena, []*Upstream) {
	t.Helper()
	a, err := arena.Create(arena.Options{Columns: n, Rows: 8, Records: 4096})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	for row := 1; row <= backends+1; row++ {
		if err := a.Claim(row, uint64(1000+row)); err != nil {
			t.Fatal(err)
		}
	}
	var all []*Upstream
	for column := range n {
		m := mapped(t, a, column)
		u := of(t, backends, now, change)
		list := listed(u)
		for i := range list {
			list[i].Record = m.Record(i+2, uint64(1000+i+2))
		}
		u.SetEndpoints(list, m.Record(1, 1001))
		all = append(all, u)
	}
	return a, all
}

func TestRoundRobinIsExactOverWorkers(t *testing.T) {
	_, both := workers(t, 2, 4, nil, nil)
	var wait sync.WaitGroup
	var got [2]map[string]int
	for i, u := range both {
		wait.Go(func() { got[i] = counts(u, 1000+i*400) })
	}
	wait.Wait()
	for host, n := range got[0] {
		if n += got[1][host]; n != 600 {
			t.Errorf("%s has %d of 2400", host, n)
		}
	}
}

func TestPlacesAreExactOverWorkers(t *testing.T) {
	_, both := workers(t, 2, 2, nil, func(cfg *config.Upstream) { cfg.MaxRequestsPerBackend = 3 })
	var taken []*Backend
	for i := range 7 {
		b := both[i%2].Pick(request("/"), nil)
		if (b == nil) != (i == 6) {
			t.Fatalf("request %d: %v", i, b)
		}
		if b != nil {
			b.Begin()
			taken = append(taken, b)
		}
	}
	changed := both[0].Changed()
	taken[0].End()
	select {
	case <-changed:
	default:
		t.Error("nobody hears of the place")
	}
	if b := both[1].Pick(request("/"), nil); b == nil || b.Addr != taken[0].Addr {
		t.Errorf("the free place is not found: %v", b)
	}

	var inside [2]atomic.Int64
	var over atomic.Bool
	var wait sync.WaitGroup
	_, both = workers(t, 2, 2, nil, func(cfg *config.Upstream) { cfg.MaxRequestsPerBackend = 3 })
	for i := range 8 {
		wait.Go(func() {
			for range 3000 {
				rec := request("/")
				b := both[i%2].Pick(rec, nil)
				if b == nil {
					continue
				}
				b.Begin()
				n := &inside[b.address.Host[len(b.address.Host)-1]-'1']
				if n.Add(1) > 3 {
					over.Store(true)
				}
				n.Add(-1)
				b.Done(rec, Outcome{Status: 200})
				b.End()
			}
		})
	}
	wait.Wait()
	if over.Load() {
		t.Error("more than three at once")
	}
	for _, u := range both {
		for _, b := range u.Backends() {
			if b.InFlight() != 0 || b.inFlightOverAll() != 0 {
				t.Errorf("%s: %d left, %d over all", b.Addr, b.InFlight(), b.inFlightOverAll())
			}
		}
	}
}

func TestLeastConnLooksAtAllWorkers(t *testing.T) {
	_, both := workers(t, 2, 2, nil, func(cfg *config.Upstream) { cfg.Algo = "least_conn" })
	busy := both[0].Backends()[0]
	for range 5 {
		busy.Begin()
	}
	if got := counts(both[1], 40); got["10.0.0.2"] != 40 {
		t.Error(got)
	}
}

func TestABreakerHoldsInAllWorkers(t *testing.T) {
	var now clock
	_, both := workers(t, 2, 2, &now, func(cfg *config.Upstream) {
		cfg.EnableBackendStats, cfg.CircuitBreakMaxConsecutiveFailures = true, 4
		cfg.CircuitBreakOpenDuration, cfg.CircuitBreakHalfOpenConsecutiveSuccessThreshold = config.Duration(10*time.Second), 2
	})
	for i := range 16 {
		serve(both[i/2%2], Outcome{Status: 500})
	}
	if b, o := serve(both[0], Outcome{}), serve(both[1], Outcome{}); b != nil || o != nil {
		t.Fatalf("both breakers should be open: %v %v", b, o)
	}
	now.Add(11 * second)
	var probes []*message.Record
	for i := range 6 {
		rec := request("/")
		if b := both[i%2].Pick(rec, nil); b != nil {
			b.Begin()
			defer b.End()
			probes = append(probes, rec)
		}
	}
	if len(probes) != 4 {
		t.Fatalf("%d probes, want two for each backend", len(probes))
	}
	now.Add(11 * second) // they are lost
	if got := counts(both[1], 8); got["none"] != 0 || stateOf(both[0].Backends()[0]) != backend.Closed {
		t.Errorf("%v", got)
	}
}

func stateOf(b *Backend) backend.State {
	return backend.Word(b.current().rec.Word(backend.BreakerState).Load()).State()
}
