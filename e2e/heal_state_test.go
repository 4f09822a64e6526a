package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// healed is an instance whose backends have been brought into every state there is. Whatever happens to it, they must stay so.
type healed struct {
	t      *testing.T
	i      *instance
	addr   string
	conf   string
	f      fleet // of upstream app: two that serve, then one each of ill, drained, down, ejected
	broken fleet // of upstream broken: one whose breaker is open, one that serves
	slow   fleet // of upstream slow: one that has begun slowly, for minutes, and one that serves
	sticky []sticking
}

const healedKeys = `health_check = "http://backend/health?check_frequency=1s&failure=1"
sticky = "cookie:where"
retry_status = "503"
eject_consecutive_failures = 3
eject_max_percent = 50
eject_duration = "20m"`

// newHealed starts an instance with start, which is given the configuration, and brings the backends into their states.
func newHealed(t *testing.T, start func(conf string) *instance) *healed {
	t.Helper()
	h := &healed{t: t, addr: freePort(t), f: newFleet(t, 6), broken: newFleet(t, 2), slow: newFleet(t, 2)}
	h.conf = healConf(h.addr, h.f, healedKeys, "max_retries = 3") + fmt.Sprintf(`
[locations.broken]
path = "/broken"
upstream = "broken"
max_retries = 0

[upstreams.broken]
addrs = ["%s", "%s"]
enable_backend_stats = true
circuit_break_max_consecutive_failures = 4
circuit_break_open_duration = "20m"

[locations.slow]
path = "/slow"
upstream = "slow"

[upstreams.slow]
addrs = ["%s", "%s"]
slow_start = "10m"
health_check = "http://backend/health?check_frequency=1s&failure=1"

[basic]
max_draining_generations = 1000
`, h.broken[0].addr, h.broken[1].addr, h.slow[0].addr, h.slow[1].addr)
	h.conf = strings.Replace(h.conf, `locations = ["all"]`, `locations = ["all", "broken", "slow"]`, 1)
	h.i = start(changing(h.conf, 0))
	h.trouble()
	h.sticky = newSticking(t, h.addr, "/", 4)
	h.holds("at first")
	return h
}

// trouble brings the backends into their states.
func (h *healed) trouble() {
	h.t.Helper()
	from := h.i.logged()
	h.f[2].has(trouble{sick: 500})
	h.slow[0].has(trouble{sick: 500})
	h.i.becomes(from, h.f[2].addr, "unhealthy")
	h.i.becomes(from, h.slow[0].addr, "unhealthy")
	from = h.i.logged()
	h.slow[0].has(trouble{})
	h.i.becomes(from, h.slow[0].addr, "healthy")
	h.i.mustVerb("upstream", "drain", "app", h.f[3].addr)
	h.i.mustVerb("upstream", "down", "app", h.f[4].addr)
	h.f[5].has(trouble{status: 503})
	h.broken[0].has(trouble{status: 500})
	h.i.eventually("an ejection and an open breaker", func() error {
		asked(h.t, h.addr, "/", 12)
		asked(h.t, h.addr, "/broken", 12)
		ejected, open := h.f[5].total.Load(), h.broken[0].total.Load()
		asked(h.t, h.addr, "/", 12)
		asked(h.t, h.addr, "/broken", 12)
		if now := h.f[5].total.Load(); now > ejected {
			return fmt.Errorf("the one that fails gets requests: %d", now)
		}
		if now := h.broken[0].total.Load(); now > open {
			return fmt.Errorf("the one whose breaker should be open gets requests: %d", now)
		}
		return nil
	})
	// So that nothing but the memory of it keeps them out.
	h.f[5].has(trouble{})
	h.broken[0].has(trouble{})
}

// holds fails when a backend gets requests that should have none, or one that has begun slowly as many as another, or when a client is sent elsewhere.
func (h *healed) holds(when string) {
	h.t.Helper()
	out := append(append(fleet{}, h.f[2:]...), h.broken[0])
	before := out.totals()
	by := asked(h.t, h.addr, "/", 40)
	broken := asked(h.t, h.addr, "/broken", 20)
	for n, now := range out.totals() {
		if now > before[n] {
			h.t.Errorf("%s: the %s backend has had %d requests", when, []string{"unhealthy", "drained", "down", "ejected", "broken"}[n], now-before[n])
		}
	}
	if by["b0"] != 20 || by["b1"] != 20 || broken["b1"] != 20 {
		h.t.Errorf("%s: answers of %v, and of %v behind the breaker", when, by, broken)
	}
	// A tenth at first, and not more than a quarter of its share within the first minute and a half.
	if slow := asked(h.t, h.addr, "/slow", 40); slow["b0"] > 14 || slow["b0"]+slow["b1"] != 40 {
		h.t.Errorf("%s: the backend that begins slowly has had %v", when, slow)
	}
	stick(h.t, when, h.addr, "/", h.sticky)
	list := h.i.verb("upstream", "list", "app")
	if list.code != 0 {
		h.t.Errorf("%s: upstream list: exit code %d: %s", when, list.code, list.all())
	}
	for n, word := range []string{"unhealthy", "drain", "down", "eject"} {
		addr := h.f[2+n].addr
		found := false
		for line := range strings.Lines(list.stdout) {
			found = found || strings.Contains(line, addr) && strings.Contains(line, word)
		}
		if !found {
			h.t.Errorf("%s: upstream list does not say that %s is %s:\n%s", when, addr, word, list.stdout)
		}
	}
}

