package e2e

import (
	"crypto/tls"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// ways of failing a health check.
func sicken(m *member, way string) {
	switch way {
	case "503":
		m.has(trouble{sick: 503})
	case "silence":
		m.has(trouble{mute: true})
	case "refused":
		m.die()
	}
}

// checked is a route whose backends are checked in a way of its own. The first of them fall ill, each in its way; two stay well.
type checked struct {
	route
	ways       []string
	sick, well fleet
}

// Load: GET in both workers, to pools that are checked over tcp, http, https and grpc. Fault: backends fall ill in all ways that their check can see. Expected: 0
// failed; within 100 ms of control's knowing no worker asks them any more; they are asked again once they are well.
func TestFaultAnUnhealthyBackendGetsNothing(t *testing.T) {
	count := faultTest(t, 1, 20)
	const params = "?check_frequency=1s&failure=1&connection_timeout=400ms&read_timeout=400ms"
	id := newIdentity(t, nil, "backend")
	pair, err := tls.X509KeyPair([]byte(id.cert), []byte(id.pem))
	if err != nil {
		t.Fatal(err)
	}
	all := []string{"503", "silence", "refused"}
	pools := []checked{
		{route: route{name: "tcp", upstream: "tcp://backend" + params}, ways: all[2:]},
		{route: route{name: "http", upstream: "http://backend/health" + params}, ways: all},
		{route: route{name: "https", upstream: "https://backend/health" + params}, ways: all},
		{route: route{name: "grpc", upstream: "grpc://backend" + params + "&service=shop"}, ways: all},
	}
	addr := freePort(t)
	var routes []route
	for n := range pools {
		p := &pools[n]
		p.upstream = fmt.Sprintf("health_check = %q\nread_timeout = \"400ms\"", p.upstream)
		var cfg *tls.Config
		if p.name == "https" {
			cfg = &tls.Config{Certificates: []tls.Certificate{pair}}
			p.upstream += "\nsni = \"backend\"\nverify_cert = false"
		}
		f := newFleetTLS(t, len(p.ways)+2, cfg)
		p.sick, p.well, p.addrs, p.location = f[:len(p.ways)], f[len(p.ways):], f.addrs(), "max_retries = 4"
		routes = append(routes, p.route)
	}
	i := start(t, routesConf(addr, routes...))
	var loads []*traffic
	for _, p := range pools {
		loads = append(loads, runLoad(t, addr, getsOf(p.name, 2, 5*time.Millisecond)...))
		p.sick.all(t, 10)
	}
	for range count {
		i.fallIll(pools)
	}
	for _, l := range loads {
		l.mustBeClean(t)
	}
}

// fallIll lets backends be ill for a while.
func (i *instance) fallIll(pools []checked) {
	i.t.Helper()
	from := i.logged()
	for _, p := range pools {
		for n, m := range p.sick {
			sicken(m, p.ways[n])
		}
	}
	for _, p := range pools {
		for n, m := range p.sick {
			at := i.becomes(from, m.addr, "unhealthy")
			p.well.all(i.t, 20)
			late := m.lastArrival().Sub(at)
			i.t.Logf("%s, %s: the last request came %v after control knew", p.name, p.ways[n], late.Round(time.Millisecond))
			if late > time.Second { // on a machine that is busy; the goal is noticeTime
				i.t.Errorf("%s, %s: a request came %v after control knew", p.name, p.ways[n], late)
			}
		}
	}
	i.inBoth(func() {
		for _, p := range pools {
			p.sick.quiet(i.t, p.well, 50)
		}
	})
	from = i.logged()
	for _, p := range pools {
		for _, m := range p.sick {
			if m.isDead() {
				m.back()
			}
			m.has(trouble{})
		}
	}
	for _, p := range pools {
		for _, m := range p.sick {
			i.becomes(from, m.addr, "healthy")
		}
		p.sick.all(i.t, 10)
	}
}

func (m *member) isDead() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.server == nil
}

