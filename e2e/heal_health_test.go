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

// sickness is a way of failing a health check.
type sickness struct {
	name string
	fall func(m *member)
}

func sicknesses() map[string]sickness {
	return map[string]sickness{
		"503":     {"503", func(m *member) { m.has(trouble{sick: 503}) }},
		"silence": {"silence", func(m *member) { m.has(trouble{mute: true}) }},
		"refused": {"refused", func(m *member) { m.die() }},
	}
}

// Load: GET in both workers. Fault: one of 3 backends falls ill in all ways that its check can see. Expected: 0 failed; within 100 ms
// of control's knowing no worker asks it any more; it is asked again once it is well.
func TestFaultAnUnhealthyBackendGetsNothing(t *testing.T) {
	count := faultTest(t, 1, 20)
	const params = "?check_frequency=1s&failure=1&connection_timeout=400ms&read_timeout=400ms"
	id := newIdentity(t, nil, "backend")
	pair, err := tls.X509KeyPair([]byte(id.cert), []byte(id.pem))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, check, more string
		tls               *tls.Config
		ways              []string
	}{
		{name: "tcp", check: "tcp://backend" + params, ways: []string{"refused"}},
		{name: "http", check: "http://backend/health" + params, ways: []string{"503", "silence", "refused"}},
		{name: "https", check: "https://backend/health" + params, more: "sni = \"backend\"\nverify_cert = false",
			tls: &tls.Config{Certificates: []tls.Certificate{pair}}, ways: []string{"503", "silence", "refused"}},
		{name: "grpc", check: "grpc://backend" + params + "&service=shop", ways: []string{"503", "silence", "refused"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if soakMinutes(t) == 0 {
				t.Parallel()
			}
			f := newFleetTLS(t, 3, c.tls)
			addr := freePort(t)
			i := start(t, healConf(addr, f, fmt.Sprintf("health_check = %q\nread_timeout = \"400ms\"\n%s", c.check, c.more), "max_retries = 3"))
			l := runLoad(t, addr, gets(2)...)
			f.all(t, 20)
			for range count {
				for _, way := range c.ways {
					i.fallsIll(f, sicknesses()[way])
				}
			}
			l.mustBeClean(t)
		})
	}
}

// fallsIll lets the first of some backends be ill for a while.
func (i *instance) fallsIll(f fleet, s sickness) {
	i.t.Helper()
	sick, well := f[:1], f[1:]
	from := i.logged()
	s.fall(sick[0])
	at := i.becomes(from, sick[0].addr, "unhealthy")
	i.inBoth(func() { well.all(i.t, 50) })
	late := sick[0].lastArrival().Sub(at)
	i.t.Logf("%s: the last request came %v after control knew", s.name, late.Round(time.Millisecond))
	if late > time.Second { // on a machine that is busy; the goal is noticeTime
		i.t.Errorf("%s: a request came %v after control knew", s.name, late)
	}
	i.inBoth(func() { sick.quiet(i.t, well, 100) })
	from = i.logged()
	if sick[0].isDead() {
		sick[0].back()
	}
	sick[0].has(trouble{})
	i.becomes(from, sick[0].addr, "healthy")
	sick.all(i.t, 20)
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
