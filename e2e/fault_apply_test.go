package e2e

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"
)

// oneSHA says whether all workers that accept serve what the instance calls live.
func (i *instance) oneSHA() error {
	st, err := i.tryStatus()
	if err != nil {
		return err
	}
	if len(st.active()) != 2 {
		return fmt.Errorf("%d workers accept", len(st.active()))
	}
	for _, w := range st.active() {
		if w.SHA != st.Config.SHA {
			return fmt.Errorf("worker %d serves %.12s, live is %.12s", w.Slot, w.SHA, st.Config.SHA)
		}
	}
	return nil
}

// Load: all clients. Fault: the supervisor is killed with -9 at some moment of an apply, and started again. Expected: 0 failed;
// all workers serve one configuration, the old one or the new one; the next apply works.
func TestFaultSupervisorKilledWhileApplying(t *testing.T) {
	count := faultTest(t, 8, 100)
	addr, up := freePort(t), newUpstream(t)
	base := proxyFor(addr, up)
	i := start(t, changing(base, 0))
	i.later = true
	l := startFaultLoad(t, addr, up)
	for n := 1; n <= count; n++ {
		write(t, i.conf, changing(base, n))
		answer := i.ask("reload", "--wait", "--timeout", "3s")
		time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond) // a different moment each time is the fault
		i.killSupervisor()
		r := <-answer
		i.again()
		i.waitRunning()
		i.eventually("one configuration", i.oneSHA)
		if r.code == 0 {
			if applied := i.verb("reload", "--wait"); applied.code != 0 {
				t.Errorf("round %d: reload: exit code %d: %s", n, applied.code, applied.all())
			}
		}
	}
	i.change(changing(base, count+1))
	i.eventually("one configuration", i.oneSHA)
	l.goesOn(50)
	l.mustLoseNothing()
}

// Load: all clients. Fault: a worker is killed at some moment of an apply. Expected: what is in flight on it is lost; the apply is
// done in all workers or in none.
func TestFaultWorkerKilledWhileApplying(t *testing.T) {
	count := faultTest(t, 8, 100)
	addr, up := freePort(t), newUpstream(t)
	base := proxyFor(addr, up)
	i := start(t, changing(base, 0))
	l := startFaultLoad(t, addr, up)
	var deaths []death
	done := 0
	for n := 1; n <= count; n++ {
		before := i.status()
		write(t, i.conf, changing(base, n))
		answer := i.ask("reload", "--wait")
		time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond) // a different moment each time is the fault
		if workers := before.active(); len(workers) > 0 {
			deaths = append(deaths, i.kill(workers[n%len(workers)].PID))
		}
		r := <-answer
		i.eventually("one configuration", i.oneSHA)
		changed := i.status().Config.SHA != before.Config.SHA
		if r.code > 1 || changed != (r.code == 0) {
			t.Errorf("round %d: exit code %d, changed %v: %s", n, r.code, changed, r.all())
		}
		if changed {
			done++
		}
	}
	t.Logf("%d of %d applies were done", done, count)
	l.goesOn(50)
	l.mustLoseOnlyAt(deaths)
}

// Load: all clients. Fault: a worker stands still while an apply is prepared. Expected: the apply is refused everywhere or, once
// the worker has been replaced, done everywhere; 0 failed besides what that worker holds.
func TestFaultWorkerStandsStillWhileApplying(t *testing.T) {
	faultTest(t, 1, 1)
	addr, up := freePort(t), newUpstream(t)
	base := proxyFor(addr, up)
	i := start(t, changing(base, 0))
	l := startFaultLoad(t, addr, up)
	victim := i.status().workers()[1]
	d := death{from: time.Now()}
	signalPID(t, victim.PID, syscall.SIGSTOP)
	write(t, i.conf, changing(base, 1))
	r := i.verb("reload", "--wait")
	if r.code != 1 {
		t.Errorf("reload: exit code %d: %s", r.code, r.all())
	}
	contains(t, r.stderr, "worker 1")
	i.eventually("a successor", func() error { return i.restarted(victim, "") })
	i.dumps = true
	d.to = time.Now()
	i.eventually("one configuration", i.oneSHA)
	i.reload()
	i.eventually("one configuration", i.oneSHA)
	l.goesOn(50)
	l.mustLoseOnlyAt([]death{d})
}
