package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestServesAndStops(t *testing.T) {
	t.Parallel()
	b := newBackend(t, "one")
	addr := freePort(t)
	i := start(t, proxyConf(addr, b.addr))
	a := mustGet(t, addr, "/path?query=1", 200)
	if string(a.body) != "one\n" || a.header.Get("X-Got") != "GET /path?query=1 0" || a.header.Get("X-Host") != "e2e.test" {
		t.Errorf("got %q %v", a.body, a.header)
	}
	pid := strconv.Itoa(i.cmd.Process.Pid)
	if got := strings.TrimSpace(read(t, filepath.Join(i.runDir, "pingap.pid"))); got != pid {
		t.Errorf("pid file holds %s, want %s", got, pid)
	}
	r := i.verb("stop")
	if r.code != 0 || !i.endsWithin(time.Second) || !i.cmd.ProcessState.Success() {
		t.Errorf("stop: %+v, process %v", r, i.cmd.ProcessState)
	}
	for _, name := range []string{"pingap.pid", "control.sock"} {
		if _, err := os.Stat(filepath.Join(i.runDir, name)); err == nil {
			t.Errorf("%s is still there", name)
		}
	}
	if _, err := connect(addr); err == nil {
		t.Error("the address still accepts")
	}
}

func TestStatusTellsConfigurationAndProcesses(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	i := start(t, mockConf(addr, "x"))
	idle := dial(t, addr)
	if _, err := idle.do(get("/")); err != nil {
		t.Fatal(err)
	}
	mustGet(t, addr, "/", 200)
	i.eventually("counts", func() error {
		var requests uint64
		var connections int64
		for _, w := range i.status().workers() {
			requests += w.Requests
			connections += w.Connections
		}
		if requests < 2 || connections < 1 {
			return fmt.Errorf("%d requests, %d connections", requests, connections)
		}
		return nil
	})
	var raw struct {
		Config    map[string]any
		Processes []map[string]any
	}
	if err := json.Unmarshal([]byte(i.verb("status", "--json").stdout), &raw); err != nil {
		t.Fatal(err)
	}
	if sha, _ := raw.Config["sha"].(string); len(sha) != 64 || raw.Config["version"] != 1.0 {
		t.Errorf("config: %v", raw.Config)
	}
	kinds := map[any]int{}
	for _, p := range raw.Processes {
		kinds[p["kind"]]++
		for _, key := range []string{"kind", "pid", "slot", "generation", "state", "uptime", "connections", "requests", "memory"} {
			if _, ok := p[key]; !ok {
				t.Errorf("process %v has no %s", p, key)
			}
		}
		if p["memory"].(float64) < 1<<20 {
			t.Errorf("memory of %v", p)
		}
	}
	if kinds["supervisor"] != 1 || kinds["control"] != 1 || kinds["worker"] != 2 {
		t.Errorf("processes: %v", kinds)
	}
	text := i.verb("status").stdout
	contains(t, text, "pingap is running, configuration version 1", "KIND", "CONNECTIONS", "supervisor", "control", "worker", addr)
}

func TestSignals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		signal syscall.Signal
	}{{"TERM", syscall.SIGTERM}, {"QUIT", syscall.SIGQUIT}, {"INT", syscall.SIGINT}} {
		t.Run("SIG"+c.name+"StopsCleanly", func(t *testing.T) {
			t.Parallel()
			addr := freePort(t)
			i := start(t, mockConf(addr, "x"))
			mustGet(t, addr, "/", 200)
			i.signal(c.signal)
			if !i.endsWithin(patience) || !i.cmd.ProcessState.Success() {
				t.Errorf("ended: %v", i.cmd.ProcessState)
			}
		})
	}
}

func TestSIGHUPApplies(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	i := start(t, mockConf(addr, "old"))
	before := i.status().pids()
	write(t, i.conf, mockConf(addr, "new"))
	i.signal(syscall.SIGHUP)
	i.eventually("the new answer", func() error { return want(addr, "/", "new") })
	if after := i.status().pids(); fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("workers were replaced: %v, then %v", before, after)
	}
}

func (i *instance) signal(s syscall.Signal) {
	i.t.Helper()
	if err := i.cmd.Process.Signal(s); err != nil {
		i.t.Fatal(err)
	}
}

