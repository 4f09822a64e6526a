package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"pingap/e2e/load"
)

// roll replaces the workers and returns how long it took until the fresh ones accept.
func (i *instance) roll() time.Duration {
	i.t.Helper()
	began := time.Now()
	if r := i.verb("roll", "--wait"); r.code != 0 {
		i.t.Fatalf("roll: exit code %d: %s", r.code, r.all())
	}
	return time.Since(began)
}

// manyGenerations lets tunnels and uploads go on, however quickly a test rolls.
const manyGenerations = "\n[basic]\nmax_draining_generations = 1000\n"

// reached prints what a figure has come to. In the long form more than a generous multiple of the goal fails the test: the
// goal itself is for a machine that does nothing else.
func reached(t *testing.T, what string, got, goal time.Duration) {
	t.Helper()
	t.Logf("%s: %v (goal %v)", what, got.Round(time.Millisecond), goal)
	if soakMinutes(t) > 0 && got > 10*goal {
		t.Errorf("%s: %v, far beyond %v", what, got, goal)
	}
}

// longestExtra is what quick requests took at most.
func longestExtra(r *load.Report) time.Duration {
	quick := r.Sum(load.Busy, load.Idle, load.Fresh)
	return quick.Extra.Max
}

// Load: all clients. Fault: rolls one after the other, by command and by signal. Expected: 0 failed; nobody of the old
// generations accepts any more; the ledger says that nothing was cut.
func TestFaultRollsUnderLoad(t *testing.T) {
	count := faultTest(t, 5, 100)
	addr, up := freePort(t), newUpstream(t)
	i := start(t, proxyFor(addr, up, manyGenerations))
	l := startFaultLoad(t, addr, up)
	var longest time.Duration
	for n := range count {
		before := i.status().active()
		if n%5 == 4 {
			signalPID(t, i.cmd.Process.Pid, syscall.SIGWINCH)
		} else {
			longest = max(longest, i.roll())
		}
		i.eventually("fresh workers", func() error { return i.freshSince(before) })
		l.goesOn(50)
	}
	r := l.mustLoseNothing()
	reached(t, "longest roll, from command to the end of it", longest, 500*time.Millisecond)
	reached(t, "longest request meanwhile", longestExtra(r), 100*time.Millisecond)
	i.mustHaveCutNothing(count)
	i.checkDescriptors(socketOf(t, addr), "")
}

// freshSince says whether as many workers accept as before, all of a later generation.
func (i *instance) freshSince(before []process) error {
	now := i.status().active()
	if len(now) != len(before) {
		return fmt.Errorf("%d workers accept, %d did", len(now), len(before))
	}
	for _, w := range now {
		if w.Generation <= before[0].Generation {
			return fmt.Errorf("worker %d is of generation %d", w.PID, w.Generation)
		}
	}
	return nil
}

// history is what the tests need of `pingap history --json`.
type history struct {
	Records []struct {
		ID       uint64         `json:"id"`
		Kind     string         `json:"kind"`
		Result   string         `json:"result"`
		Cut      int64          `json:"cut"`
		CutWhy   map[string]int `json:"cut_why"`
		Refused  int64          `json:"refused"`
		Draining int            `json:"draining"`
		Moved    int64          `json:"moved"`
	} `json:"records"`
}

func (i *instance) history() history {
	i.t.Helper()
	r := i.verb("history", "--json")
	if r.code != 0 {
		i.t.Fatalf("history: exit code %d: %s", r.code, r.all())
	}
	var h history
	if err := json.Unmarshal([]byte(r.stdout), &h); err != nil {
		i.t.Fatal(err)
	}
	return h
}

// of counts the entries of a kind.
func (h history) of(kind string) int {
	n := 0
	for _, r := range h.Records {
		if r.Kind == kind {
			n++
		}
	}
	return n
}

// mustHaveCutNothing waits until the old workers have finished and looks at the entries of so many rolls, as far as they are kept.
func (i *instance) mustHaveCutNothing(rolls int) {
	i.t.Helper()
	var h history
	i.eventually("the end of draining", func() error {
		h = i.history()
		for _, r := range h.Records {
			if r.Draining > 0 {
				return fmt.Errorf("entry %d: %d workers are draining", r.ID, r.Draining)
			}
		}
		return nil
	})
	if n := h.of("roll"); n < min(rolls, 90) {
		i.t.Errorf("the ledger has %d rolls, there were %d", n, rolls)
	}
	for _, r := range h.Records {
		if r.Cut > 0 || r.Result != "done" {
			i.t.Errorf("entry %d (%s): %s, %d cut (%v)", r.ID, r.Kind, r.Result, r.Cut, r.CutWhy)
		}
	}
}

