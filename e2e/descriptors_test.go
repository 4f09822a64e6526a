package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// descriptor is one open file of a process.
type descriptor struct {
	fd    int
	to    string // what /proc/PID/fd/N links to
	flags int64  // open flags, octal in fdinfo
}

func descriptors(t *testing.T, pid int) []descriptor {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []descriptor
	for _, e := range entries {
		fd, _ := strconv.Atoi(e.Name())
		to, err := os.Readlink(filepath.Join(dir, e.Name()))
		if err != nil {
			continue // closed meanwhile
		}
		list = append(list, descriptor{fd, to, openFlags(pid, fd)})
	}
	return list
}

func openFlags(pid, fd int) int64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%d", pid, fd))
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "flags:"); ok {
			flags, _ := strconv.ParseInt(strings.TrimSpace(value), 8, 64)
			return flags
		}
	}
	return -1
}

// socketOf finds the inode of the listening socket of an IPv4 address, as /proc names it: that of this thread, since the first thread of
// the process, whose /proc/self is, may be in a network of its own after a test. The kernel's table is read piece by piece, and lines are
// missed where sockets come and go meanwhile: what is not found is looked for again.
func socketOf(t *testing.T, addr string) string {
	t.Helper()
	_, port, _ := strings.Cut(addr, ":")
	number, _ := strconv.Atoi(port)
	for end := time.Now().Add(patience); time.Now().Before(end); {
		for line := range strings.Lines(read(t, "/proc/thread-self/net/tcp")) {
			f := strings.Fields(line)
			if len(f) > 9 && f[1] == fmt.Sprintf("0100007F:%04X", number) && f[3] == "0A" {
				return "socket:[" + f[9] + "]"
			}
		}
	}
	t.Fatalf("nobody listens on %s", addr)
	return ""
}

const (
	flagAppend   = 0o2000
	flagNonblock = 0o4000
	flagCloexec  = 0o2000000
)

// A worker holds: the standard streams, the socket to the supervisor, the shared listeners, its logs, memory, and what Go
// polls with. None of it is a file that it opened itself, all of it is closed on exec, and listeners stay non-blocking: their
// flags are shared by all processes.
func TestWorkersHoldOnlyTheDescriptorsTheyNeed(t *testing.T) {
	t.Parallel()
	b := newBackend(t, "app")
	dir, addr := workDir(t), freePort(t)
	log := filepath.Join(dir, "access.log")
	i := start(t, loggedConf(addr, b.addr, log+"?rolling=never combined"))
	socket := socketOf(t, addr)
	i.checkDescriptors(socket, log)
	for n := range 3 {
		i.change(loggedConf(addr, b.addr, log+"?rolling=never {uri} "+strconv.Itoa(n)))
	}
	signalPID(t, i.status().pids()[0], 9)
	i.eventually("a successor", func() error { return want(addr, "/", "app") })
	i.waitRunning()
	if now := socketOf(t, addr); now != socket {
		t.Errorf("the listening socket is another one: %s, was %s", now, socket)
	}
	i.checkDescriptors(socket, log)
}

func (i *instance) checkDescriptors(socket, log string) {
	i.t.Helper()
	for _, p := range i.status().Processes {
		holds := false
		for _, d := range descriptors(i.t, p.PID) {
			if d.to == socket {
				holds = true
				if d.flags&flagNonblock == 0 {
					i.t.Errorf("%s %d: the listener blocks", p.Kind, p.PID)
				}
			}
			if d.fd > 2 && d.flags&flagCloexec == 0 {
				i.t.Errorf("%s %d: descriptor %d (%s) would be inherited", p.Kind, p.PID, d.fd, d.to)
			}
			if p.Kind == "worker" {
				i.checkWorkerDescriptor(p, d, log)
			}
		}
		if expected := p.Kind != "control"; holds != expected {
			i.t.Errorf("%s %d holds the listener: %v", p.Kind, p.PID, holds)
		}
	}
}

func (i *instance) checkWorkerDescriptor(p process, d descriptor, log string) {
	i.t.Helper()
	kind, _, _ := strings.Cut(d.to, ":")
	switch {
	case strings.HasPrefix(d.to, "/sys/fs/cgroup/"): // the Go runtime follows its CPU limit
	case kind == "socket", kind == "anon_inode", kind == "pipe", strings.HasPrefix(d.to, "/memfd:"), d.to == os.DevNull:
	case d.to == i.output && d.fd <= 2:
	case d.to == log:
		if d.flags&flagAppend == 0 {
			i.t.Errorf("worker %d: the log is not opened for appending", p.PID)
		}
	case d.to == i.output && d.flags&flagCloexec != 0: // a duplicate of a standard stream
	default:
		i.t.Errorf("worker %d: descriptor %d is %s", p.PID, d.fd, d.to)
	}
}

// Reloads, reopened logs and connections that ended leave nothing open. Supervisor and control close at once; what a worker's
// old sites used is closed when the garbage collector has found them unused, so there the number falls again and again.
func TestDescriptorsDoNotGrow(t *testing.T) {
	t.Parallel()
	b := newBackend(t, "app")
	dir, addr := workDir(t), freePort(t)
	log := filepath.Join(dir, "access.log")
	conf := func(n int) string {
		return loggedConf(addr, b.addr, fmt.Sprintf("%s.%d?rolling=never {uri} %d", log, n%3, n)) +
			fmt.Sprintf("[upstreams.other%d]\naddrs = [\"127.0.0.1:1\"]\n", n)
	}
	i := start(t, conf(0))
	i.change(conf(1))
	first := i.countDescriptors()
	last, fell := first, map[int]bool{}
	for n := 2; len(fell) < 2; n++ {
		if n > 200 {
			t.Fatalf("after 200 reloads: %v, after the first: %v", last, first)
		}
		i.change(conf(n))
		i.verb("reopen")
		mustGet(t, addr, "/", 200, "Connection: close")
		now := i.countDescriptors()
		for _, p := range i.status().Processes {
			if p.Kind == "worker" && now[p.PID] < last[p.PID]-5 {
				fell[p.PID] = true
			}
			if p.Kind != "worker" && now[p.PID] > first[p.PID]+4 {
				t.Fatalf("%s has %d descriptors after %d reloads, had %d", p.Kind, now[p.PID], n, first[p.PID])
			}
		}
		last = now
	}
	t.Logf("descriptors after the first reload %v, now %v", first, last)
}

func (i *instance) countDescriptors() map[int]int {
	counts := map[int]int{}
	for _, p := range i.status().Processes {
		counts[p.PID] = len(descriptors(i.t, p.PID))
	}
	return counts
}
