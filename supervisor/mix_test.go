package supervisor

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pingap/ipc"
)

// TestFaultsInAnyOrder mixes applies, rolls, refusals, deaths, reopens and hang-ups, and then expects a healthy instance on
// exactly the configuration that was applied last.
func TestFaultsInAnyOrder(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	i := boot(t, func(o *Options) { o.Timings.Prepare, o.Timings.Heartbeat = 2*time.Second, 2*time.Second })
	i.until("two workers", twoActive())
	descriptors := len(links())
	live := "one"
	someWorker := func() int {
		if alive := pids(i.status()); len(alive) > 0 {
			return alive[r.IntN(len(alive))]
		}
		return 0
	}
	for step := range 60 {
		switch op := r.IntN(10); op {
		case 0, 1, 2:
			if sha := fmt.Sprint("v", step); applied(i.propose(i.proposal(live, sha))) {
				live = sha
			}
		case 3, 4: // a refusal, or a worker that does not commit
			name := []string{"worker1.prepare", "worker1.commit"}[op-3]
			i.behave(name, []string{"nack", "die"}[op-3])
			if sha := fmt.Sprint("v", step); applied(i.propose(i.proposal(live, sha))) {
				live = sha
			}
			i.behave(name, "")
		case 5:
			if pid := someWorker(); pid > 0 {
				unix.Kill(pid, unix.SIGKILL)
			}
		case 6:
			unix.Kill(i.pid, unix.SIGKILL)
			i.takeControl()
			if i.start.SHA != live {
				t.Errorf("step %d: the new control was told %s, live is %s", step, i.start.SHA, live)
			}
		case 8: // a roll, or a generation that does not come up
			how := []string{"", "die"}[r.IntN(2)]
			i.behave("worker1.start", how)
			p := i.proposal(live, fmt.Sprint("v", step))
			p.Class = ipc.ClassRoll
			if applied(i.propose(p)) {
				live = p.SHA
			}
			i.behave("worker1.start", "")
		case 9:
			i.send(ipc.Roll{Wait: true, RequestedBy: "test"})
			i.verdict()
		case 7:
			i.signals <- []unix.Signal{unix.SIGHUP, unix.SIGUSR1}[r.IntN(2)]
		}
	}
	i.until("two workers on the live configuration", func(all *ipc.StatusAll) bool {
		for _, p := range workersIn(all, ipc.StateActive) {
			if p.Status == nil || p.Status.SHA != live {
				return false
			}
		}
		return twoActive()(all) && all.SHA == live && len(all.Processes) == 4
	})
	if a := i.ask(); a.SHA != live || a.Held != 2 {
		t.Errorf("served %+v, live is %s", a, live)
	}
	if got := len(links()); got > descriptors {
		t.Errorf("%d descriptors at first, %d now", descriptors, got)
	}
}

func applied(verdict ipc.Body) bool {
	_, ok := verdict.(*ipc.Applied)
	return ok
}
