package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// changing is a configuration for the upstream with something hot that differs by n.
func changing(base string, n int) string {
	return strings.Replace(base, `"all"]`, fmt.Sprintf(`"all", "n%d"]`, n), 1) +
		fmt.Sprintf("\n[locations.n%d]\npath = \"/only/%d\"\nupstream = \"u%d\"\n\n[upstreams.u%d]\naddrs = [\"127.0.0.1:9\"]\n", n, n, n, n)
}

// Load: all clients. Fault: hot applies one after the other. Expected: 0 failed, and nothing that grows.
func TestFaultAppliesUnderLoad(t *testing.T) {
	count := faultTest(t, 25, 200)
	addr, up := freePort(t), newUpstream(t)
	base := proxyFor(addr, up)
	i := start(t, changing(base, 0))
	pids := i.status().pids()
	l := startFaultLoad(t, addr, up)
	for n := 1; n <= count; n++ {
		i.change(changing(base, n))
	}
	l.goesOn(200)
	l.mustLoseNothing()
	if st := i.status(); st.Config.Version != uint64(count+1) || !slices.Equal(st.pids(), pids) {
		t.Errorf("version %d after %d applies; workers %v, were %v", st.Config.Version, count, st.pids(), pids)
	}
}

// Load: one client. Fault: many applies. Expected: 0 failed; memory, descriptors and threads of all processes stay.
func TestFaultManyAppliesLeaveNothingBehind(t *testing.T) {
	count := faultTest(t, 100, 1000)
	addr, up := freePort(t), newUpstream(t)
	base := proxyFor(addr, up)
	i := start(t, changing(base, 0))
	l := startFaultLoad(t, addr, up, usualClients(t)[0])
	for n := range 20 {
		i.change(changing(base, n+1))
	}
	before := i.footprints()
	for n := range count {
		i.change(changing(base, n+21))
	}
	l.goesOn(50)
	l.mustLoseNothing()
	i.mustStayFlat(before)
	i.checkDescriptors(socketOf(t, addr), "")
}

// Load: all clients. Fault: configurations with every mistake there is, again and again. Expected: 0 failed, all refused, the
// old one lives, and nothing grows.
func TestFaultBadConfigurationsUnderLoad(t *testing.T) {
	count := faultTest(t, 40, 1000)
	addr, up := freePort(t), newUpstream(t)
	base := proxyFor(addr, up)
	i := start(t, base)
	before, flat := i.status(), i.footprints()
	bad := mistakes()
	l := startFaultLoad(t, addr, up)
	for n := range count {
		m := bad[n%len(bad)]
		write(t, i.conf, m.conf)
		if r := i.verb("reload", "--wait"); r.code != 1 {
			t.Errorf("%s: exit code %d: %s", m.name, r.code, r.all())
		}
	}
	l.goesOn(200)
	l.mustLoseNothing()
	after := i.status()
	if after.Config.SHA != before.Config.SHA || !slices.Equal(after.pids(), before.pids()) {
		t.Errorf("before %+v, after %+v", before, after)
	}
	i.mustStayFlat(flat)
	write(t, i.conf, base)
	i.reload()
}

// Load: all clients, logged. Fault: log rotation with `pingap reopen`. Expected: 0 failed, and a line for every request.
func TestFaultLogRotationUnderLoad(t *testing.T) {
	count := faultTest(t, 15, 200)
	addr, up, dir := freePort(t), newUpstream(t), workDir(t)
	log := filepath.Join(dir, "access.log")
	i := start(t, insert(proxyFor(addr, up), "servers.web", fmt.Sprintf("access_log = %q", log+"?rolling=never {:status} {uri} end")))
	l := startFaultLoad(t, addr, up)
	for n := range count {
		rename(t, log, fmt.Sprintf("%s.%d", log, n))
		if r := i.verb("reopen"); r.code != 0 {
			t.Fatalf("reopen: %s", r.all())
		}
		l.goesOn(20)
	}
	r := l.mustLoseNothing()
	// Every request that was answered, and the tunnels and streams that ended with the load, have a line.
	i.eventually("all lines", func() error { return countLines(log, r.Keyed) })
}

// countLines says whether the files of a log have at least so many whole lines. There are no others.
func countLines(log string, least uint64) error {
	files, err := filepath.Glob(log + "*")
	if err != nil {
		return err
	}
	var whole uint64
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			if !strings.HasPrefix(line, "4") && (!strings.HasSuffix(line, " end\n") || strings.Count(line, "/") == 0) {
				return fmt.Errorf("%s: torn line %q", f, line)
			}
			if strings.HasSuffix(line, " end\n") {
				whole++
			}
		}
	}
	if whole < least {
		return fmt.Errorf("%d lines for %d requests", whole, least)
	}
	return nil
}

// Load: all clients. Fault: control is killed with -9, also while it applies. Expected: 0 failed; a later change applies.
func TestFaultControlKilledUnderLoad(t *testing.T) {
	count := faultTest(t, 5, 50)
	addr, up := freePort(t), newUpstream(t)
	base := proxyFor(addr, up)
	i := start(t, changing(base, 0))
	pids := i.status().pids()
	l := startFaultLoad(t, addr, up)
	for n := 1; n <= count; n++ {
		victim := i.status().of("control")[0].PID
		var asked <-chan result
		if n%2 == 0 {
			write(t, i.conf, changing(base, n))
			asked = i.ask("reload", "--wait", "--timeout", "5s")
		}
		signalPID(t, victim, syscall.SIGKILL)
		if asked != nil {
			<-asked // applied or not: it was killed
		}
		i.eventually("another control", func() error {
			st, err := i.tryStatus()
			if err == nil && st.of("control")[0].PID == victim {
				err = fmt.Errorf("control is still %d", victim)
			}
			return err
		})
		i.note()
	}
	i.change(changing(base, count+1))
	l.goesOn(100)
	l.mustLoseNothing()
	if now := i.status().pids(); !slices.Equal(now, pids) {
		t.Errorf("workers were replaced: %v, then %v", pids, now)
	}
}

// Load: all clients. Fault: the supervisor stands still for longer than heartbeats may be missing. Expected: 0 failed, and
// nobody is killed for a silence that was its own.
func TestFaultSupervisorStandsStill(t *testing.T) {
	seconds := faultTest(t, 14, 60)
	addr, up := freePort(t), newUpstream(t)
	i := start(t, proxyFor(addr, up))
	before := i.status()
	l := startFaultLoad(t, addr, up)
	signalPID(t, i.cmd.Process.Pid, syscall.SIGSTOP)
	time.Sleep(time.Duration(seconds) * time.Second) // the fault itself
	signalPID(t, i.cmd.Process.Pid, syscall.SIGCONT)
	l.goesOn(200)
	i.waitRunning()
	l.mustLoseNothing()
	after := i.status()
	if !slices.Equal(after.pids(), before.pids()) || after.of("control")[0].PID != before.of("control")[0].PID {
		t.Errorf("before %+v, after %+v", before.Processes, after.Processes)
	}
}
