package e2e

import "testing"

// Fault: the supervisor dies, without a service manager that would keep what it knew, and is started again. Expected: health, ejections, breakers, slow start,
// sticky clients, and what an operator has asked for are as they were.
func TestFaultStateOfBackendsOutlivesTheSupervisor(t *testing.T) {
	count := faultTest(t, 1, 10)
	h := newHealed(t, func(conf string) *instance { return startOwn(t, conf) })
	for n := range count {
		h.i.kill(h.i.status().supervisor())
		h.i.again()
		h.i.waitRunning()
		h.holds("after the death of the supervisor")
		h.i.change(changing(h.conf, n+1))
		h.holds("after a reload since then")
		if t.Failed() {
			t.FailNow()
		}
	}
	h.heals()
}

// Load: GET in both workers. Fault: the supervisor dies and comes back, while a backend is drained. Expected: 0 failed, and that gets no request at any moment.
func TestFaultADrainedBackendOutlivesTheSupervisor(t *testing.T) {
	count := faultTest(t, 1, 20)
	f := newFleet(t, 3)
	addr := freePort(t)
	i := start(t, healConf(addr, f, "", ""))
	i.later = true
	l := runLoad(t, addr, gets(2)...)
	f.all(t, 10)
	i.mustVerb("upstream", "drain", "app", f[0].addr)
	before := f[0].total.Load()
	for range count {
		i.kill(i.status().supervisor())
		f[1:].all(t, 50)
		i.again()
		i.waitRunning()
		f[1:].all(t, 50)
	}
	if n := f[0].total.Load() - before; n > 0 {
		t.Errorf("the drained backend has had %d requests", n)
	}
	l.mustBeClean(t)
}
