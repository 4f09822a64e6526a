package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pingap/e2e/load"
)

// startOwn starts an instance from a binary of its own, which a test may replace.
func startOwn(t *testing.T, conf string) *instance {
	t.Helper()
	dir := workDir(t)
	path, binary := filepath.Join(dir, "pingap.toml"), filepath.Join(dir, "bin", "pingap")
	write(t, path, conf)
	if err := os.MkdirAll(filepath.Dir(binary), 0o755); err != nil {
		t.Fatal(err)
	}
	i := &instance{t: t, dir: dir}
	i.install(readBytes(t, os.Getenv(binaryPath)))
	i = launchAs(t, dir, func(cmd *exec.Cmd) { cmd.Path, cmd.Args[0] = binary, binary }, "-c", path, "--workers", "2")
	i.conf, i.later = path, true
	i.waitRunning()
	return i
}

// install puts a file where the instance was started from, as packages do: under another name first.
func (i *instance) install(content []byte) {
	i.t.Helper()
	path := filepath.Join(i.dir, "bin", "pingap")
	syscall.ForkLock.RLock() // a child of another test must not hold the file for writing: it could not be executed
	err := os.WriteFile(path+".new", content, 0o755)
	syscall.ForkLock.RUnlock()
	if err != nil {
		i.t.Fatal(err)
	}
	rename(i.t, path+".new", path)
}