// heals fails when they do not come back once there is a reason to.
func (h *healed) heals() {
	h.t.Helper()
	from := h.i.logged()
	h.f[2].has(trouble{})
	h.i.becomes(from, h.f[2].addr, "healthy")
	h.i.mustVerb("upstream", "up", "app", h.f[3].addr)
	h.i.mustVerb("upstream", "up", "app", h.f[4].addr)
	h.i.eventually("all but the ejected one to serve", func() error {
		if by := asked(h.t, h.addr, "/", 25); by["b0"] != 5 || by["b1"] != 5 || by["b2"] != 5 || by["b3"] != 5 || by["b4"] != 5 {
			return fmt.Errorf("%v", by)
		}
		return nil
	})
}

// Fault: everything that replaces configurations or processes but the death of the supervisor, one after the other. Expected: health, ejections, breakers, slow start, sticky
// clients, and what an operator has asked for stay as they were.
func TestFaultStateOfBackendsStays(t *testing.T) {
	count := faultTest(t, 1, 10)
	h := newHealed(t, func(conf string) *instance { return startOwn(t, conf) })
	two := builds(t)
	for n := range count {
		for _, e := range []struct {
			name string
			do   func(i *instance)
		}{
			{"a reload of something else", func(i *instance) { i.change(changing(h.conf, 2*n+1)) }},
			{"an apply of other addresses", func(i *instance) {
				more := newFleet(t, 1)[0] // named b0, and in the place of b0
				old := h.f[0]
				i.change(changing(strings.Replace(h.conf, old.addr, more.addr, 1), 2*n+1))
				asked(t, h.addr, "/", 4)
				if more.total.Load() == 0 {
					t.Error("the new address has had no request")
				}
				i.change(changing(h.conf, 2*n+2))
			}},
			{"a roll", func(i *instance) { i.roll() }},
			{"the death of a worker", func(i *instance) {
				i.kill(i.status().workers()[0].PID)
				i.waitRunning()
			}},
			{"the death of all workers", func(i *instance) {
				for _, pid := range i.status().pids() {
					i.kill(pid)
				}
				i.waitRunning()
			}},
			{"the death of control", func(i *instance) {
				i.kill(i.status().of("control")[0].PID)
				i.eventually("control", func() error {
					_, err := i.tryStatus()
					return err
				})
			}},
			{"an upgrade", func(i *instance) {
				i.install(two[(n+1)%2])
				i.mustVerb("upgrade", "--wait")
				i.waitRunning()
			}},
		} {
			e.do(h.i)
			h.holds("after " + e.name)
			if t.Failed() {
				t.FailNow()
			}
		}
	}
	h.heals()
}

// Load: GET in both workers. Fault: applies, rolls, deaths of control, while a backend is drained. Expected: 0 failed, and it gets
// no request at any moment.
func TestFaultADrainedBackendGetsNothingThroughout(t *testing.T) {
	count := faultTest(t, 1, 20)
	f := newFleet(t, 3)
	addr := freePort(t)
	base := healConf(addr, f, "", "")
	i := start(t, changing(base, 0))
	l := runLoad(t, addr, gets(2)...)
	f.all(t, 10)
	i.mustVerb("upstream", "drain", "app", f[0].addr)
	before := f[0].total.Load()
	for n := range count {
		i.change(changing(base, n+1))
		i.roll()
		i.kill(i.status().of("control")[0].PID)
		f[1:].all(t, 50)
		i.eventually("control", func() error {
			_, err := i.tryStatus()
			return err
		})
		f[1:].all(t, 50)
	}
	if n := f[0].total.Load() - before; n > 0 {
		t.Errorf("the drained backend has had %d requests", n)
	}
	i.mustVerb("upstream", "up", "app", f[0].addr)
	f[:1].all(t, 10)
	l.mustBeClean(t)
	if r := i.verb("upstream", "drain", "app", "127.0.0.1:1"); r.code == 0 || !strings.Contains(r.stderr, f[0].addr) {
		t.Errorf("an address that is not there: exit code %d: %s", r.code, r.all())
	}
}
