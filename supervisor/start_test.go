package supervisor

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pingap/ipc"
	"pingap/supervisor/socket"
)

func TestStartsWorkersOnTheFirstProposal(t *testing.T) {
	i := boot(t, nil)
	<-i.ready
	all := i.status()
	if !twoActive()(all) || all.State != stateRunning || all.SHA != "one" || all.Version != 1 {
		t.Errorf("status %+v", all)
	}
	if a := i.ask(); a.SHA != "one" {
		t.Errorf("answered %+v", a)
	}
	if i.start.SHA != "" || i.start.RunDir != filepath.Join(i.dir, "run") {
		t.Errorf("control was started with %+v", i.start)
	}
	data, err := os.ReadFile(filepath.Join(i.dir, "run", "pingap.pid"))
	if err != nil || strings.TrimSpace(string(data)) != strconv.Itoa(os.Getpid()) {
		t.Errorf("pid file %q, %v", data, err)
	}
	info, err := os.Stat(filepath.Join(i.dir, "run", "control.sock"))
	if err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("control socket %v, %v", info, err)
	}
}

func TestWorkersHaveNothingButWhatTheyNeed(t *testing.T) {
	t.Setenv("SECRET_OF_THE_SUPERVISOR", "x")
	t.Setenv("NOTIFY_SOCKET", "/run/x")
	i := launch(t, nil)
	i.takeControl()
	p := i.proposal("", "one")
	p.Logs = []ipc.LogTarget{{Path: filepath.Join(i.dir, "access.log")}}
	i.mustApply(p)
	a := i.ask()
	if !a.NoNewPrivs {
		t.Error("no_new_privs is not set")
	}
	for _, v := range a.Env {
		if strings.HasPrefix(v, "SECRET") || strings.HasPrefix(v, "NOTIFY") {
			t.Errorf("environment has %s", v)
		}
	}
	counts := map[string]int{}
	for _, link := range a.FDs {
		kind, _, _ := strings.Cut(link, ":")
		if strings.HasPrefix(link, "/") {
			kind = strings.TrimSuffix(link, " (deleted)")
		}
		counts[kind]++
	}
	// socket: descriptor 3, the listener, its copy by net.FileListener, the connection that asks.
	want := map[string]int{"socket": 4, "/memfd:pingap-arena": 1, filepath.Join(i.dir, "access.log"): 1}
	for kind, n := range counts {
		switch {
		case kind == "anon_inode" || strings.HasPrefix(kind, "/proc/") || strings.HasPrefix(kind, "/sys/fs/cgroup/"): // Go's runtime
		case want[kind] != n:
			t.Errorf("%d descriptors of kind %s, want %d: %v", n, kind, want[kind], a.FDs)
		}
	}
}

func TestListenersStayNonBlocking(t *testing.T) {
	i := boot(t, nil)
	for range 3 {
		before := pids(i.status())
		for _, pid := range before {
			unix.Kill(pid, unix.SIGKILL)
		}
		i.until("new workers", twoActive(before...))
		if a := i.ask(); !a.Nonblock {
			t.Fatal("O_NONBLOCK was cleared on the shared description")
		}
	}
}

func TestEveryKindOfListener(t *testing.T) {
	i := launch(t, nil)
	i.takeControl()
	path := filepath.Join(i.dir, "web.sock")
	stale, err := net.Listen("unix", path) // a socket file that nobody listens on is taken over
	if err != nil {
		t.Fatal(err)
	}
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	stale.Close()
	p := i.proposal("", "one")
	p.Listeners = append(p.Listeners, ipc.Listener{Network: "unix", Address: path, Mode: 0o600, Server: "u"})
	v6, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Logf("no IPv6 here: %v", err)
	} else {
		v6.Close()
		p.Listeners = append(p.Listeners, ipc.Listener{Network: "tcp6", Address: v6.Addr().String(), Server: "v6", FastOpen: 5, ReusePort: true})
	}
	i.mustApply(p)
	for _, l := range p.Listeners {
		network := "tcp"
		if l.Network == "unix" {
			network = "unix"
		}
		c, err := net.Dial(network, l.Address)
		if err != nil {
			t.Errorf("%s: %v", l.Address, err)
			continue
		}
		c.SetDeadline(time.Now().Add(patience))
		if n, _ := c.Read(make([]byte, 10)); n == 0 {
			t.Errorf("%s: no answer", l.Address)
		}
		c.Close()
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	i.signals <- unix.SIGTERM
	if err := i.end(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("unix listener left behind: %v", err)
	}
}

