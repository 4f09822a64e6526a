package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"pingap/e2e/load"
)

// soakMinutes is how long the open-ended soak goes on; 0 where the short forms run. `make soak` sets it.
func soakMinutes(t *testing.T) int {
	t.Helper()
	text := os.Getenv("SOAK_MINUTES")
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("SOAK_MINUTES=%q is no number of minutes", text)
	}
	return n
}

// faultTest is a test with load and a fault. It says how often the fault happens: short in `make test`, long in `make soak`,
// where they run one after the other.
func faultTest(t *testing.T, short, long int) int {
	t.Helper()
	if testing.Short() {
		t.Skip("load and faults take their time: left out with -short")
	}
	if soakMinutes(t) > 0 {
		return long
	}
	t.Parallel()
	return short
}

// faultLoad is traffic of all kinds of clients through an instance to an upstream that counts.
type faultLoad struct {
	*load.Load
	t  *testing.T
	up *load.Upstream
}

func newUpstream(t *testing.T) *load.Upstream {
	t.Helper()
	up, err := load.NewUpstream()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(up.Close)
	return up
}

// usualClients are all kinds at once. Answers take 2 s; bodies 3 s, and 10 s in the long form.
func usualClients(t *testing.T) []load.Mix {
	t.Helper()
	if soakMinutes(t) > 0 {
		return load.Usual(4, 2*time.Second, 10*time.Second)
	}
	return load.Usual(2, 2*time.Second, 3*time.Second)
}

// startFaultLoad begins and returns when all kinds have had an answer, or are on their way to a slow one.
func startFaultLoad(t *testing.T, addr string, up *load.Upstream, mixes ...load.Mix) *faultLoad {
	t.Helper()
	if len(mixes) == 0 {
		mixes = usualClients(t)
	}
	l := &faultLoad{load.Start(addr, mixes...), t, up}
	t.Cleanup(func() { l.Stop() })
	err := within(patience, func() error {
		r := l.Report()
		for _, m := range mixes {
			k := &r.Kinds[m.Kind]
			slow := m.Takes > 0 && m.Kind < load.Loris
			if m.Kind != load.Loris && k.OK() == 0 && (!slow || k.Started == 0) {
				return fmt.Errorf("%s has not begun", m.Kind)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, l.Report())
	}
	return l
}

// goesOn fails the test when not another n requests succeed.
func (l *faultLoad) goesOn(n uint64) {
	l.t.Helper()
	goal := l.OK() + n
	err := within(patience, func() error {
		if done := l.OK(); done < goal {
			return fmt.Errorf("%d of %d requests", done, goal)
		}
		return nil
	})
	if err != nil {
		l.t.Fatalf("the load does not go on: %v\n%s", err, l.Report())
	}
}

// stopped ends the load, shows what came of it, and fails the test when requests are not accounted for.
func (l *faultLoad) stopped() *load.Report {
	l.t.Helper()
	r := l.Stop()
	l.t.Logf("load:\n%s", r)
	if total := r.Total(); total.Started != total.OK()+total.Failed() {
		l.t.Errorf("%d requests begun, %d ended", total.Started, total.OK()+total.Failed())
	}
	if err := l.up.Check(r); err != nil {
		l.t.Errorf("upstream: %v", err)
	}
	return r
}

// mustLoseNothing ends the load. No request may have failed, and no tunnel or event stream may have been ended.
func (l *faultLoad) mustLoseNothing() *load.Report {
	l.t.Helper()
	return l.mustLoseOnly("")
}

// mustLoseOnly is mustLoseNothing, but for requests that failed with an error in which these words are; none for no words.
func (l *faultLoad) mustLoseOnly(words string) *load.Report {
	l.t.Helper()
	r := l.stopped()
	if err := r.Err(); err != nil && words == "" {
		l.t.Error(err)
	}
	for _, f := range r.Failures {
		if words != "" && !strings.Contains(f.Err.Error(), words) {
			l.t.Errorf("lost: %s", f)
		}
	}
	for _, k := range []load.Kind{load.WebSocket, load.Events, load.SecureWebSocket} {
		if n := r.Kinds[k].Reopened; n > 0 {
			l.t.Errorf("%s: %d were ended by the proxy", k, n)
		}
	}
	if n := r.Total().Abrupt; n > 0 {
		l.t.Errorf("%d connections of HTTP/2 were led away in one step", n)
	}
	return r
}

// death is the time from a kill to the moment in which all that the process held was closed.
type death struct{ from, to time.Time }

// kill ends a process and waits until it is gone. One that has gone by itself is no error.
func (i *instance) kill(pid int) death {
	i.t.Helper()
	d := death{from: time.Now()}
	_ = syscall.Kill(pid, syscall.SIGKILL)
	i.eventually("a death", func() error {
		// Its table of descriptors is empty before its sockets are closed: that is sure when its last thread is dead.
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		threads, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid)) // none, if it ended since
		if _, state, _ := strings.Cut(string(stat), ") "); err == nil && (!strings.HasPrefix(state, "Z") || len(threads) > 1) {
			return fmt.Errorf("process %d lives", pid)
		}
		return nil
	})
	d.to = time.Now()
	return d
}

