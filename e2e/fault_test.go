package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A killed worker costs the requests that were in flight on it: at most one a connection, none of them refused, and
// nothing once it is gone.
func TestAKilledWorkerCostsItsRequestsInFlightOnly(t *testing.T) {
	t.Parallel()
	b := newBackend(t, "app")
	addr := freePort(t)
	i := start(t, proxyConf(addr, b.addr))
	const clients = 12
	l := runLoad(t, addr,
		mix{clients: clients / 2, pause: time.Millisecond, request: always(get("/keepalive"))},
		mix{clients: clients / 2, fresh: true, pause: time.Millisecond, request: always(get("/fresh"))})
	l.progress(t, 100)
	victim := i.status().workers()[0]
	killed := time.Now()
	signalPID(t, victim.PID, syscall.SIGKILL)
	l.progress(t, 200)
	i.eventually("a successor", func() error { return i.restarted(victim, "killed") })
	l.progress(t, 200)
	l.stop()
	t.Log(l.report())
	perClient := map[int]int{}
	for _, f := range l.failuresSoFar() {
		perClient[f.client]++
		switch {
		case f.refused || isRefused(f.err):
			t.Errorf("a connection was refused: %v", f.err)
		case f.ended.Before(killed):
			t.Errorf("failed before the kill: %v", f.err)
		case f.began.After(killed.Add(2 * time.Second)):
			t.Errorf("failed %v after the kill: %v", f.began.Sub(killed), f.err)
		}
	}
	for client, n := range perClient {
		if n > 1 {
			t.Errorf("client %d lost %d requests", client, n)
		}
	}
}

// restarted says whether the worker's slot has an active successor that is counted as a restart.
func (i *instance) restarted(victim process, how string) error {
	for _, w := range i.status().workers() {
		if w.Slot != victim.Slot {
			continue
		}
		if w.PID == victim.PID || w.State != "active" || w.Restarts != victim.Restarts+1 {
			return fmt.Errorf("worker %+v", w)
		}
		if !strings.Contains(w.LastExit, how) {
			return fmt.Errorf("last exit %q", w.LastExit)
		}
		return nil
	}
	return fmt.Errorf("slot %d is empty", victim.Slot)
}

// While all workers are dead connections wait in the backlog, and are served by the successors.
func TestConnectionsWaitWhileAllWorkersAreDead(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	i := start(t, mockConf(addr, "served"))
	for round := range 2 {
		for _, pid := range i.status().pids() {
			signalPID(t, pid, syscall.SIGKILL)
		}
		for range 20 {
			if _, err := connect(addr); err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
		}
		i.eventually("service", func() error { return want(addr, "/", "served") })
		i.waitRunning()
	}
}

func TestTheDeathOfControlTouchesNoTraffic(t *testing.T) {
	t.Parallel()
	b := newBackend(t, "app")
	addr := freePort(t)
	i := start(t, proxyConf(addr, b.addr))
	l := runLoad(t, addr, usualMix(2)...)
	l.progress(t, 50)
	before := i.status()
	signalPID(t, before.of("control")[0].PID, syscall.SIGKILL)
	l.progress(t, 50)
	var after status
	i.eventually("status", func() (err error) {
		after, err = i.tryStatus()
		return err
	})
	l.progress(t, 50)
	l.mustBeClean(t)
	if after.of("control")[0].PID == before.of("control")[0].PID {
		t.Error("control was not killed")
	}
	if fmt.Sprint(after.pids()) != fmt.Sprint(before.pids()) || after.Config.SHA != before.Config.SHA {
		t.Errorf("before %+v, after %+v", before, after)
	}
	write(t, i.conf, mockConf(addr, "after"))
	i.reload()
	if err := want(addr, "/", "after"); err != nil {
		t.Error(err)
	}
}

// A worker that stands still is noticed by its missing heartbeats and replaced; its sibling serves meanwhile. New
// connections go to whoever accepts, so none of these may end at the one that stands still.
func TestAWorkerThatStandsStillIsReplaced(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	i := start(t, mockConf(addr, "served"))
	victim := i.status().workers()[0]
	signalPID(t, victim.PID, syscall.SIGSTOP)
	i.eventually("every thread to stand still", func() error { // until then it may accept
		stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", victim.PID))
		if err != nil || len(stats) == 0 {
			return fmt.Errorf("no threads of %d, %v", victim.PID, err)
		}
		for _, path := range stats {
			if _, state, _ := strings.Cut(read(t, path), ") "); !strings.HasPrefix(state, "T") {
				return fmt.Errorf("%s is %.1s", path, state)
			}
		}
		return nil
	})
	for range 50 {
		if err := want(addr, "/", "served"); err != nil {
			t.Fatalf("while a worker stands still: %v", err)
		}
	}
	// 10 s without a heartbeat, then 2 s for its stack dump.
	i.eventually("a successor", func() error { return i.restarted(victim, "no heartbeat") })
	i.dumps = true
	if err := want(addr, "/", "served"); err != nil {
		t.Error(err)
	}
}

// An apply while a worker stands still changes nothing anywhere, and says who did not answer.
func TestAnApplyIsAllOrNothingWhenAWorkerDoesNotAnswer(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	i := start(t, mockConf(addr, "old"))
	victim := i.status().workers()[1]
	signalPID(t, victim.PID, syscall.SIGSTOP)
	write(t, i.conf, mockConf(addr, "new"))
	r := i.verb("reload", "--wait")
	signalPID(t, victim.PID, syscall.SIGCONT)
	if r.code != 1 {
		t.Errorf("exit code %d: %s", r.code, r.all())
	}
	contains(t, r.stderr, "worker 1")
	i.waitRunning()
	i.inEveryWorker(addr, func() error { return want(addr, "/", "old") })
	i.reload()
	i.inEveryWorker(addr, func() error { return want(addr, "/", "new") })
}
