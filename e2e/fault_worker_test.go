package e2e

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pingap/e2e/load"
)

// Load: 40 requests that the backend holds, on both workers. Fault: one worker is killed with -9. Expected: exactly the requests
// that this worker had in flight are lost.
func TestFaultAKilledWorkerLosesExactlyWhatItHeld(t *testing.T) {
	faultTest(t, 1, 1)
	addr, up := freePort(t), newUpstream(t)
	i := start(t, proxyFor(addr, up))
	const requests = 40
	var wg sync.WaitGroup
	answers := make(chan error, requests)
	for n := range requests {
		wg.Go(func() { // ends with its answer, at the latest when the upstream is released
			a, err := fetch(addr, send("POST", "/hold", "held", fmt.Sprintf("Idempotency-Key: 1.%d", n)))
			if err == nil && a.status != 200 {
				err = fmt.Errorf("status %d", a.status)
			}
			answers <- err
		})
	}
	i.eventually("all to be held", func() error { return atLeast(int64(len(up.Held())), requests) })
	victim := i.status().workers()[0]
	held := 0
	own, inodes := socketInodes(t, victim.PID), map[string]string{}
	i.eventually("all connections in the kernel's table", func() error { // as with socketOf
		maps.Copy(inodes, inodesTo(t, up.Addr))
		for _, from := range up.Held() {
			if inodes[tableAddr(from)] == "" {
				return fmt.Errorf("%s is not there", from)
			}
		}
		return nil
	})
	for _, from := range up.Held() {
		if own[inodes[tableAddr(from)]] {
			held++
		}
	}
	signalPID(t, victim.PID, syscall.SIGKILL)
	i.eventually("a successor", func() error { return i.restarted(victim, "killed") })
	up.Release()
	wg.Wait()
	lost := 0
	for range requests {
		if <-answers != nil {
			lost++
		}
	}
	t.Logf("the killed worker held %d of %d requests, %d were lost", held, requests, lost)
	if lost != held {
		t.Errorf("%d requests were lost, the killed worker held %d", lost, held)
	}
}

// socketInodes are the sockets that a process has open.
func socketInodes(t *testing.T, pid int) map[string]bool {
	t.Helper()
	own := map[string]bool{}
	for _, d := range descriptors(t, pid) {
		if inode, ok := strings.CutPrefix(d.to, "socket:["); ok {
			own[strings.TrimSuffix(inode, "]")] = true
		}
	}
	return own
}

// inodesTo are the sockets connected to addr, by their own address as the kernel's table writes it.
func inodesTo(t *testing.T, addr string) map[string]string {
	t.Helper()
	inodes, to := map[string]string{}, tableAddr(addr)
	for line := range strings.Lines(read(t, "/proc/thread-self/net/tcp")) {
		if f := strings.Fields(line); len(f) > 9 && f[2] == to && f[9] != "0" {
			inodes[f[1]] = f[9]
		}
	}
	return inodes
}

// tableAddr writes a loopback address of IPv4 as the kernel's table does.
func tableAddr(addr string) string {
	_, port, _ := strings.Cut(addr, ":")
	number, _ := strconv.Atoi(port)
	return fmt.Sprintf("0100007F:%04X", number)
}

// Load: all clients. Fault: every 500 ms a worker is killed with -9, by turns. Expected: no connection refused, and only
// requests lost that were in flight at such a moment, at most one of a client each time.
func TestFaultWorkersKilledAgainAndAgain(t *testing.T) {
	count := faultTest(t, 10, 120)
	addr, up := freePort(t), newUpstream(t)
	i := start(t, proxyFor(addr, up))
	l := startFaultLoad(t, addr, up)
	var deaths []death
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for n := range count {
		<-tick.C // the pace is the fault
		// With their pauses of up to 5 s all of them may be away.
		if workers := i.status().active(); len(workers) > 0 {
			deaths = append(deaths, i.kill(workers[n%len(workers)].PID))
		}
	}
	l.goesOn(300)
	i.waitRunning()
	t.Logf("%d workers were killed", len(deaths))
	r := l.mustLoseOnlyAt(deaths)
	if total := r.Total(); total.OK() < 10*total.Failed() {
		t.Errorf("%d good requests and %d lost ones", total.OK(), total.Failed())
	}
	i.checkDescriptors(socketOf(t, addr), "")
}