// mustLoseOnlyAt ends the load. A request may only have failed if it was in flight when a process died, at most one of a client
// each time, and no connection may have been refused. What a kill breaks is seen at once.
func (l *faultLoad) mustLoseOnlyAt(deaths []death) *load.Report {
	l.t.Helper()
	r := l.stopped()
	total := r.Total()
	if n := total.Ended[load.Refused]; n > 0 {
		l.t.Errorf("%d connections were refused", n)
	}
	if uint64(len(r.Failures)) != total.Failed() {
		l.t.Errorf("%d failures and %d of them listed", total.Failed(), len(r.Failures))
	}
	lost := map[string]bool{}
	for _, f := range r.Failures {
		at, err := during(f, deaths)
		key := fmt.Sprintf("client %d at kill %d", f.Client, at)
		switch {
		case err != nil:
			l.t.Errorf("%v: %s", err, f)
		case lost[key]:
			l.t.Errorf("a second one of %s: %s", key, f)
		}
		lost[key] = true
	}
	return r
}

// lateRead is how long after a death a client may read the last message that the process sent on a tunnel, where the machine is busy. Its next
// message begins after that, on a connection that is closed already.
const lateRead = 250 * time.Millisecond

// during finds the last death at which a request was in flight, and after which it failed.
func during(f load.Failure, deaths []death) (int, error) {
	late := time.Duration(0)
	if f.Kind == load.WebSocket || f.Kind == load.SecureWebSocket {
		late = lateRead
	}
	for n, d := range slices.Backward(deaths) {
		if f.Began.Before(d.to.Add(late)) && f.Ended.After(d.from) {
			return n, nil
		}
	}
	return 0, errors.New("failed without a fault")
}

// proxyFor is a configuration of everything to the upstream.
func proxyFor(addr string, up *load.Upstream, more ...string) string {
	return proxyConf(addr, up.Addr, more...)
}

// footprint is what must not grow.
type footprint struct {
	kib, files, threads int
}

// footprints are the ones of the instance's processes, by kind; workers are summed up.
func (i *instance) footprints() map[string]footprint {
	i.t.Helper()
	all := map[string]footprint{}
	for _, p := range i.status().Processes {
		f := all[p.Kind]
		f.kib += processNumber(i.t, p.PID, "VmRSS:")
		f.threads += processNumber(i.t, p.PID, "Threads:")
		f.files += len(descriptors(i.t, p.PID))
		all[p.Kind] = f
	}
	return all
}

func processNumber(t *testing.T, pid int, name string) int {
	t.Helper()
	n, err := strconv.Atoi(processField(t, pid, name))
	if err != nil {
		t.Fatalf("process %d: %s %v", pid, name, err)
	}
	return n
}

// mustStayFlat compares with an earlier moment. What a worker's old sites used goes with a later garbage collection, so the
// bounds are wide: a leak of a descriptor or some KiB a change is beyond them after some hundreds.
func (i *instance) mustStayFlat(before map[string]footprint) {
	i.t.Helper()
	var grown []string
	err := within(patience, func() error {
		grown = nil
		for kind, now := range i.footprints() {
			was := before[kind]
			if now.kib > was.kib*2+32<<10 || now.files > was.files+80 || now.threads > was.threads+24 {
				grown = append(grown, fmt.Sprintf("%s: %+v, was %+v", kind, now, was))
			}
		}
		if len(grown) > 0 {
			return errors.New(strings.Join(grown, "; "))
		}
		return nil
	})
	now := i.footprints()
	i.t.Logf("before %+v, after %+v", before, now)
	if err != nil {
		i.t.Errorf("grown: %v", err)
	}
	if os.Getenv("E2E_RACE") != "" {
		return
	}
	if err := within(settleTime, func() error { // it gives back what the last change has touched
		if kib := i.footprints()["supervisor"].kib; kib > supervisorMemory {
			pid := i.status().of("supervisor")[0].PID
			return fmt.Errorf("the supervisor has %d KiB, at most %d; %d of its own, %d of files", kib, supervisorMemory,
				processNumber(i.t, pid, "RssAnon:"), processNumber(i.t, pid, "RssFile:"))
		}
		return nil
	}); err != nil {
		i.t.Error(err)
	}
}

const settleTime = 10 * time.Second

const supervisorMemory = 20 << 10 // KiB

// active are the workers that accept.
func (s status) active() []process { return s.in("active") }

func (s status) in(state string) []process {
	var list []process
	for _, p := range s.workers() {
		if p.State == state {
			list = append(list, p)
		}
	}
	return list
}

// supervisor is its process id.
func (s status) supervisor() int {
	for _, p := range s.of("supervisor") {
		return p.PID
	}
	return 0
}

// launchLimited is launch with a limit of open descriptors.
func launchLimited(t *testing.T, dir string, files int, flags ...string) *instance {
	t.Helper()
	return launchAs(t, dir, func(cmd *exec.Cmd) {
		cmd.Args = slices.Concat([]string{"sh", "-c", fmt.Sprintf(`ulimit -n %d; exec "$0" "$@"`, files)}, cmd.Args)
		cmd.Path = "/bin/sh"
	}, flags...)
}

// endLater stops a supervisor that is not the process that was started, if there is one.
func (i *instance) endLater() {
	st, err := i.tryStatus()
	if err != nil {
		return // nobody is there: what is left shows that
	}
	st.noteIn(i.seen)
	pid := st.supervisor()
	if pid == i.cmd.Process.Pid {
		return
	}
	if r := i.verb("stop", "--fast", "--timeout", "20s"); r.code != 0 {
		i.t.Errorf("stop: exit code %d: %s", r.code, r.all())
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}
