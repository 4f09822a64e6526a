package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"
	"golang.org/x/sys/unix"

	"pingap/ipc"
)

func TestAKilledWorkerIsReplacedAndItsSiblingGoesOn(t *testing.T) {
	i := boot(t, nil)
	before := pids(i.status())
	unix.Kill(before[0], unix.SIGKILL)
	all := i.until("a new worker", twoActive(before[0]))
	if got := pids(all); !slices.Contains(got, before[1]) {
		t.Errorf("sibling %d is gone: %v", before[1], got)
	}
	w := workersIn(all, ipc.StateActive)[0]
	if w.Restarts != 1 || !strings.Contains(w.LastExit, "killed") {
		t.Errorf("status of the slot %+v", w)
	}
}

func TestConnectionsWaitWhileNoWorkerLives(t *testing.T) {
	i := boot(t, nil)
	i.behave("worker.hello", "die")
	for _, pid := range pids(i.status()) {
		unix.Kill(pid, unix.SIGKILL)
	}
	i.until("no workers", func(all *ipc.StatusAll) bool { return len(workersIn(all, ipc.StateActive)) == 0 })
	type result struct {
		answer
		err error
	}
	results := make(chan result)
	for range 20 {
		go func() {
			a, err := i.tryAsk()
			results <- result{a, err}
		}()
	}
	i.behave("worker.hello", "")
	for range 20 {
		if r := <-results; r.err != nil || r.SHA != "one" {
			t.Errorf("%+v, %v", r.answer, r.err)
		}
	}
}

func TestAMisbehavingWorkerIsKilledAndTheSupervisorLives(t *testing.T) {
	for _, how := range []string{"garbage", "foreign", "silent"} {
		t.Run(how, func(t *testing.T) {
			i := boot(t, func(o *Options) { o.Timings.Heartbeat, o.Timings.Abort = 2*time.Second, 100*time.Millisecond })
			before := pids(i.status())
			i.behave("worker0.beat", how)
			i.until("the end of the worker", func(all *ipc.StatusAll) bool { return !slices.Contains(pids(all), before[0]) })
			i.behave("worker0.beat", "")
			all := i.until("two workers", twoActive(before[0]))
			if !slices.Contains(pids(all), before[1]) {
				t.Error("the sibling was killed too")
			}
			if all.State != stateRunning {
				t.Errorf("state %s", all.State)
			}
		})
	}
}

func TestAnUnknownMessageIsNotFatal(t *testing.T) {
	i := boot(t, nil)
	before := pids(i.status())
	i.behave("worker0.beat", "unknown")
	i.mustApply(i.proposal("one", "two")) // several heartbeats pass
	i.behave("worker0.beat", "")
	i.mustApply(i.proposal("two", "three"))
	if got := pids(i.status()); !slices.Equal(got, before) {
		t.Errorf("workers %v became %v", before, got)
	}
}

func TestAStoppedWorkerIsKilled(t *testing.T) {
	i := boot(t, func(o *Options) { o.Timings.Heartbeat, o.Timings.Abort = time.Second, 100*time.Millisecond })
	before := pids(i.status())
	unix.Kill(before[0], unix.SIGSTOP)
	all := i.until("a new worker", twoActive(before[0]))
	if w := workersIn(all, ipc.StateActive)[0]; !strings.Contains(w.LastExit, "no heartbeat") {
		t.Errorf("last exit %q", w.LastExit)
	}
}

func TestAStoppedControlIsReplacedAndOneThatBeatsIsNot(t *testing.T) {
	const silence = 1500 * time.Millisecond
	i := boot(t, func(o *Options) {
		o.Timings.Heartbeat, o.Timings.Control, o.Timings.Abort = time.Second, silence, 100*time.Millisecond
	})
	workers, control := pids(i.status()), i.pid
	beat := time.NewTicker(50 * time.Millisecond)
	defer beat.Stop()
	for end := time.Now().Add(2 * silence); time.Now().Before(end); <-beat.C {
		i.send(ipc.Status{State: ipc.StateActive})
	}
	if dead(control) {
		t.Fatal("a control that beats was ended")
	}
	unix.Kill(control, unix.SIGSTOP)
	for deadline := time.Now().Add(patience); !dead(control) && time.Now().Before(deadline); {
		<-beat.C // nothing is sent: its silence is what ends it
	}
	i.takeControl()
	if i.pid == control || i.start.SHA != "one" {
		t.Errorf("control %d after %d was told %+v", i.pid, control, i.start)
	}
	all := i.until("the new control", func(all *ipc.StatusAll) bool { return len(all.Degraded) == 0 })
	if p := all.Processes[1]; p.Kind != ipc.RoleControl || !strings.Contains(p.LastExit, "no heartbeat") || p.Restarts != 1 {
		t.Errorf("control is %+v", p)
	}
	if got := pids(all); !slices.Equal(got, workers) {
		t.Errorf("workers %v became %v", workers, got)
	}
	i.mustApply(i.proposal("one", "two"))
}

func TestTimeOurOwnLoopStoodStillIsNobodysSilence(t *testing.T) {
	s := &supervisor{o: Options{Timings: Timings{}.withDefaults()}, log: zaptest.NewLogger(t), events: make(chan event), quit: make(chan struct{})}
	defer close(s.quit)
	hour := time.Now().Add(-time.Hour)
	s.children, s.lastTick = map[*child]struct{}{}, hour
	for _, role := range []string{ipc.RoleWorker, ipc.RoleControl} {
		s.children[&child{slot: &slot{role: role}, state: ipc.StateActive, lastSeen: hour}] = struct{}{}
	}
	s.tick()
	for c := range s.children {
		if c.dying != "" {
			t.Errorf("%s killed: %s", c.role(), c.dying)
		}
		if silence := time.Since(c.lastSeen); silence > 5*time.Second {
			t.Errorf("silence of %v is held against %s", silence, c.role())
		}
	}
}