// inBoth fails when a worker has had no request while something went on.
func (i *instance) inBoth(what func()) {
	i.t.Helper()
	before := i.status()
	what()
	i.eventually("requests in both workers", func() error {
		had := map[int]uint64{}
		for _, w := range before.workers() {
			had[w.PID] = w.Requests
		}
		for _, w := range i.status().workers() {
			if w.Requests == had[w.PID] {
				return fmt.Errorf("worker %d has had none", w.Slot)
			}
		}
		return nil
	})
}

// What a backend gets before its check has a result is as health_initial says.
func TestHealthInitial(t *testing.T) {
	t.Parallel()
	const check = `health_check = "http://backend/health?check_frequency=1s&success=2&failure=1&read_timeout=4s"`
	for _, c := range []struct {
		name      string
		unchecked bool // gets requests before any result
		afterOne  bool // and after one success
	}{
		{name: "healthy", unchecked: true, afterOne: true},
		{name: "first_result", afterOne: true},
		{name: "first_success"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, 2)
			addr := freePort(t)
			f[1].has(trouble{deaf: true})
			i := start(t, healConf(addr, f, check+"\nhealth_initial = \""+c.name+"\"", ""))
			i.eventually("a first backend", func() error {
				if asked(t, addr, "/", 1)["b0"] != 1 {
					return fmt.Errorf("no answer of b0")
				}
				return nil
			})
			if by := asked(t, addr, "/", 20); (by["b1"] > 0) != c.unchecked || by["b0"]+by["b1"] != 20 {
				t.Errorf("before any result: %v", by)
			}
			probes := f[1].probes.Load()
			f[1].has(trouble{})
			i.eventually("b1", func() error {
				if asked(t, addr, "/", 4)["b1"] == 0 {
					return fmt.Errorf("no answer of b1")
				}
				return nil
			})
			// The probe that was not answered is the first; it succeeds when b1 begins to speak.
			if had := f[1].probes.Load() - probes; c.name == "first_success" && had < 1 {
				t.Errorf("after %d further checks b1 gets requests", had)
			}
		})
	}
}

// Without a healthy backend requests are answered with 503, or, with fail_open, by all that are not taken out by hand.
func TestFailOpen(t *testing.T) {
	t.Parallel()
	const check = `health_check = "http://backend/health?check_frequency=1s&failure=1"`
	for name, want := range map[string][]string{"": {"503"}, "fail_open = true": {"b0", "b1"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, 2)
			addr := freePort(t)
			i := start(t, healConf(addr, f, check+"\n"+name, ""))
			for _, m := range f {
				from := i.logged()
				m.has(trouble{sick: 500})
				i.becomes(from, m.addr, "unhealthy")
			}
			i.eventually("answers of "+strings.Join(want, " and "), func() error {
				by := asked(t, addr, "/", 10)
				if got := slices.Sorted(maps.Keys(by)); !slices.Equal(got, want) {
					return fmt.Errorf("answers of %v", by)
				}
				return nil
			})
		})
	}
}

// Backups get requests while no other backend can, and not a moment longer.
func TestBackups(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 3)
	addr := freePort(t)
	conf := healConf(addr, f, `health_check = "http://backend/health?check_frequency=1s&failure=1"`, "")
	conf = strings.Replace(conf, f[2].addr, f[2].addr+" 1 backup", 1)
	i := start(t, conf)
	if by := asked(t, addr, "/", 30); by["b0"] != 15 || by["b1"] != 15 {
		t.Errorf("all well: %v", by)
	}
	for n, m := range f[:2] {
		from := i.logged()
		m.has(trouble{sick: 500})
		i.becomes(from, m.addr, "unhealthy")
		want := []string{"b1", "b2"}[n]
		i.eventually("only "+want, func() error {
			if by := asked(t, addr, "/", 20); by[want] != 20 {
				return fmt.Errorf("%v", by)
			}
			return nil
		})
	}
	from := i.logged()
	f[0].has(trouble{})
	i.becomes(from, f[0].addr, "healthy")
	i.eventually("the backup to be left", func() error {
		if by := asked(t, addr, "/", 20); by["b0"] != 20 {
			return fmt.Errorf("%v", by)
		}
		return nil
	})
}
