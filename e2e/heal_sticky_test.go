package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// cookieOf is what a client sends back of an answer's cookie, and whether there was one.
func cookieOf(a *answer, name string) (string, bool) {
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.Name == name {
			return fmt.Sprintf("Cookie: %s=%s", c.Name, c.Value), true
		}
	}
	return "", false
}

// client that has been sent to a backend.
type sticking struct{ cookie, backend string }

// newSticking are n of them.
func newSticking(t *testing.T, addr, target string, n int) []sticking {
	t.Helper()
	var list []sticking
	for range n {
		a := mustGet(t, addr, target, 200)
		cookie, ok := cookieOf(a, "where")
		if !ok {
			t.Fatalf("no cookie: %v", a.header)
		}
		list = append(list, sticking{cookie, a.header.Get(nameField)})
	}
	return list
}

// stick fails when a client is sent elsewhere, or is given another cookie.
func stick(t *testing.T, when, addr, target string, list []sticking) {
	t.Helper()
	for _, s := range list {
		for range 4 {
			a := mustGet(t, addr, target, 200, s.cookie)
			if got := a.header.Get(nameField); got != s.backend {
				t.Errorf("%s: a client of %s was sent to %s", when, s.backend, got)
			}
			if again, ok := cookieOf(a, "where"); ok {
				t.Errorf("%s: a client of %s got another cookie: %s, had %s", when, s.backend, again, s.cookie)
			}
		}
	}
}

// Clients keep their backend over reloads, rolls and a new supervisor, and go to another when it is gone.
func TestFaultStickyClients(t *testing.T) {
	faultTest(t, 1, 1)
	f := newFleet(t, 4)
	addr := freePort(t)
	base := healConf(addr, f, `sticky = "cookie:where"
health_check = "http://backend/health?check_frequency=1s&failure=1"`, "")
	i := start(t, changing(base, 0))
	i.later = true
	list := newSticking(t, addr, "/", 12)
	for _, m := range f {
		if !slices.ContainsFunc(list, func(s sticking) bool { return s.backend == m.name }) {
			t.Errorf("no client of 12 was sent to %s", m.name)
		}
		if slices.ContainsFunc(list, func(s sticking) bool { return strings.Contains(s.cookie, m.addr) }) {
			t.Error("the cookie shows an address")
		}
	}
	stick(t, "at first", addr, "/", list)
	i.change(changing(base, 1))
	stick(t, "after a reload", addr, "/", list)
	i.roll()
	stick(t, "after a roll", addr, "/", list)
	i.killSupervisor()
	i.again()
	i.waitRunning()
	stick(t, "after a new supervisor", addr, "/", list)
	from := i.logged()
	f[2].has(trouble{sick: 500})
	i.becomes(from, f[2].addr, "unhealthy")
	for n, s := range list {
		if s.backend != f[2].name {
			continue
		}
		i.eventually("another backend", func() error {
			a := mustGet(t, addr, "/", 200, s.cookie)
			cookie, ok := cookieOf(a, "where")
			if !ok {
				return errors.New("no new cookie")
			}
			list[n] = sticking{cookie, a.header.Get(nameField)}
			return nil
		})
	}
	stick(t, "without one backend", addr, "/", list)
}

// A backend that drains keeps its sticky clients, and one that is down loses them.
func TestDrainKeepsStickyClients(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 3)
	addr := freePort(t)
	i := start(t, healConf(addr, f, `sticky = "cookie:where"`, ""))
	list := newSticking(t, addr, "/", 9)
	i.mustVerb("upstream", "drain", "app", f[0].addr)
	if by := asked(t, addr, "/", 30); by["b0"] != 0 || by["b1"] != 15 {
		t.Errorf("while it drains: %v", by)
	}
	stick(t, "while it drains", addr, "/", list)
	i.mustVerb("upstream", "down", "app", f[0].addr)
	for _, s := range list {
		if got := mustGet(t, addr, "/", 200, s.cookie).header.Get(nameField); got == "b0" || s.backend != "b0" && got != s.backend {
			t.Errorf("while it is down a client of %s was sent to %s", s.backend, got)
		}
	}
	i.mustVerb("upstream", "up", "app", f[0].addr)
	stick(t, "when it is up again", addr, "/", list)
	if by := asked(t, addr, "/", 30); by["b0"] != 10 {
		t.Errorf("when it is up again: %v", by)
	}
}

