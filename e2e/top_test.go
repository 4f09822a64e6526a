package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// live is what tests look at of pingap top --json.
type live struct {
	Totals struct {
		RPS         *float64 `json:"rps"`
		P99         *float64 `json:"p99_ms"`
		Errors      *float64 `json:"errors_per_s"`
		Connections int
	}
	Locations []struct {
		Name string
		RPS  *float64 `json:"rps"`
	}
	Upstreams []struct {
		Name           string
		RPS            *float64 `json:"rps"`
		Healthy, Total int
		Backends       []struct{ Addr, State string }
	}
	Processes []struct {
		PID    int
		Kind   string
		Memory int64
		CPU    *float64 `json:"cpu_percent"`
	}
}

// figures are those of the last seconds.
func (i *instance) figures() (l live, err error) {
	r := i.verb("top", "--json", "--window", "2s")
	if r.code != 0 {
		return l, fmt.Errorf("exit code %d: %s", r.code, r.stderr)
	}
	return l, json.Unmarshal([]byte(r.stdout), &l)
}

// busy says whether the figures are those of an instance that has load, with two workers that are there.
func (i *instance) busy() error {
	l, err := i.figures()
	if err != nil {
		return err
	}
	if l.Totals.RPS == nil || *l.Totals.RPS < 5 || l.Totals.P99 == nil || *l.Totals.P99 <= 0 || l.Totals.Errors == nil || l.Totals.Connections == 0 {
		return fmt.Errorf("totals: %+v", l.Totals)
	}
	if len(l.Locations) != 2 || l.Locations[0].Name != "api" || l.Locations[0].RPS == nil || *l.Locations[0].RPS < 5 || *l.Locations[1].RPS >= *l.Locations[0].RPS {
		return fmt.Errorf("locations: %+v", l.Locations)
	}
	if u := l.Upstreams[0]; u.RPS == nil || *u.RPS < 5 || u.Healthy != 1 || u.Total != 1 || u.Backends[0].State != "up" {
		return fmt.Errorf("upstreams: %+v", l.Upstreams)
	}
	there := map[int]bool{}
	for _, p := range l.Processes {
		there[p.PID] = p.Memory > 0 && p.CPU != nil
	}
	for _, p := range i.status().active() {
		if !there[p.PID] {
			return fmt.Errorf("process %d is not there: %+v", p.PID, l.Processes)
		}
	}
	return nil
}

// Load, and figures of it; a roll, control and a worker killed. Expected: figures of those that are there, without any metrics in the configuration.
func TestFiguresAreOfWhatIsGoingOn(t *testing.T) {
	addr, up := freePort(t), newBackend(t, "up")
	i := start(t, watchedConf(addr, up))
	l := runLoad(t, addr, mix{clients: 4, pause: 5 * time.Millisecond, request: always(get("/load"))})
	i.eventually("figures", i.busy)
	i.mustVerb("roll")
	i.eventually("figures after a roll", i.busy)
	for _, p := range i.status().Processes {
		if p.Kind == "control" {
			i.kill(p.PID)
		}
	}
	i.eventually("figures after control was killed", i.busy)
	l.stop()
	l.mustBeClean(t)
	victim := i.status().active()[0]
	i.kill(victim.PID)
	i.eventually("a successor", func() error { return i.restarted(victim, "killed") })
	runLoad(t, addr, mix{clients: 4, fresh: true, pause: 5 * time.Millisecond, request: always(get("/load"))})
	i.eventually("figures after a worker was killed", i.busy)
	r := i.mustVerb("top", "--once")
	for _, part := range []string{"req/s", "LOCATION", "UPSTREAM", "BACKEND", "PROCESS", up.addr} {
		if !strings.Contains(r.stdout, part) {
			t.Errorf("printed once without %q:\n%s", part, r.stdout)
		}
	}
	if r := i.mustVerb("top", "backends"); strings.Contains(r.stdout, "LOCATION") || !strings.Contains(r.stdout, up.addr) {
		t.Errorf("one view alone:\n%s", r.stdout)
	}
}

