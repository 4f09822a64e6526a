package e2e

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A worker with few descriptors leaves clients in the queue, without spinning, stays in control, and serves them all in the end.
func TestFewDescriptorsOnlySlowDown(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		more  string
		least int64 // that are served at once
	}{
		"limit derived":  {"", 50},
		"limit too high": {"[basic]\nmax_connections = 100000\n", 50},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBackend(t, "app")
			addr := freePort(t)
			dir := workDir(t)
			write(t, dir+"/pingap.toml", c.more+proxyConf(addr, b.addr))
			i := launchAs(t, dir, func(cmd *exec.Cmd) {
				cmd.Args = append([]string{"sh", "-c", `ulimit -n 256 && exec "$@"`, "sh", cmd.Path}, cmd.Args[1:]...)
				cmd.Path = "/bin/sh"
			}, "-c", dir+"/pingap.toml", "--workers", "1")
			i.waitRunning()
			served, leave := queue(t, addr, 500)
			i.eventually("many to be served", func() error { return atLeast(served.Load(), c.least) })
			before := i.status().workers()[0]
			used := ticks(t, before.PID)
			const watch = 2 * time.Second
			for end := time.Now().Add(watch); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
				i.status() // control answers
			}
			// A fifth of one processor, in hundredths of a second.
			if used = ticks(t, before.PID) - used; used > int64(watch/time.Second)*20 {
				t.Errorf("%d ticks in %v: the worker spins", used, watch)
			}
			if n := served.Load(); n >= 500 {
				t.Errorf("%d are served: there is no limit", n)
			}
			if now := i.status().workers()[0]; now.PID != before.PID || now.State != "active" {
				t.Errorf("worker %d has become %+v", before.PID, now)
			}
			close(leave)
			i.eventually("all to be served", func() error { return atLeast(served.Load(), 500) })
		})
	}
}

// queue makes connections that each send a request and stay when it is answered, until leave is closed. It counts answers.
func queue(t *testing.T, addr string, n int) (served *atomic.Int64, leave chan struct{}) {
	served, leave = new(atomic.Int64), make(chan struct{})
	for range n {
		go func() { // ends with leave and an answer, or when the connection fails
			c, err := connect(addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.close()
			if a, err := c.do(get("/")); err != nil || a.status != 200 {
				t.Errorf("answer %t, %v", a != nil, err)
				return
			}
			served.Add(1)
			<-leave
		}()
	}
	return served, leave
}

// ticks is the processor time that a process has used, in hundredths of a second.
func ticks(t *testing.T, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	f := strings.Fields(rest) // from field 3
	user, _ := strconv.ParseInt(f[11], 10, 64)
	system, _ := strconv.ParseInt(f[12], 10, 64)
	return user + system
}