// Requests in flight are finished before the end, new ones are not taken.
func TestStopFinishesRequestsInFlight(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"stop", "SIGTERM", "SIGQUIT"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			stopsAfterRequest(t, how)
		})
	}
}

func stopsAfterRequest(t *testing.T, how string) {
	b := newBackend(t, "held")
	addr := freePort(t)
	i := start(t, proxyConf(addr, b.addr))
	answers := make(chan error, 1)
	go func() { answers <- want(addr, "/hold", "held") }() // ends with the answer below
	i.eventually("the request", func() error { return atLeast(b.now.Load(), 1) })
	stopped := make(chan result, 1)
	switch how {
	case "stop":
		go func() { stopped <- i.verb("stop") }() // ends with the instance
	case "SIGTERM":
		i.signal(syscall.SIGTERM)
	default:
		i.signal(syscall.SIGQUIT)
	}
	i.eventually("refusing new connections", func() error {
		c, err := connect(addr)
		if err == nil {
			c.close()
			return fmt.Errorf("still accepts")
		}
		return nil
	})
	if i.hasEnded() {
		t.Fatal("ended with a request in flight")
	}
	b.release()
	if err := <-answers; err != nil {
		t.Errorf("the request in flight: %v", err)
	}
	if !i.endsWithin(patience) || !i.cmd.ProcessState.Success() {
		t.Errorf("ended: %v", i.cmd.ProcessState)
	}
	if how == "stop" {
		if r := <-stopped; r.code != 0 {
			t.Errorf("stop: %+v", r)
		}
	}
}

func atLeast(n, want int64) error {
	if n < want {
		return fmt.Errorf("%d, want %d", n, want)
	}
	return nil
}

func TestASecondInstanceInTheSameRunDirectoryIsRefused(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	i := start(t, mockConf(addr, "first"))
	other := filepath.Join(i.dir, "other.toml")
	write(t, other, mockConf(freePort(t), "second"))
	r := command(t, i.dir, "-c", other, "--run-dir", i.runDir, "--state-dir", i.dir)
	if r.code != 1 {
		t.Errorf("exit code %d", r.code)
	}
	contains(t, r.stderr, i.runDir, "pid "+strconv.Itoa(i.cmd.Process.Pid))
	if err := want(addr, "/", "first"); err != nil {
		t.Error(err)
	}
	i.status() // the first one's socket is still its own
}

func TestLeftoversOfAKilledInstanceDoNotHinderTheNext(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	dir := workDir(t)
	path := filepath.Join(dir, "pingap.toml")
	write(t, path, mockConf(addr, "x"))
	first := startIn(t, dir, path)
	seen := first.status()
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-first.ended
	if err := want(addr, "/", "x"); err != nil {
		t.Errorf("without a supervisor: %v", err)
	}
	// Workers outlive their supervisor for a while on purpose; these are not needed.
	for _, pid := range seen.pids() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	first.eventually("the old processes to end", func() error {
		if left := first.left(0); len(left) > 0 {
			return fmt.Errorf("left: %v", left)
		}
		return nil
	})
	startIn(t, dir, path)
	mustGet(t, addr, "/", 200)
}

// A second signal, or stop --fast, cuts what is still in flight.
func TestAFastStopDoesNotWaitForRequests(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"stop --fast", "two SIGTERM"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			b := newBackend(t, "held")
			addr := freePort(t)
			i := start(t, proxyConf(addr, b.addr))
			cut := make(chan error, 1)
			go func() { // ends when its connection is cut
				cut <- want(addr, "/hold", "held")
			}()
			i.eventually("the request", func() error { return atLeast(b.now.Load(), 1) })
			if how == "stop --fast" {
				if r := i.verb("stop", "--fast"); r.code != 0 {
					t.Errorf("stop: %+v", r)
				}
			} else {
				i.signal(syscall.SIGTERM)
				i.eventually("stopping", func() error {
					if st, err := i.tryStatus(); err != nil || st.State != "stopping" {
						return fmt.Errorf("state %q, %v", st.State, err)
					}
					return nil
				})
				i.signal(syscall.SIGTERM)
			}
			if !i.endsWithin(patience) || !i.cmd.ProcessState.Success() {
				t.Errorf("ended: %v", i.cmd.ProcessState)
			}
			if err := <-cut; err == nil {
				t.Error("the backend answered, which it had not been let")
			} else {
				t.Log(err)
			}
		})
	}
}