// Load: all clients on one server. Fault: another server comes and goes with reloads, and changes its address. Expected: 0
// failed on both while they are there, the same workers all the time, and no socket that stays.
func TestFaultListenersComeAndGoUnderLoad(t *testing.T) {
	count := faultTest(t, 5, 100)
	addr, up := freePort(t), newUpstream(t)
	base := proxyFor(addr, up)
	i := start(t, base)
	pids := i.status().pids()
	l := startFaultLoad(t, addr, up)
	for n := range count {
		other, otherUp := freePort(t), newUpstream(t)
		conf := base + fmt.Sprintf("\n[servers.other]\naddr = %q\nlocations = [\"other\"]\n\n[locations.other]\nupstream = \"other\"\n\n[upstreams.other]\naddrs = [%q]\n",
			other, otherUp.Addr)
		i.change(conf)
		// Clients that leave after an answer: what waits in the queue of a socket that is closed would have to be lost.
		added := startFaultLoad(t, other, otherUp, load.Mix{Kind: load.Busy, Clients: 4, Pause: time.Millisecond, Distance: time.Millisecond})
		added.goesOn(20)
		if n%2 == 0 {
			added.mustLoseNothing()
			i.change(base)
		} else {
			i.change(base) // busy connections have to be told by an answer
			i.eventually("an end of the connections", func() error {
				if total := added.Report().Total(); total.Ended[load.Refused] == 0 {
					return errors.New("still served")
				}
				return nil
			})
			r := added.Stop()
			if total := r.Total(); total.Failed() != total.Ended[load.Refused] {
				t.Errorf("a listener that goes cuts connections:\n%s", r)
			}
		}
		if _, err := connect(other); err == nil {
			t.Errorf("%s still accepts", other)
		}
		otherUp.Close()
	}
	l.goesOn(100)
	l.mustLoseNothing()
	if now := i.status().pids(); !slices.Equal(now, pids) {
		t.Errorf("workers were replaced: %v, then %v", pids, now)
	}
	if n := len(i.status().Listeners); n != 1 {
		t.Errorf("%d listeners are left", n)
	}
}

// Load: all clients. Fault: a worker of the fresh generation of a roll dies before it accepts. Expected: 0 failed, the command
// says so, and the old generation goes on.
func TestFaultAGenerationThatFailsChangesNothing(t *testing.T) {
	count := faultTest(t, 3, 20)
	addr, up := freePort(t), newUpstream(t)
	i := start(t, proxyFor(addr, up))
	before := i.status().active()
	l := startFaultLoad(t, addr, up)
	failed := 0
	for attempt := 0; failed < count; attempt++ {
		if attempt > 10*count {
			t.Fatalf("only %d of %d rolls could be disturbed", failed, attempt)
		}
		r := i.rollKilled()
		if r.code == 0 { // it was too quick
			before = i.status().active()
			continue
		}
		failed++
		if r.code != 1 {
			t.Errorf("roll: exit code %d: %s", r.code, r.all())
		}
		contains(t, r.stderr, "could not start")
		if now := i.status().active(); fmt.Sprint(pidsOf(now)) != fmt.Sprint(pidsOf(before)) {
			t.Errorf("workers %v, were %v", pidsOf(now), pidsOf(before))
		}
		l.goesOn(50)
	}
	i.roll()
	l.mustLoseNothing()
}

// rollKilled asks for a roll and kills the first process that looks like one of its workers.
func (i *instance) rollKilled() result {
	i.t.Helper()
	known := map[int]bool{}
	for _, pid := range processes() {
		known[pid] = true
	}
	answer := i.ask("roll", "--wait")
	for killed := false; ; {
		select {
		case r := <-answer:
			return r
		default:
		}
		for _, pid := range processes() {
			if killed || known[pid] {
				continue
			}
			// Before it has executed the binary anew it looks like the supervisor.
			if parentOf(pid) == i.cmd.Process.Pid && strings.HasPrefix(cmdline(pid), "pingap: worker") {
				killed = syscall.Kill(pid, syscall.SIGKILL) == nil
			}
		}
	}
}

// ask is verb in the background. There is always an answer.
func (i *instance) ask(name string, args ...string) <-chan result {
	answer := make(chan result, 1)
	go func() { // ends with the command, which has a time-out
		r := result{code: -1, stderr: "the command was not run to its end"}
		defer func() { answer <- r }()
		r = i.verb(name, args...)
	}()
	return answer
}