// terminal is a pseudo terminal, and what was written to it.
type terminal struct {
	t             *testing.T
	master, slave *os.File
	mu            sync.Mutex // guards text
	text          string
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo terminals: %v", err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	v := &terminal{t: t, master: master, slave: slave}
	ended := make(chan struct{})
	go func() { // ends when the last who has the slave closes it
		defer close(ended)
		buf := make([]byte, 64<<10)
		for {
			n, err := master.Read(buf)
			if err != nil {
				return
			}
			v.mu.Lock()
			v.text += string(buf[:n])
			v.mu.Unlock()
		}
	}()
	t.Cleanup(func() { slave.Close(); <-ended; master.Close() })
	return v
}

func (v *terminal) resize(columns, rows int) {
	v.t.Helper()
	if err := unix.IoctlSetWinsize(int(v.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: uint16(columns), Row: uint16(rows)}); err != nil {
		v.t.Fatal(err)
	}
}

func (v *terminal) press(keys string) {
	v.t.Helper()
	if _, err := v.master.WriteString(keys); err != nil {
		v.t.Fatal(err)
	}
}

func (v *terminal) all() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.text
}

// frame is the last screen that is whole, without what makes it bold.
func (v *terminal) frame() string {
	frames := strings.Split(v.all(), "\x1b[H")
	last := frames[len(frames)-1]
	if !strings.HasSuffix(last, "\x1b[J") && len(frames) > 1 {
		last = frames[len(frames)-2]
	}
	return strings.NewReplacer("\x1b[1m", "", "\x1b[7m", "", "\x1b[0m", "", "\x1b[K", "", "\x1b[J", "", "\r", "").Replace(last)
}

// Load, and somebody who looks at it on a terminal: each key does what it should, another size is filled, and the terminal is given back.
func TestTopFollowsKeysAndTheSizeOfTheTerminal(t *testing.T) {
	addr, up := freePort(t), newBackend(t, "up")
	i := start(t, watchedConf(addr, up))
	runLoad(t, addr, mix{clients: 4, pause: 5 * time.Millisecond, request: always(get("/load"))})
	v := newTerminal(t)
	v.resize(120, 40)
	before, err := unix.IoctlGetTermios(int(v.slave.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Getenv(binaryPath), "top", "--run-dir", i.runDir)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = v.slave, v.slave, v.slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Pdeathsig: syscall.SIGTERM}
	ended := make(chan struct{})
	if err := startPinned(cmd, ended); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	sees := func(what string, wanted func(frame string) bool) {
		t.Helper()
		i.eventually(what, func() error {
			if f := v.frame(); !wanted(f) {
				return fmt.Errorf("the screen is:\n%s", f)
			}
			return nil
		})
	}
	has := func(parts ...string) func(string) bool {
		return func(frame string) bool {
			for _, p := range parts {
				if !strings.Contains(frame, p) {
					return false
				}
			}
			return true
		}
	}
	sees("locations", has("LOCATION", "\napi ", "\nbroken ", "req/s"))
	v.press("/brok\r")
	sees("a filter", func(f string) bool { return has("filter: brok", "\nbroken ")(f) && !has("\napi ")(f) })
	v.press("\x1b")
	sees("no filter", has("\napi "))
	v.press("4")
	sees("workers", has("PROCESS", "\nsupervisor ", "\nworker "))
	v.press("3")
	sees("backends", has("BACKEND", up.addr))
	v.press("h")
	sees("help", has("q quit"))
	v.resize(40, 8)
	sees("a small screen", func(f string) bool {
		lines := strings.Split(f, "\n")
		for _, line := range lines {
			if utf8.RuneCountInString(line) > 40 {
				return false
			}
		}
		return len(lines) <= 8 && len(lines) > 4
	})
	for _, p := range i.status().Processes {
		if p.Kind == "control" {
			i.kill(p.PID)
		}
	}
	sees("that control is away", func(string) bool { return strings.Contains(v.all(), "control has ended") })
	sees("that it is back", func(f string) bool { return !has("control has ended")(f) })
	v.press("q")
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatal("it does not end")
	}
	after, err := unix.IoctlGetTermios(int(v.slave.Fd()), unix.TCGETS)
	if err != nil || *after != *before || cmd.ProcessState.ExitCode() != 0 {
		t.Errorf("the terminal is not as it was: %v, exit code %d", err, cmd.ProcessState.ExitCode())
	}
	if err := within(patience, func() error {
		if text := v.all(); !strings.HasSuffix(text, "\x1b[?25h\x1b[?1049l") {
			return fmt.Errorf("the last that was written: %q", tail(text, 40))
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}