func TestAStartThatCannotSucceedIsAnError(t *testing.T) {
	busy, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	cases := []struct {
		name string
		do   func(i *instance)
		want string
	}{
		{"the address is taken", func(i *instance) {
			i.address = busy.Addr().String()
			i.mustRefuse(i.proposal("", "one"), ipc.CodeListen)
		}, "address already in use"},
		{"no such log directory can be made", func(i *instance) {
			p := i.proposal("", "one")
			p.Logs = []ipc.LogTarget{{Path: "/proc/nothing/access.log"}}
			i.mustRefuse(p, ipc.CodeLog)
		}, "/proc/nothing"},
		{"an address is a name", func(i *instance) {
			i.address = "localhost:80"
			i.mustRefuse(i.proposal("", "one"), ipc.CodeListen)
		}, "not IP:port"},
		{"a listener twice", func(i *instance) {
			p := i.proposal("", "one")
			p.Listeners = append(p.Listeners, p.Listeners[0])
			i.mustRefuse(p, ipc.CodeInvalid)
		}, "twice"},
		{"no snapshot", func(i *instance) {
			i.send(i.proposal("", "one"))
			i.verdict()
		}, "no descriptor"},
		{"a worker refuses", func(i *instance) {
			i.behave("worker1.start", "nack")
			i.mustRefuse(i.proposal("", "one"), ipc.CodeWorkerDied)
		}, "no way"},
		{"a worker dies", func(i *instance) {
			i.behave("worker1.hello", "die")
			i.mustRefuse(i.proposal("", "one"), ipc.CodeWorkerDied)
		}, "exit status 7"},
		{"a worker is never ready", func(i *instance) {
			i.behave("worker1.ready", "hang")
			i.mustRefuse(i.proposal("", "one"), ipc.CodeWorkerDied)
		}, "not ready within"},
		{"a worker never says Hello", func(i *instance) {
			i.behave("worker0.hello", "hang")
			i.mustRefuse(i.proposal("", "one"), ipc.CodeWorkerDied)
		}, "not ready within"},
		{"a worker never becomes active", func(i *instance) {
			i.behave("worker0.activate", "ignore")
			i.mustRefuse(i.proposal("", "one"), ipc.CodeWorkerDied)
		}, "not active within"},
		{"a worker speaks another protocol", func(i *instance) {
			i.behave("worker0.hello", "proto")
			i.mustRefuse(i.proposal("", "one"), ipc.CodeWorkerDied)
		}, "speaks protocol 7 to 9"},
		{"control dies", func(i *instance) { unix.Kill(i.pid, unix.SIGKILL) }, "control ended"},
		{"control gives up", func(i *instance) {
			i.send(ipc.Refused{Reason: "pingap.toml:3: unknown", Errors: []string{"a", "b"}})
		}, "pingap.toml:3: unknown\na\nb"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			i := launch(t, func(o *Options) { o.Timings.Ready, o.Timings.Active = 3*time.Second, time.Second })
			i.takeControl()
			c.do(i)
			err := i.end()
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Run returned %v, want %q", err, c.want)
			}
			if _, err := os.Stat(filepath.Join(i.dir, "run", "pingap.pid")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("pid file left behind: %v", err)
			}
		})
	}
}

func TestOneInstanceARunDirectory(t *testing.T) {
	i := boot(t, nil)
	err := Run(i.ctx, Options{RunDir: filepath.Join(i.dir, "run")})
	if !errors.Is(err, ErrRunning) || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
		t.Errorf("second instance: %v", err)
	}
	if i.ask().SHA != "one" {
		t.Error("the first one suffered")
	}
}

func TestLeftoversOfAKilledInstanceAreTakenOver(t *testing.T) {
	i := launch(t, func(o *Options) {
		os.MkdirAll(o.RunDir, 0o750)
		fd, err := socket.ListenUnix(filepath.Join(o.RunDir, "control.sock"), unix.SOCK_SEQPACKET, 0o660, 1)
		if err != nil {
			t.Fatal(err)
		}
		unix.Close(fd)
		os.WriteFile(filepath.Join(o.RunDir, "pingap.pid"), []byte("1\n"), 0o644)
	})
	i.takeControl()
	i.mustApply(i.proposal("", "one"))
	if c, err := ipc.Dial(i.ctx, filepath.Join(i.dir, "run", "control.sock")); err != nil {
		t.Error(err)
	} else {
		c.Close()
	}
}

