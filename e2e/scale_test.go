package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// manyLocations is a configuration of n locations on one server, every hundredth with an upstream of its own.
func manyLocations(addr, backend string, n int, changed string) string {
	var b, names strings.Builder
	for i := range n {
		fmt.Fprintf(&names, "\"l%d\",", i)
		upstream := fmt.Sprintf("u%d", i/100)
		switch i % 10 {
		case 9:
			fmt.Fprintf(&b, "[locations.l%d]\npath = \"~^/re/%d/[0-9]+$\"\nupstream = %q\n", i, i, upstream)
		case 8:
			fmt.Fprintf(&b, "[locations.l%d]\npath = \"=/exact/%d\"\nhost = \"h%d.example.com\"\nupstream = %q\n", i, i, i, upstream)
		default:
			fmt.Fprintf(&b, "[locations.l%d]\npath = \"/prefix/%d/\"\nupstream = %q\n", i, i, upstream)
		}
	}
	for i := range n/100 + 1 {
		addrs := backend
		if i == 0 && changed != "" {
			addrs = changed
		}
		fmt.Fprintf(&b, "[upstreams.u%d]\naddrs = [%q]\n", i, addrs)
	}
	return fmt.Sprintf("[servers.web]\naddr = %q\nlocations = [%s]\n", addr, names.String()) + b.String()
}

func TestTenThousandLocationsAreChangedUnderLoad(t *testing.T) {
	t.Parallel()
	one, two := newBackend(t, "one"), newBackend(t, "two")
	addr := freePort(t)
	const n = 10_000
	i := start(t, manyLocations(addr, one.addr, n, ""))
	for _, target := range []string{"/prefix/0/x", "/prefix/9990/x", "/re/9999/12"} {
		if err := want(addr, target, "one"); err != nil {
			t.Fatalf("%s: %v", target, err)
		}
	}
	if a := mustGet(t, addr, "/exact/9998", 200, "Host: h9998.example.com"); strings.TrimSpace(string(a.body)) != "one" {
		t.Errorf("exact: %q", a.body)
	}
	mustGet(t, addr, "/exact/9998", 404)
	pids := i.status().pids()
	l := runLoad(t, addr, mix{clients: 8, pause: 2 * time.Millisecond, request: func(n uint64) string {
		return get(fmt.Sprintf("/prefix/%d/", n*10%10_000))
	}})
	l.progress(t, 200)
	for round := range 4 {
		changed, name := two.addr, "two"
		if round%2 == 1 {
			changed, name = one.addr, "one"
		}
		write(t, i.conf, manyLocations(addr, one.addr, n, changed))
		began := time.Now()
		r := i.reload()
		took := time.Since(began)
		t.Logf("applied in %v: %s", took.Round(time.Millisecond), strings.TrimSpace(r.stdout))
		if took > applyBound() {
			t.Errorf("the apply took %v", took)
		}
		contains(t, r.stdout, "1 changes")
		if err := want(addr, "/prefix/0/x", name); err != nil {
			t.Error(err)
		}
	}
	l.progress(t, 100)
	l.mustBeClean(t)
	if now := i.status().pids(); !slices.Equal(now, pids) {
		t.Errorf("workers were replaced: %v, then %v", pids, now)
	}
}

// applyBound is for loaded machines, where loading gives way to requests: an apply takes well under a second on one that does
// nothing else. The race detector makes it ten times slower.
func applyBound() time.Duration {
	if os.Getenv("E2E_RACE") != "" {
		return patience
	}
	return 15 * time.Second
}

// connectionCounts are busy and idle connections; the large ones need a machine that has nothing else to do.
func connectionCounts() (busy, idle int) {
	if os.Getenv("SOAK") != "" {
		return 2000, 10_000
	}
	return 100, 500
}

func TestIdleAndBusyConnectionsAtOnce(t *testing.T) {
	t.Parallel()
	busy, idle := connectionCounts()
	b := newBackend(t, "app")
	addr := freePort(t)
	i := start(t, proxyConf(addr, b.addr))
	waiting := openIdle(t, addr, idle)
	l := runLoad(t, addr, mix{clients: busy, pause: 20 * time.Millisecond, request: always(get("/load"))})
	l.progress(t, uint64(busy)*5)
	i.eventually("all connections in status", func() error {
		var open int64
		for _, w := range i.status().workers() {
			open += w.Connections
		}
		return atLeast(open, int64(busy+idle))
	})
	for _, w := range i.status().workers() {
		t.Logf("worker %d: %d connections, %d requests, %.1f MiB", w.Slot, w.Connections, w.Requests, float64(w.Memory)/(1<<20))
	}
	// Those that were idle meanwhile, and have been parked, still work.
	errs := make(chan error, len(waiting))
	var wg sync.WaitGroup
	limit := make(chan struct{}, 32)
	for _, c := range waiting {
		limit <- struct{}{}
		wg.Go(func() { // ends with its exchange
			defer func() { <-limit }()
			if a, err := c.do(get("/again")); err != nil || a.status != 200 {
				errs <- fmt.Errorf("%+v, %w", a, err)
			}
		})
	}
	wg.Wait()
	l.mustBeClean(t)
	close(errs)
	failed := 0
	for err := range errs {
		if failed++; failed <= 3 {
			t.Errorf("a connection that was idle: %v", err)
		}
	}
	if failed > 0 {
		t.Errorf("%d of %d idle connections did not work", failed, idle)
	}
}

// openIdle opens connections that have served one request each and then wait.
func openIdle(t *testing.T, addr string, n int) []*client {
	t.Helper()
	var list []*client
	for range n {
		c := dial(t, addr)
		if a, err := c.do(get("/first")); err != nil || a.status != 200 {
			t.Fatalf("connection %d: %+v, %v", len(list), a, err)
		}
		list = append(list, c)
	}
	return list
}
