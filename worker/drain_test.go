package worker

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"pingap/ipc"
)

func TestDrainFinishesWhatRunsAndClosesTheRest(t *testing.T) {
	up := newBackend(t)
	b := hire(t, config1(up.addr), nil)
	slow, idle, used := b.dial(), b.dial(), b.dial()
	idle.get("/a")
	used.get("/a")
	slow.send("/slow")
	<-up.arrived
	b.served(2)
	b.send(ipc.Drain{IdleGrace: 300 * time.Millisecond, Timeout: patience, Reason: "test"})
	if d := receive[*ipc.Draining](b); d.Left != 3 {
		t.Errorf("%d left, want 3", d.Left)
	}
	used.send("/a")
	if status, _, last := used.answer(); status != 200 || !last {
		t.Errorf("a request while draining: %d, last %t", status, last)
	}
	used.ends()
	idle.ends()
	b.send(ipc.StatusRequest{})
	if s := receive[*ipc.Status](b); s.State != ipc.StateDraining {
		t.Errorf("state %s", s.State)
	}
	b.prepare(b.load(config2(up.addr)))
	if nack := receive[*ipc.Nack](b); nack.Code != ipc.CodeBusy {
		t.Errorf("prepare while draining: %+v", nack)
	}
	up.letGo <- struct{}{}
	if status, body, last := slow.answer(); status != 200 || body != "from backend" || !last {
		t.Errorf("the request under way: %d %s, last %t", status, body, last)
	}
	gone := receive[*ipc.Gone](b)
	if gone.Requests != 4 || gone.Finished != 2 || gone.Connections != 3 || gone.AfterAnswer != 2 || gone.Idle != 1 || gone.Cut != 0 || gone.Took <= 0 {
		t.Errorf("gone %+v", gone)
	}
	if err := b.outcome(); err != nil {
		t.Error(err)
	}
	if got := b.closedPlugins(); len(got) != 1 || got[0] != "one" {
		t.Errorf("closed plugins %q", got)
	}
}

func TestDrainCutsAtItsTimeOut(t *testing.T) {
	up := newBackend(t)
	b := hire(t, config1(up.addr), nil)
	slow := b.dial()
	slow.send("/slow")
	<-up.arrived
	b.send(ipc.Drain{IdleGrace: time.Second, Timeout: time.Hour})
	receive[*ipc.Draining](b)
	b.send(ipc.DrainFaster{Timeout: 50 * time.Millisecond})
	receive[*ipc.Draining](b)
	if gone := receive[*ipc.Gone](b); gone.Cut != 1 || gone.CutWhy["faster"] != 1 || gone.Connections != 1 {
		t.Errorf("gone %+v", gone)
	}
	if err := b.outcome(); err != nil {
		t.Error(err)
	}
	up.letGo <- struct{}{}
}

func TestSignalsDrainThenEnd(t *testing.T) {
	up := newBackend(t)
	b := hire(t, config1(up.addr), nil)
	slow := b.dial()
	slow.send("/slow")
	<-up.arrived
	b.signal <- syscall.SIGTERM
	b.send(ipc.StatusRequest{})
	for receive[*ipc.Status](b).State != ipc.StateDraining { // the signal has a way of its own
		b.send(ipc.StatusRequest{})
	}
	b.signal <- syscall.SIGTERM
	if err := b.outcome(); err != nil {
		t.Error(err)
	}
	up.letGo <- struct{}{}
}

func TestStopEndsAtOnce(t *testing.T) {
	b := hire(t, config1("127.0.0.1:1"), nil)
	c := b.dial()
	c.get("/a")
	b.send(ipc.Stop{Fast: true})
	if err := b.outcome(); err != nil {
		t.Error(err)
	}
	c.ends()
}

func TestWorkerWithoutSupervisorServesOnThenDrains(t *testing.T) {
	b := hire(t, "[basic]\norphan_grace = \"300ms\"\ndrain_idle_grace = \"100ms\"\ndrain_spread = \"10ms\"\n"+config1("127.0.0.1:1"), nil)
	b.conn.Close()
	if got := b.dial().get("/a"); got != "200 one" {
		t.Errorf("without supervisor: %s", got)
	}
	if err := b.outcome(); err != nil {
		t.Error(err)
	}
}

func TestSupervisorThatGoesAwayEarlyEndsTheWorker(t *testing.T) {
	b := newBoss(t, nil)
	b.conn.Close()
	if err := b.outcome(); err == nil {
		t.Error("no error")
	}
}

func TestContextEndsTheWorker(t *testing.T) {
	b := hire(t, config1("127.0.0.1:1"), nil)
	b.stop()
	if err := b.outcome(); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}

func TestStopWhileDrainingSaysWhatItCut(t *testing.T) {
	up := newBackend(t)
	b := hire(t, config1(up.addr), nil)
	slow := b.dial()
	slow.send("/slow")
	<-up.arrived
	b.send(ipc.Drain{Timeout: time.Hour})
	receive[*ipc.Draining](b)
	b.send(ipc.Stop{})
	if gone := receive[*ipc.Gone](b); gone.Cut != 1 || gone.CutWhy["stop"] != 1 {
		t.Errorf("gone %+v", gone)
	}
	if err := b.outcome(); err != nil {
		t.Error(err)
	}
	up.letGo <- struct{}{}
}

// What waits in the accept queue when the drain begins is served: there may be nobody else to do it.
func TestDrainServesTheQueue(t *testing.T) {
	b := newBoss(t, nil)
	b.start(config1("127.0.0.1:1"), nil)
	var waiting []*client
	for range 20 {
		c := b.dial()
		c.send("/a")
		waiting = append(waiting, c)
	}
	b.send(ipc.Activate{})
	b.send(ipc.Drain{IdleGrace: time.Second, Timeout: patience})
	receive[*ipc.Active](b)
	receive[*ipc.Draining](b)
	for i, c := range waiting {
		if status, body, _ := c.answer(); status != 200 || body != "one" {
			t.Errorf("connection %d: %d %s", i, status, body)
		}
	}
}

func TestTheLongestTimeOutCountsLocations(t *testing.T) {
	w := bareWorker(t, strings.Replace(config1("127.0.0.1:1"), "[locations.a]", "[locations.a]\ndrain_timeout = \"3h\"", 1), Timings{})
	long := ipc.Drain{Spread: time.Second, Timeout: time.Minute, LongTimeout: time.Hour}
	if got, want := w.longest(&long), 3*time.Hour+time.Second; got != want {
		t.Errorf("%v, want %v", got, want)
	}
	stop := ipc.Drain{Spread: time.Second, Timeout: time.Minute}
	if got := w.longest(&stop); got != time.Minute {
		t.Errorf("%v at a stop, want the time-out", got)
	}
}