// Load: all clients. Fault: all workers are killed at once. Expected: no connection refused, only requests in flight lost;
// those that come meanwhile wait.
func TestFaultAllWorkersKilledAtOnce(t *testing.T) {
	count := faultTest(t, 3, 30)
	addr, up := freePort(t), newUpstream(t)
	i := start(t, proxyFor(addr, up))
	l := startFaultLoad(t, addr, up)
	var deaths []death
	for range count {
		i.waitRunning()
		pids := i.status().pids()
		for _, pid := range pids {
			deaths = append(deaths, i.kill(pid)) // the second one may lose what the first has lost, begun anew
		}
		l.goesOn(100)
	}
	i.waitRunning()
	l.mustLoseOnlyAt(deaths)
}

// Load: a connection for each request. Fault: a worker that is killed whenever it comes back. Expected: it is started with
// growing pauses, the other one serves, status says that something is wrong; and all is well again afterwards.
func TestFaultAWorkerThatKeepsDyingIsStartedSlowly(t *testing.T) {
	seconds := faultTest(t, 8, 60)
	addr, up := freePort(t), newUpstream(t)
	i := start(t, proxyFor(addr, up))
	first := i.status().workers()[0]
	l := startFaultLoad(t, addr, up, load.Mix{Kind: load.Fresh, Clients: 2, Pause: 5 * time.Millisecond})
	var deaths []death
	restarts := first.Restarts
	degraded := false
	for end := time.Now().Add(time.Duration(seconds) * time.Second); time.Now().Before(end); {
		st := i.status()
		degraded = degraded || len(st.Degraded) > 0
		for _, w := range st.workers() {
			if w.Slot == first.Slot && w.PID > 0 && w.State == "active" {
				deaths = append(deaths, i.kill(w.PID))
				restarts = w.Restarts + 1
			}
		}
		time.Sleep(20 * time.Millisecond) // the pace of the fault
	}
	t.Logf("%d restarts in %d s, degraded %v", restarts-first.Restarts, seconds, degraded)
	if n := restarts - first.Restarts; n > seconds+6 {
		t.Errorf("%d restarts within %d s", n, seconds)
	}
	if !degraded {
		t.Error("status has never said that a worker keeps dying")
	}
	l.goesOn(100)
	l.mustLoseOnlyAt(deaths)
	i.waitRunning()
}

// Load: more connections than descriptors. Fault: the limit of descriptors is reached. Expected: accepting pauses without
// burning the CPU, the instance answers its commands, and serves all once there is room.
func TestFaultDescriptorLimitIsReached(t *testing.T) {
	faultTest(t, 1, 1)
	addr, up, dir := freePort(t), newUpstream(t), workDir(t)
	path := filepath.Join(dir, "pingap.toml")
	write(t, path, proxyFor(addr, up)+"\n[basic]\nmax_connections = 10000\n")
	i := launchLimited(t, dir, 256, "-c", path, "--workers", "2")
	i.conf = path
	i.waitRunning()
	var idle []*client
	for range 600 {
		c, err := connect(addr)
		if err != nil {
			t.Fatal(err)
		}
		idle = append(idle, c)
	}
	i.eventually("workers that are full", func() error {
		for _, w := range i.status().workers() {
			if w.Connections < 90 { // half of the descriptors, less what a worker needs itself
				return fmt.Errorf("worker %d has %d connections", w.Slot, w.Connections)
			}
		}
		return nil
	})
	before, began := i.cpuTime(), time.Now()
	time.Sleep(2 * time.Second) // what is measured is that nothing happens
	busy := float64(i.cpuTime()-before) / float64(time.Since(began))
	t.Logf("with descriptors used up all processes take %.1f %% of a CPU", 100*busy)
	if busy > 0.6 && os.Getenv("E2E_RACE") == "" {
		t.Errorf("a busy loop: %.0f %% of a CPU", 100*busy)
	}
	i.status()
	for _, c := range idle {
		c.close()
	}
	i.eventually("service", func() error {
		_, err := bodyOf(addr, "/echo")
		return err
	})
	i.change(proxyFor(addr, up) + "\n[basic]\nmax_connections = 9999\n")
	for _, w := range i.status().workers() {
		if w.Restarts > 0 {
			t.Errorf("worker %d was restarted: %s", w.Slot, w.LastExit)
		}
	}
}