func readBytes(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// builds are the binary under test and the same one under another build id.
func builds(t *testing.T) [2][]byte {
	t.Helper()
	path := os.Getenv(binaryPath)
	out, err := exec.Command("go", "tool", "buildid", path).Output()
	if err != nil {
		t.Fatalf("build id of %s: %v", path, err)
	}
	id := bytes.TrimSpace(out)
	first := readBytes(t, path)
	other := slices.Clone(id)
	for n := range 8 {
		other[n] = 'A' + byte(n)
	}
	second := bytes.ReplaceAll(first, id, other)
	if bytes.Equal(first, second) {
		t.Fatalf("%s does not hold its build id %q", path, id)
	}
	return [2][]byte{first, second}
}

// again starts the supervisor anew, by the same command.
func (i *instance) again() {
	i.t.Helper()
	out, err := os.OpenFile(i.output, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		i.t.Fatal(err)
	}
	defer out.Close()
	cmd := &exec.Cmd{Path: i.cmd.Path, Args: i.cmd.Args, Dir: i.cmd.Dir, SysProcAttr: i.cmd.SysProcAttr, Stdout: out, Stderr: out}
	ended := make(chan struct{})
	if err := cmd.Start(); err != nil {
		i.t.Fatal(err)
	}
	go func() { // ends with the supervisor, which end waits for
		_ = cmd.Wait() // tests look at ProcessState
		close(ended)
	}()
	i.cmd, i.ended = cmd, ended
}

// killSupervisor ends it with -9 and returns when it is gone.
func (i *instance) killSupervisor() {
	i.t.Helper()
	i.note()
	signalPID(i.t, i.cmd.Process.Pid, syscall.SIGKILL)
	if !i.endsWithin(patience) {
		i.t.Fatal("the supervisor lives")
	}
}

// Load: all clients. Fault: the supervisor is upgraded, to another build and back, by command and by signal. Expected: 0 failed;
// the new one leads, with workers of its own build; the ledger goes on.
func TestFaultUpgradesUnderLoad(t *testing.T) {
	count := faultTest(t, 3, 20)
	addr, up := freePort(t), newUpstream(t)
	two := builds(t)
	i := startOwn(t, proxyFor(addr, up, manyGenerations))
	l := startFaultLoad(t, addr, up)
	var longest time.Duration
	for n := range count {
		before := i.status()
		i.install(two[(n+1)%2])
		began := time.Now()
		if n == count-1 {
			signalPID(t, before.supervisor(), syscall.SIGUSR2)
		} else if r := i.verb("upgrade", "--wait"); r.code != 0 {
			t.Fatalf("upgrade %d: exit code %d: %s", n, r.code, r.all())
		} else {
			longest = max(longest, time.Since(began))
		}
		i.eventually("the new supervisor", func() error {
			now, err := i.tryStatus()
			switch {
			case err != nil:
				return err
			case now.supervisor() == before.supervisor():
				return errors.New("the old one leads")
			case now.Build == before.Build:
				return fmt.Errorf("build %s", now.Build)
			}
			return i.freshSince(before.active())
		})
		i.waitRunning()
		l.goesOn(50)
	}
	r := l.mustLoseNothing()
	reached(t, "longest upgrade, with fresh workers", longest, time.Second)
	reached(t, "longest request meanwhile", longestExtra(r), 100*time.Millisecond)
	if n := i.history().of("upgrade"); n != count {
		t.Errorf("the ledger has %d upgrades of %d", n, count)
	}
	i.checkDescriptors(socketOf(t, addr), "")
}

// Load: all clients. Fault: upgrades to binaries that cannot work. Expected: 0 failed, each is refused with a reason, the same
// processes go on.
func TestFaultUpgradesToBrokenBinaries(t *testing.T) {
	faultTest(t, 1, 1)
	addr, up := freePort(t), newUpstream(t)
	i := startOwn(t, proxyFor(addr, up))
	good := readBytes(t, os.Getenv(binaryPath))
	wrongArch := slices.Clone(good)
	wrongArch[18] ^= 0xff // e_machine of the ELF header
	before := i.status()
	l := startFaultLoad(t, addr, up)
	path := filepath.Join(i.dir, "bin", "pingap")
	for _, c := range []struct {
		name string
		put  func()
	}{
		{"truncated", func() { i.install(good[:len(good)/3]) }},
		{"not executable", func() {
			i.install(good)
			if err := os.Chmod(path, 0o644); err != nil {
				t.Fatal(err)
			}
		}},
		{"of another architecture", func() { i.install(wrongArch) }},
		{"ends with an error", func() { i.install([]byte("#!/bin/sh\necho broken >&2\nexit 1\n")) }},
		{"says nothing", func() { i.install([]byte("#!/bin/sh\nexit 0\n")) }},
		{"hangs", func() { i.install([]byte("#!/bin/sh\nexec sleep 600\n")) }},
		{"is gone", func() { rename(t, path, path+".gone") }},
	} {
		c.put()
		began := time.Now()
		r := i.verb("upgrade", "--wait", "--timeout", "50s")
		t.Logf("%s: after %v: %s", c.name, time.Since(began).Round(time.Millisecond), strings.TrimSpace(r.stderr))
		if r.code != 1 || strings.TrimSpace(r.stderr) == "" {
			t.Errorf("%s: exit code %d: %s", c.name, r.code, r.all())
		}
		l.goesOn(20)
	}
	l.mustLoseNothing()
	after := i.status()
	if after.supervisor() != before.supervisor() || !slices.Equal(after.pids(), before.pids()) {
		t.Errorf("before %+v, after %+v", before.Processes, after.Processes)
	}
	i.install(good)
	if r := i.verb("upgrade", "--wait"); r.code != 0 {
		t.Errorf("a good binary afterwards: exit code %d: %s", r.code, r.all())
	}
}

// Load: all clients. Fault: two upgrades at the same time. Expected: 0 failed, at least one is done, one that is refused says
// why.
func TestFaultTwoUpgradesAtOnce(t *testing.T) {
	faultTest(t, 1, 1)
	addr, up := freePort(t), newUpstream(t)
	i := startOwn(t, proxyFor(addr, up))
	l := startFaultLoad(t, addr, up)
	first := i.ask("upgrade", "--wait")
	second := i.ask("upgrade", "--wait")
	done := 0
	for _, r := range []result{<-first, <-second} {
		t.Logf("exit code %d: %s", r.code, strings.TrimSpace(r.stderr))
		switch {
		case r.code == 0:
			done++
		case r.code == 3 || strings.TrimSpace(r.stderr) == "":
			t.Errorf("exit code %d: %s", r.code, r.all())
		}
	}
	if done == 0 {
		t.Error("neither was done")
	}
	i.waitRunning()
	l.goesOn(50)
	l.mustLoseNothing()
}

// Load: all clients. Fault: the file is replaced by another build, and a worker dies before anybody upgrades. Expected: only
// what was in flight on it is lost; the one that comes back is of the build that runs.
func TestFaultAWorkerDiesAfterTheFileWasReplaced(t *testing.T) {
	faultTest(t, 1, 1)
	addr, up := freePort(t), newUpstream(t)
	i := startOwn(t, proxyFor(addr, up))
	i.install(builds(t)[1])
	before := i.status()
	l := startFaultLoad(t, addr, up)
	d := i.kill(before.workers()[0].PID)
	i.eventually("a successor", func() error { return i.restarted(before.workers()[0], "killed") })
	original, err := os.Stat(os.Getenv(binaryPath))
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range i.status().pids() {
		exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		if err != nil || !strings.Contains(exe, "(deleted)") {
			t.Errorf("worker %d runs %s (%v), not the file that was replaced", pid, exe, err)
		}
		if now, err := os.Stat(fmt.Sprintf("/proc/%d/exe", pid)); err != nil || now.Size() != original.Size() {
			t.Errorf("worker %d: %v", pid, err)
		}
	}
	if now := i.status(); now.Build != before.Build {
		t.Errorf("build %s, was %s", now.Build, before.Build)
	}
	l.goesOn(50)
	l.mustLoseOnlyAt([]death{d})
}

// Load: all clients. Fault: the supervisor is killed with -9, without a service manager, and started again. Expected: 0 failed;
// the same workers go on under the new one.
func TestFaultSupervisorKilledAndStartedAgain(t *testing.T) {
	count := faultTest(t, 3, 20)
	addr, up := freePort(t), newUpstream(t)
	base := proxyFor(addr, up)
	i := start(t, changing(base, 0))
	i.later = true
	pids := i.status().pids()
	l := startFaultLoad(t, addr, up)
	for n := range count {
		i.killSupervisor()
		l.goesOn(50) // as orphans
		i.again()
		i.waitRunning()
		if now := i.status().pids(); !slices.Equal(now, pids) {
			t.Fatalf("round %d: workers %v, were %v", n, now, pids)
		}
		i.change(changing(base, n+1))
		l.goesOn(50)
	}
	r := l.mustLoseNothing()
	reached(t, "longest request meanwhile", longestExtra(r), 200*time.Millisecond)
	if i.history().of("crash") != count {
		t.Errorf("the ledger has %d crashes of %d", i.history().of("crash"), count)
	}
	i.checkDescriptors(socketOf(t, addr), "")
}

// Load: all clients. Fault: the supervisor is killed, and its configuration changed before it is started again. Expected: 0
// failed; what was live stays so, status says that the source differs, and a reload applies it.
func TestFaultSupervisorStartedAgainWithAnotherConfiguration(t *testing.T) {
	faultTest(t, 1, 1)
	addr, up := freePort(t), newUpstream(t)
	base := proxyFor(addr, up)
	i := start(t, base)
	i.later = true
	l := startFaultLoad(t, addr, up)
	i.killSupervisor()
	changed := strings.Replace(base, `locations = ["all"]`, `locations = ["all", "new"]`, 1)
	write(t, i.conf, changed+"\n[locations.new]\npath = \"/new\"\nplugins = [\"text\"]\n\n[plugins.text]\ncategory = \"mock\"\ndata = \"new\"\n")
	i.again()
	i.waitRunning()
	i.eventually("the difference in status", func() error {
		if st := i.status(); !st.Config.Source.Differs {
			return errors.New("status does not tell")
		}
		return nil
	})
	mustGet(t, addr, "/new", 404)
	i.reload()
	if err := want(addr, "/new", "new"); err != nil {
		t.Error(err)
	}
	l.goesOn(50)
	l.mustLoseNothing()
}

// Load: busy clients and a slow request. Fault: the supervisor is killed and nobody starts it again. Expected: workers serve on
// for orphan_grace, finish what is in flight and what waits to be accepted, and end; nothing is left.
func TestFaultOrphansServeOnAndEnd(t *testing.T) {
	faultTest(t, 1, 1)
	addr, up := freePort(t), newUpstream(t)
	i := start(t, proxyFor(addr, up, "\n[basic]\norphan_grace = \"3s\"\n"))
	l := startFaultLoad(t, addr, up, load.Mix{Kind: load.Busy, Clients: 2, Pause: time.Millisecond},
		load.Mix{Kind: load.Fresh, Clients: 2, Pause: time.Millisecond}, load.Mix{Kind: load.Slow, Clients: 4, Takes: time.Second})
	killed := time.Now()
	i.killSupervisor()
	i.eventually("an end of the workers", func() error {
		if l.Report().Kinds[load.Fresh].Ended[load.Refused] == 0 {
			return errors.New("still accepting")
		}
		return nil
	})
	served := time.Since(killed)
	r := l.Stop()
	total, fresh := r.Total(), &r.Kinds[load.Fresh]
	// Nobody comes after the workers: who begins to connect at the moment of the last close is refused by a reset.
	if total.Failed() != total.Ended[load.Refused]+fresh.Ended[load.Reset] || fresh.Ended[load.Reset] > 8 {
		t.Errorf("requests were lost:\n%s", r)
	}
	if served < 2*time.Second {
		t.Errorf("orphans served for %v, not for 3 s", served)
	}
	if left := i.left(patience); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Load: all clients. Fault: a second supervisor is started on a live one. Expected: 0 failed, and it is refused with a reason.
func TestFaultASecondSupervisorIsRefusedUnderLoad(t *testing.T) {
	count := faultTest(t, 3, 50)
	addr, up := freePort(t), newUpstream(t)
	i := start(t, proxyFor(addr, up))
	before := i.status()
	l := startFaultLoad(t, addr, up)
	for range count {
		r := command(t, i.dir, "-c", i.conf, "--run-dir", i.runDir, "--state-dir", filepath.Join(i.dir, "state"))
		if r.code != 1 {
			t.Errorf("exit code %d: %s", r.code, r.all())
		}
		contains(t, r.stderr, "already running")
	}
	l.goesOn(50)
	l.mustLoseNothing()
	if now := i.status(); !slices.Equal(now.pids(), before.pids()) || now.supervisor() != before.supervisor() {
		t.Errorf("before %+v, after %+v", before.Processes, now.Processes)
	}
}

// Load: busy clients, and tunnels of two generations that are draining. Fault: an upgrade, then the supervisor is killed.
// Expected: 0 failed, and the tunnels go on through both.
func TestFaultDrainingTunnelsOutliveSupervisors(t *testing.T) {
	faultTest(t, 1, 1)
	addr, up := freePort(t), newUpstream(t)
	i := startOwn(t, proxyFor(addr, up))
	l := startFaultLoad(t, addr, up, usualClients(t)[0])
	var tunnels []*webSocket
	for range 2 {
		tunnels = append(tunnels, openWebSocket(t, addr, "/tunnel"))
		i.roll()
	}
	check := func(when string) {
		t.Helper()
		for n, w := range tunnels {
			if err := w.echo(opText, []byte(when)); err != nil {
				t.Errorf("%s: tunnel %d: %v", when, n, err)
			}
		}
	}
	check("after two rolls")
	if r := i.verb("upgrade", "--wait"); r.code != 0 {
		t.Fatalf("upgrade: exit code %d: %s", r.code, r.all())
	}
	check("after an upgrade")
	i.eventually("both generations", func() error { return atLeast(int64(len(i.status().in("draining"))), 2) })
	signalPID(t, i.status().supervisor(), syscall.SIGKILL)
	l.goesOn(50)
	check("without a supervisor")
	i.again()
	i.waitRunning()
	check("after a crash")
	l.goesOn(50)
	l.mustLoseNothing()
}