// processes are all there are.
func processes() []int {
	entries, _ := os.ReadDir("/proc")
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// parentOf is 0 for a process that has gone.
func parentOf(pid int) int {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(text), ") ")
	var state string
	var parent int
	_, _ = fmt.Sscan(rest, &state, &parent)
	return parent
}

func pidsOf(list []process) []int {
	var pids []int
	for _, p := range list {
		pids = append(pids, p.PID)
	}
	slices.Sort(pids)
	return pids
}

// Load: a WebSocket opened in each generation. Fault: rolls. Expected: never more draining generations than are allowed, the
// oldest end first, and each tunnel works until its generation has to hurry.
func TestFaultTunnelsOfManyGenerations(t *testing.T) {
	count := faultTest(t, 8, 100)
	addr, up := freePort(t), newUpstream(t)
	const allowed = 3
	i := start(t, proxyFor(addr, up, fmt.Sprintf("\n[basic]\nmax_draining_generations = %d\n", allowed)))
	l := startFaultLoad(t, addr, up, usualClients(t)[0])
	var tunnels []*webSocket
	for range count {
		tunnels = append(tunnels, openWebSocket(t, addr, "/tunnel"))
		i.roll()
		// Those that are too many hurry, for 5 s.
		i.eventually("old generations to end", func() error { return i.generationsDrain(2 * allowed) })
		newest := tunnels[max(0, len(tunnels)-allowed):]
		for n, w := range newest {
			if err := w.echo(opText, []byte("still there")); err != nil {
				t.Errorf("tunnel %d of the newest %d, after %d rolls: %v", n, len(newest), len(tunnels), err)
			}
		}
	}
	i.eventually("old generations to end", func() error { return i.generationsDrain(allowed) })
	for n, w := range tunnels {
		err := w.echo(opText, []byte("last"))
		if expected := n >= len(tunnels)-allowed; expected != (err == nil) {
			t.Errorf("tunnel %d of %d: %v", n, len(tunnels), err)
		}
	}
	l.goesOn(50)
	l.mustLoseNothing()
}

// generationsDrain says whether more than some generations are draining.
func (i *instance) generationsDrain(most int) error {
	generations := map[int]bool{}
	for _, w := range i.status().in("draining") {
		generations[w.Generation] = true
	}
	if len(generations) > most {
		return fmt.Errorf("%d generations are draining", len(generations))
	}
	return nil
}

// Load: all clients. Fault: many ask for a roll at once. Expected: 0 failed, all are told that it is done, and there are fewer
// rolls than requests.
func TestFaultRollsAskedForAtOnceAreOne(t *testing.T) {
	faultTest(t, 1, 1)
	addr, up := freePort(t), newUpstream(t)
	i := start(t, proxyFor(addr, up))
	before := i.status().active()
	l := startFaultLoad(t, addr, up)
	const many = 8
	var answers []<-chan result
	for range many {
		answers = append(answers, i.ask("roll", "--wait"))
	}
	for _, answer := range answers {
		if r := <-answer; r.code != 0 {
			t.Errorf("roll: exit code %d: %s", r.code, r.all())
		}
	}
	after := i.status().active()
	t.Logf("generation %d, then %d", before[0].Generation, after[0].Generation)
	if rolled := after[0].Generation - before[0].Generation; rolled < 1 || rolled > many/2 {
		t.Errorf("%d rolls for %d requests", rolled, many)
	}
	l.goesOn(100)
	l.mustLoseNothing()
}

// Load: slow requests. Fault: the instance is told to stop in the middle of a roll. Expected: what is in flight finishes, and
// nothing is left.
func TestFaultStopInTheMiddleOfARoll(t *testing.T) {
	faultTest(t, 1, 1)
	addr, up := freePort(t), newUpstream(t)
	i := start(t, proxyFor(addr, up))
	l := startFaultLoad(t, addr, up, load.Mix{Kind: load.Slow, Clients: 8, Takes: time.Second})
	answer := i.ask("roll", "--wait")
	i.eventually("fresh workers", func() error {
		n := 0
		for _, pid := range processes() {
			if parentOf(pid) == i.cmd.Process.Pid {
				n++
			}
		}
		return atLeast(int64(n), 4) // control, two workers, and one more
	})
	signalPID(t, i.cmd.Process.Pid, syscall.SIGTERM)
	<-answer // whatever it is
	stopped := time.Now()
	if !i.endsWithin(patience) {
		t.Error("the instance does not end")
	}
	r := l.Stop()
	for _, f := range r.Failures {
		if f.Outcome != load.Refused && f.Began.Before(stopped) {
			t.Errorf("lost: %s", f)
		}
	}
}