// cpuTime is what all processes of the instance have used so far.
func (i *instance) cpuTime() time.Duration {
	i.t.Helper()
	var sum time.Duration
	for _, p := range i.status().Processes {
		text := read(i.t, fmt.Sprintf("/proc/%d/stat", p.PID))
		f := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
		for _, ticks := range f[11:13] { // utime and stime, 100 a second
			n, _ := strconv.Atoi(ticks)
			sum += time.Duration(n) * 10 * time.Millisecond
		}
	}
	return sum
}

// Load: all clients. Fault: a worker stands still. Expected: the requests it holds are lost when it is killed for its silence,
// or wait; no connection is refused, and others go on.
func TestFaultAWorkerStandsStillUnderLoad(t *testing.T) {
	faultTest(t, 1, 1)
	addr, up := freePort(t), newUpstream(t)
	i := start(t, proxyFor(addr, up))
	l := startFaultLoad(t, addr, up)
	victim := i.status().workers()[0]
	began := time.Now()
	signalPID(t, victim.PID, syscall.SIGSTOP)
	l.goesOn(300)
	i.eventually("a successor", func() error { return i.restarted(victim, "no heartbeat") })
	i.dumps = true
	ended := time.Now()
	l.goesOn(300)
	r := l.stopped()
	total := r.Total()
	if n := total.Ended[load.Refused]; n > 0 {
		t.Errorf("%d connections were refused", n)
	}
	for _, f := range r.Failures {
		if f.Began.After(ended) || f.Ended.Before(began) {
			t.Errorf("failed without a fault: %s", f)
		}
	}
}

// Load: all clients, and many connections more. Fault: a worker runs out of memory, and the kernel kills it. Expected: only
// requests in flight on it are lost.
func TestFaultAWorkerRunsOutOfMemory(t *testing.T) {
	faultTest(t, 1, 1)
	addr, up := freePort(t), newUpstream(t)
	i := start(t, proxyFor(addr, up))
	group := memoryGroup(t)
	l := startFaultLoad(t, addr, up)
	victim := i.status().workers()[0]
	d := death{from: time.Now()}
	group.limit(t, victim.PID)
	i.eventually("a death by the kernel", func() error {
		for range 50 { // what it holds already does not count, so it has to be asked for more
			c, err := connect(addr)
			if err != nil {
				return err
			}
			defer c.close()
			_, _ = c.do(send("POST", "/echo", strings.Repeat("more ", 100_000)))
		}
		return i.restarted(victim, "killed")
	})
	d.to = time.Now()
	l.goesOn(100)
	l.mustLoseOnlyAt([]death{d})
}

// controlGroup is one of the memory controller, of version 1 or 2.
type controlGroup struct{ dir, key string }

func memoryGroup(t *testing.T) controlGroup {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("not started as root")
	}
	for _, g := range []controlGroup{{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"}, {"/sys/fs/cgroup", "memory.max"}} {
		g.dir = filepath.Join(g.dir, fmt.Sprintf("pingap-e2e-%d", os.Getpid()))
		if os.Mkdir(g.dir, 0o755) != nil {
			continue
		}
		t.Cleanup(func() { os.Remove(g.dir) }) // its processes have ended
		if _, err := os.Stat(filepath.Join(g.dir, g.key)); err == nil {
			return g
		}
	}
	t.Skip("the memory of a control group cannot be limited here")
	return controlGroup{}
}

// limit lets a process have hardly any more memory.
func (g controlGroup) limit(t *testing.T, pid int) {
	t.Helper()
	for name, value := range map[string]string{g.key: "2M", "cgroup.procs": strconv.Itoa(pid)} {
		if err := os.WriteFile(filepath.Join(g.dir, name), []byte(value), 0); err != nil {
			t.Fatal(err)
		}
	}
}