func TestACrashOfControlHarmsNobody(t *testing.T) {
	i := boot(t, nil)
	before := pids(i.status())
	unix.Kill(i.pid, unix.SIGKILL)
	i.takeControl()
	if i.start.SHA != "one" || i.start.Version != 1 || i.start.Snapshot == 0 {
		t.Errorf("the new control was told %+v", i.start)
	}
	if got := pids(i.status()); !slices.Equal(got, before) {
		t.Errorf("workers %v became %v", before, got)
	}
	i.mustApply(i.proposal("one", "two"))
}

func TestControlThatDiesDuringItsProposal(t *testing.T) {
	i := boot(t, nil)
	i.behave("worker0.prepare", "hang")
	i.sendProposal(i.proposal("one", "two"))
	unix.Kill(i.pid, unix.SIGKILL)
	i.takeControl()
	if all := i.status(); all.SHA != "one" {
		t.Errorf("live is %s", all.SHA)
	}
}

func TestADeadWorkersShareOfTheArenaIsGone(t *testing.T) {
	i := boot(t, nil)
	for range 5 {
		before := pids(i.status())
		unix.Kill(before[0], unix.SIGKILL)
		i.until("a new worker", twoActive(before[0]))
	}
	// Each fake worker adds one to "held" when it starts, and never gives it back.
	if got := i.ask().Held; got != 2 {
		t.Errorf("the counter stands at %d with two workers alive", got)
	}
}

func TestHangupReachesControlAndStormsAreMerged(t *testing.T) {
	i := boot(t, func(o *Options) { o.Timings.ReloadInterval = time.Minute })
	for range 50 {
		i.signals <- unix.SIGHUP
	}
	m := i.receive(ipc.TypeReload)
	if m.Body.(*ipc.Reload).RequestedBy != "SIGHUP" {
		t.Errorf("%+v", m.Body)
	}
	i.until("all signals taken", func(*ipc.StatusAll) bool { return len(i.signals) == 0 })
	if i.status(); i.seen[ipc.TypeReload] != 1 {
		t.Errorf("50 signals became %d reloads within one interval", i.seen[ipc.TypeReload])
	}
}

func TestAHangupWhileControlIsDownIsNotLost(t *testing.T) {
	i := boot(t, nil)
	unix.Kill(i.pid, unix.SIGKILL)
	i.acceptControl() // its successor has been started and is not ready
	i.signals <- unix.SIGHUP
	i.greet()
	i.receive(ipc.TypeReload)
}

func TestAWorkerThatDrainsByItselfHasASuccessorAtOnce(t *testing.T) {
	i := boot(t, nil)
	before := pids(i.status())
	i.behave("worker0.beat", "leaving")
	i.until("it draining", func(all *ipc.StatusAll) bool { return len(workersIn(all, ipc.StateDraining)) > 0 })
	i.behave("worker0.beat", "")
	all := i.until("a successor beside it", twoActive(before[0]))
	if !slices.Contains(pids(all), before[1]) || dead(before[0]) {
		t.Errorf("workers before %v, now %v", before, pids(all))
	}
	i.mustApply(i.proposal("one", "two")) // the draining one is not asked
	i.send(ipc.Stop{Fast: true})
	if err := i.end(); err != nil || !dead(before[0]) {
		t.Errorf("%v, the draining one is dead: %t", err, dead(before[0]))
	}
}

// Whatever a child says at whatever time, the supervisor lives: the child pays.
func TestEveryMessageFromControl(t *testing.T) {
	i := boot(t, nil)
	for typ := range 256 {
		if ipc.Type(typ) == ipc.TypeStop {
			continue
		}
		packet := []byte{0x47, 0x50, 1, 0, byte(typ), 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, '{', '}'}
		if err := unix.Sendmsg(int(i.control.File().Fd()), packet, nil, nil, 0); err != nil {
			t.Fatalf("%s: %v", ipc.Type(typ), err)
		}
		if i.alive() {
			continue
		}
		i.takeControl()
	}
	if !twoActive()(i.until("two workers", twoActive())) || i.ask().SHA != "one" {
		t.Error("the workers suffered")
	}
}

// alive reports whether the present control is answered.
func (i *instance) alive() bool {
	if i.control.Send(i.ctx, 1, ipc.StatusRequest{}) != nil {
		return false
	}
	for !dead(i.pid) {
		m, err := i.control.Receive(i.ctx)
		if err != nil {
			return false
		}
		m.Close()
		if m.Body.Type() == ipc.TypeStatusAll {
			return true
		}
	}
	return false
}

func TestEveryMessageFromAWorker(t *testing.T) {
	i := boot(t, nil)
	for typ := range 110 {
		i.behave("worker0.beat", fmt.Sprintf("type %d", typ))
		i.until("the message sent", func(*ipc.StatusAll) bool {
			data, _ := os.ReadFile(filepath.Join(i.dir, "sent"))
			return string(data) == fmt.Sprint(typ)
		})
	}
	i.behave("worker0.beat", "")
	i.until("two workers", twoActive())
	i.mustApply(i.proposal("one", "two"))
}
