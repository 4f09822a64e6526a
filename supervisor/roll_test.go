package supervisor

import (
	"net"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pingap/arena"
	"pingap/ipc"
)

// allOf says whether two workers of this generation are active, and none of another.
func allOf(generation int) func(*ipc.StatusAll) bool {
	return func(all *ipc.StatusAll) bool {
		active := workersIn(all, ipc.StateActive)
		for _, p := range active {
			if p.Generation != generation {
				return false
			}
		}
		return len(active) == 2 && all.Settled
	}
}

func TestWhatIsNotHotRolls(t *testing.T) {
	for name, class := range map[string]ipc.Class{"fresh workers": ipc.ClassRoll, "a class nobody knows": 200} {
		t.Run(name, func(t *testing.T) {
			i := boot(t, nil)
			before := pids(i.status())
			p := i.proposal("one", "two")
			p.Class = class
			if a := i.mustApply(p); a.Version != 2 {
				t.Errorf("version %d", a.Version)
			}
			all := i.until("a second generation alone", allOf(2))
			for _, pid := range pids(all) {
				if slices.Contains(before, pid) {
					t.Errorf("worker %d is still there", pid)
				}
			}
			i.until("the new configuration served", func(*ipc.StatusAll) bool { return i.ask().SHA == "two" })
		})
	}
}

func TestARollOnRequestKeepsTheVersion(t *testing.T) {
	i := boot(t, nil)
	i.send(ipc.Roll{Wait: true, RequestedBy: "test"})
	if a, ok := i.verdict().(*ipc.Applied); !ok || a.Version != 1 || a.SHA != "one" {
		t.Errorf("%+v", a)
	}
	i.until("a second generation alone", allOf(2))
	i.signals <- unix.SIGWINCH
	i.until("a third generation alone", allOf(3))
	i.mustApply(i.proposal("one", "two"))
}

func TestAGenerationThatDoesNotComeUpIsRolledBack(t *testing.T) {
	for _, c := range [][2]string{{"worker.hello", "die"}, {"worker1.hello", "die"}, {"worker0.start", "hang"}, {"worker1.activate", "die"}} {
		t.Run(c[0]+" "+c[1], func(t *testing.T) {
			i := boot(t, func(o *Options) { o.Timings.Ready, o.Timings.Active = time.Second, time.Second })
			before := pids(i.status())
			i.behave(c[0], c[1])
			p := i.proposal("one", "two")
			p.Class = ipc.ClassRoll
			i.mustRefuse(p, ipc.CodeWorkerDied)
			all := i.until("the old alone", func(all *ipc.StatusAll) bool {
				return len(workersIn(all, ipc.StateActive)) == 2 && len(all.Processes) == 4
			})
			if got := pids(all); !slices.Equal(got, before) || all.SHA != "one" {
				t.Errorf("workers %v, before %v, live %s", got, before, all.SHA)
			}
			i.behave(c[0], "")
			p = i.proposal("one", "two")
			p.Class = ipc.ClassRoll
			i.mustApply(p)
		})
	}
}

func TestListenersComeAndGoWithoutFreshWorkers(t *testing.T) {
	i := boot(t, nil)
	before := pids(i.status())
	more := freeAddress(t)
	p := i.proposal("one", "two")
	p.Class = ipc.ClassListeners
	p.Listeners = append(p.Listeners, ipc.Listener{Network: "tcp4", Address: more, Server: "more"})
	i.mustApply(p)
	i.addressIs(more, true)
	p = i.proposal("two", "three")
	p.Class = ipc.ClassListeners
	i.mustApply(p)
	i.addressIs(more, false)
	l, err := net.Listen("tcp4", more)
	if err != nil {
		t.Fatalf("a dropped address is not free: %v", err)
	}
	l.Close()
	if got := pids(i.status()); !slices.Equal(got, before) {
		t.Errorf("workers %v, before %v", got, before)
	}
}

// Between the worker that closes a dropped listener last and the supervisor nobody may come: that connection would be reset.
func TestADroppedListenerTakesNobodyWhileWorkersEmptyIt(t *testing.T) {
	i := boot(t, func(o *Options) { o.Timings.Commit = patience })
	more := freeAddress(t)
	p := i.proposal("one", "two")
	p.Class = ipc.ClassListeners
	p.Listeners = append(p.Listeners, ipc.Listener{Network: "tcp4", Address: more, Server: "more"})
	i.mustApply(p)
	i.behave("worker.commit", "ignore")
	p = i.proposal("two", "three")
	p.Class = ipc.ClassListeners
	i.sendProposal(p)
	i.addressIs(more, false)
	if w := workersIn(i.status(), ipc.StateActive); len(w) != 2 {
		t.Errorf("%d workers: the socket may have been closed", len(w))
	}
}

// addressIs waits until connections to an address are taken, or refused.
func (i *instance) addressIs(address string, taken bool) {
	i.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		c, err := net.Dial("tcp4", address)
		if err == nil {
			c.Close()
		}
		if taken == (err == nil) {
			return
		}
	}
	i.t.Fatalf("%s: taken is not %t", address, taken)
}

// Workers that drain for ever use up the columns of the arena. A roll then waits until the oldest have made room.
func TestManyDrainingGenerationsMakeRoom(t *testing.T) {
	i := boot(t, func(o *Options) {
		o.Timings.MaxGenerations, o.Timings.Faster, o.Timings.StopMargin = 1000, 20*time.Millisecond, 20*time.Millisecond
	})
	i.behave("worker.drain", "ignore")
	for range 2 * arena.DefaultColumns / 2 {
		i.send(ipc.Roll{Wait: true})
		if a, ok := i.verdict().(*ipc.Applied); !ok {
			t.Fatalf("%+v", a)
		}
	}
	if all := i.status(); all.Hurried == 0 || len(workersIn(all, ipc.StateActive)) != 2 {
		t.Errorf("%+v", all)
	}
	i.behave("worker.drain", "")
}

func TestTooManyDrainingGenerationsGoFaster(t *testing.T) {
	i := boot(t, func(o *Options) {
		o.Timings.MaxGenerations, o.Timings.Faster, o.Timings.StopMargin = 2, 20*time.Millisecond, 20*time.Millisecond
	})
	i.behave("worker.drain", "ignore")
	for range 5 {
		i.send(ipc.Roll{Wait: true})
		i.verdict()
	}
	all := i.until("two generations that drain", func(all *ipc.StatusAll) bool { return len(workersIn(all, ipc.StateDraining)) == 4 })
	for _, p := range workersIn(all, ipc.StateDraining) {
		if p.Generation < 4 {
			t.Errorf("generation %d drains still, the oldest go first", p.Generation)
		}
	}
	if all.Hurried != 6 {
		t.Errorf("%d were hurried, want 6", all.Hurried)
	}
	i.behave("worker.drain", "")
}