func TestWorkersOfARootSupervisorDropIt(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to have something to drop")
	}
	i := launch(t, nil)
	i.takeControl()
	// The drop must reach what the workers need: files in FAKE_DIR are behind the test's private directory.
	os.Chmod(filepath.Dir(i.dir), 0o755)
	p := i.proposal("", "one")
	p.Settings = ipc.Settings{User: "nobody"}
	p.Logs = []ipc.LogTarget{{Path: filepath.Join(i.dir, "logs", "access.log")}}
	i.mustApply(p)
	if a := i.ask(); a.UID == 0 || a.SHA != "one" {
		t.Errorf("worker runs as %d", a.UID)
	}
	data, err := os.ReadFile(filepath.Join(i.dir, "logs", "access.log"))
	if err != nil || strings.Count(string(data), "worker") != 2 {
		t.Errorf("log of dropped workers: %q, %v", data, err)
	}
}

func TestControlOfARootSupervisorStartsWithoutRootOnceItHasDroppedIt(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to have something to drop")
	}
	i := launch(t, nil)
	// Who is not root must reach the test's private directory, too.
	for _, path := range []string{filepath.Dir(i.dir), i.dir, i.dials.Addr().String()} {
		if err := os.Chmod(path, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	i.takeControl()
	p := i.proposal("", "one")
	p.Settings = ipc.Settings{User: "nobody"}
	to := i.mustApply(p).RunAs
	if to == nil || to.UID == 0 || to.GID == 0 {
		t.Fatalf("control is to run as %+v", to)
	}
	restart := func(dropped bool) {
		t.Helper()
		i.send(ipc.Status{State: ipc.StateActive, Dropped: dropped})
		i.status() // the supervisor has seen it
		unix.Kill(i.pid, unix.SIGKILL)
		i.takeControl()
		if i.start.RunAs == nil || *i.start.RunAs != *to {
			t.Errorf("the new control is to run as %+v, want %+v", i.start.RunAs, to)
		}
	}
	for _, c := range []struct {
		dropped bool
		uid     uint32
	}{{false, 0}, {true, to.UID}, {false, to.UID}} {
		restart(c.dropped)
		var st unix.Stat_t
		if err := unix.Stat("/proc/"+strconv.Itoa(i.pid)+"/fd", &st); err != nil || st.Uid != c.uid {
			t.Errorf("dropped %v: the next control runs as uid %d (%v), want %d", c.dropped, st.Uid, err, c.uid)
		}
	}
}

func TestARunAsIsOnlyToldWhereThereIsRootToDrop(t *testing.T) {
	i := launch(t, nil)
	i.takeControl()
	if a := i.mustApply(i.proposal("", "one")); a.RunAs != nil { // the proposal allows root
		t.Errorf("control is to run as %+v", a.RunAs)
	}
}

func TestAnUnknownUserIsAnError(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to have something to drop")
	}
	i := launch(t, nil)
	i.takeControl()
	p := i.proposal("", "one")
	p.Settings = ipc.Settings{User: "no-such-user"}
	i.mustRefuse(p, ipc.CodeWorkerDied)
	if err := i.end(); err == nil || !strings.Contains(err.Error(), "no-such-user") {
		t.Errorf("Run returned %v", err)
	}
}

func TestThePIDFileOfTheConfiguration(t *testing.T) {
	i := launch(t, nil)
	i.takeControl()
	p := i.proposal("", "one")
	p.Settings.PIDFile = filepath.Join(i.dir, "other.pid")
	i.mustApply(p)
	if data, err := os.ReadFile(p.Settings.PIDFile); err != nil || string(data) != strconv.Itoa(os.Getpid())+"\n" {
		t.Errorf("%q, %v", data, err)
	}
	i.signals <- unix.SIGTERM
	i.end()
	if _, err := os.Stat(p.Settings.PIDFile); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left behind: %v", err)
	}
}

func TestThreadsAreShared(t *testing.T) {
	s := &supervisor{o: Options{Workers: 99}}
	v := &version{settings: ipc.Settings{Threads: 9}}
	if n := s.workerCount(v.settings); n != MaxWorkers {
		t.Errorf("%d workers", n)
	}
	if n := threads(v, 2); n != 5 {
		t.Errorf("%d threads a worker, want 5", n)
	}
}

func TestBackoffGrowsToItsBound(t *testing.T) {
	s := &supervisor{o: Options{Timings: Timings{}.withDefaults()}}
	if s.backoff(1) != 0 {
		t.Error("the first restart waits")
	}
	for failures, bound := range map[int]time.Duration{2: 100 * time.Millisecond, 3: 200 * time.Millisecond, 50: 5 * time.Second} {
		var seen []time.Duration
		for range 200 {
			seen = append(seen, s.backoff(failures))
		}
		if slices.Max(seen) > bound || slices.Max(seen) < bound/2 || slices.Min(seen) > bound/4 {
			t.Errorf("%d failures: %v to %v, want jitter up to %v", failures, slices.Min(seen), slices.Max(seen), bound)
		}
	}
}