// Load: GET and POST. Fault: the backend of the mirror is well, hangs, is slow, cuts, or is dead. Expected: 0 failed and no request slower by it.
func TestFaultAMirrorChangesNothing(t *testing.T) {
	faultTest(t, 1, 1)
	f, mirror := newFleet(t, 2), newFleet(t, 1)
	addr := freePort(t)
	shadow := fmt.Sprintf("\n[upstreams.shadow]\naddrs = [%q]\nread_timeout = \"2s\"\n", mirror[0].addr)
	i := start(t, healConf(addr, f, "", `mirror = "shadow"`, shadow))
	for _, c := range []struct {
		name string
		tr   trouble
		dead bool
	}{
		{name: "well"}, {name: "hangs", tr: trouble{hang: true}}, {name: "slow", tr: trouble{delay: time.Second}}, {name: "cuts", tr: trouble{cut: true}}, {name: "dead", dead: true},
	} {
		mirror[0].has(c.tr)
		if c.dead {
			mirror[0].die()
		}
		before, mirrored := f[0].total.Load()+f[1].total.Load(), mirror[0].total.Load()
		l := runLoad(t, addr, append(gets(3), mix{clients: 2, pause: 5 * time.Millisecond, request: numbered("POST", "/mirrored-"+c.name)})...)
		began := time.Now()
		l.progress(t, 500)
		l.mustBeClean(t)
		arrived := f[0].total.Load() + f[1].total.Load() - before
		t.Logf("%s: %d requests in %v, %d mirrored", c.name, arrived, time.Since(began).Round(time.Millisecond), mirror[0].total.Load()-mirrored)
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s: 500 requests took %v", c.name, took)
		}
		if c.name == "well" {
			i.eventually("a copy of nearly each request", func() error { return atLeast((mirror[0].total.Load()-mirrored)*100, arrived*95) })
			mirror.mustArriveOnce(t, "POST")
		}
	}
	f.mustArriveOnce(t, "POST")
}

// A share of the requests is mirrored, and only those with bodies that are short enough.
func TestMirrorPercentAndBody(t *testing.T) {
	t.Parallel()
	f, mirror := newFleet(t, 1), newFleet(t, 1)
	addr := freePort(t)
	shadow := fmt.Sprintf("\n[upstreams.shadow]\naddrs = [%q]\n", mirror[0].addr)
	conf := healConf(addr, f, "", "mirror = \"shadow\"\nmirror_percent = 50", shadow)
	i := start(t, conf)
	asked(t, addr, "/", 400)
	i.eventually("about 200 copies", func() error { return atLeast(mirror[0].total.Load(), 140) })
	time.Sleep(100 * time.Millisecond) // for more of them
	if n := mirror[0].total.Load(); n > 260 {
		t.Errorf("%d of 400 requests were mirrored, not half", n)
	}
	i.change(strings.Replace(conf, "mirror_percent = 50", "mirror_max_body = \"1kb\"", 1))
	had := mirror[0].total.Load()
	for _, size := range []int{5000, 10} {
		if a, err := fetch(addr, send("POST", "/", strings.Repeat("x", size), idField+fmt.Sprintf(": POST of %d", size))); err != nil || a.status != 200 {
			t.Fatalf("%v %v", a, err)
		}
	}
	i.eventually("the short one", func() error { return atLeast(mirror[0].total.Load(), had+1) })
	time.Sleep(100 * time.Millisecond) // for the long one
	if ids := mirror.arrived(); ids["POST of 10"] != 1 || ids["POST of 5000"] != 0 {
		t.Errorf("mirrored: %v", ids)
	}
}
