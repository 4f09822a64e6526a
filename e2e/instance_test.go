package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// instance is one running pingap.
type instance struct {
	t      *testing.T
	dir    string // everything of this instance is below it
	runDir string
	conf   string // what -c was given; empty in other modes
	output string // file of standard output and error
	cmd    *exec.Cmd
	ended  chan struct{} // closed when the process that was started has ended
	later  bool          // a supervisor may have come after that one: by an upgrade, or started anew
	seen   map[int]bool  // process ids that status showed
	dumps  bool          // a hung worker was aborted: its stacks in the output are no panic
}

// workDir is a short directory: socket paths have a limit of about 100 bytes. The workers' user may pass through it.
func workDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// start writes a configuration to a file, serves it with two workers, and returns when it is running.
func start(t *testing.T, conf string, flags ...string) *instance {
	t.Helper()
	dir := workDir(t)
	path := filepath.Join(dir, "pingap.toml")
	write(t, path, conf)
	return startIn(t, dir, path, flags...)
}

// startIn serves what is at path.
func startIn(t *testing.T, dir, path string, flags ...string) *instance {
	t.Helper()
	i := launch(t, dir, append([]string{"-c", path, "--workers", "2"}, flags...)...)
	i.conf, _, _ = strings.Cut(path, "?")
	i.waitRunning()
	return i
}

// launch starts the supervisor and sees to its end. It does not wait.
func launch(t *testing.T, dir string, flags ...string) *instance {
	t.Helper()
	return launchAs(t, dir, func(*exec.Cmd) {}, flags...)
}

// launchAs is launch with a command that the test changes before it is started.
func launchAs(t *testing.T, dir string, change func(*exec.Cmd), flags ...string) *instance {
	t.Helper()
	i := &instance{t: t, dir: dir, runDir: filepath.Join(dir, "run"), output: filepath.Join(dir, "output"),
		ended: make(chan struct{}), seen: map[int]bool{}}
	out, err := os.OpenFile(i.output, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	args := append(flags, "--run-dir", i.runDir, "--state-dir", filepath.Join(dir, "state"))
	i.cmd = exec.Command(os.Getenv(binaryPath), args...)
	i.cmd.Dir = dir
	i.cmd.Stdout, i.cmd.Stderr = out, out
	// Its own group, so that a signal for the test is not one for it; gone when the test process is.
	i.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	change(i.cmd)
	if err := startPinned(i.cmd, i.ended); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.end)
	return i
}

// startPinned starts a process that has a Pdeathsig, and closes ended when it has ended. The signal is sent when the thread ends that
// forked, whoever else of this process lives on, so that thread waits as long.
func startPinned(cmd *exec.Cmd, ended chan<- struct{}) error {
	started := make(chan error, 1)
	go func() { // ends with the process
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // tests look at ProcessState
			close(ended)
		}
	}()
	return <-started
}

// end stops the instance and checks what it leaves.
func (i *instance) end() {
	if i.later {
		i.endLater()
	}
	if !i.hasEnded() {
		i.note()
		_ = i.cmd.Process.Signal(syscall.SIGTERM)
		_ = i.cmd.Process.Signal(syscall.SIGCONT)
		select {
		case <-i.ended:
		case <-time.After(3 * time.Second): // a test may have left requests open: do not wait for them
			_ = i.cmd.Process.Signal(syscall.SIGTERM)
		}
	}
	if !i.endsWithin(patience) {
		i.t.Errorf("pingap (pid %d) did not end after two SIGTERM", i.cmd.Process.Pid)
		_ = i.cmd.Process.Kill()
		<-i.ended
	}
	for _, pid := range i.left(5 * time.Second) {
		i.t.Errorf("process %d was left behind: %s", pid, cmdline(pid))
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	i.checkOutput()
}

func (i *instance) endsWithin(limit time.Duration) bool {
	select {
	case <-i.ended:
		return true
	case <-time.After(limit):
		return false
	}
}

func (i *instance) hasEnded() bool {
	select {
	case <-i.ended:
		return true
	default:
		return false
	}
}

// left returns the processes seen that still live after a while.
func (i *instance) left(limit time.Duration) []int {
	var pids []int
	_ = within(limit, func() error {
		pids = nil
		for pid := range i.seen {
			if strings.HasPrefix(cmdline(pid), "pingap: ") {
				pids = append(pids, pid)
			}
		}
		if len(pids) > 0 {
			return errors.New("processes left")
		}
		return nil
	})
	return pids
}

// note remembers the processes of the instance, so that end can look for them.
func (i *instance) note() {
	if st, err := i.tryStatus(); err == nil {
		st.noteIn(i.seen)
	}
}

func (i *instance) checkOutput() {
	text := i.printed()
	if bad := crashed(text); bad != "" && !(i.dumps && bad == aborted) {
		i.t.Errorf("the output holds %q", bad)
	}
	if i.t.Failed() {
		i.t.Logf("output of %v:\n%s", i.cmd.Args, tail(text, 20_000))
	}
}

// aborted is what a worker prints that was told to show its stacks.
const aborted = "SIGABRT: abort"

// crashed returns what in the output of a process says that it has a bug, or nothing.
func crashed(text string) string {
	for _, bad := range []string{"panic:", "DATA RACE", "fatal error:", "SIGSEGV", aborted} {
		if strings.Contains(text, bad) {
			return bad
		}
	}
	return ""
}

// printed is what all processes have written to the standard streams so far.
func (i *instance) printed() string {
	text, err := os.ReadFile(i.output)
	if err != nil {
		i.t.Fatal(err)
	}
	return string(text)
}

func tail(text string, limit int) string {
	if len(text) > limit {
		return "…" + text[len(text)-limit:]
	}
	return text
}

func cmdline(pid int) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return string(bytes.ReplaceAll(bytes.TrimRight(text, "\x00"), []byte{0}, []byte{' '}))
}

// waitRunning returns when all workers accept.
func (i *instance) waitRunning() {
	i.t.Helper()
	err := within(patience, func() error {
		if i.hasEnded() && !i.later {
			return nil
		}
		st, err := i.tryStatus()
		switch {
		case err != nil:
			return err
		case st.State != "running":
			return fmt.Errorf("state %s", st.State)
		}
		for _, w := range st.workers() {
			if w.State != "active" && w.State != "draining" {
				return fmt.Errorf("worker %d is %s", w.Slot, w.State)
			}
		}
		return nil
	})
	if err != nil {
		i.t.Fatalf("pingap is not running: %v", err)
	}
	if i.hasEnded() && !i.later {
		i.t.Fatalf("pingap ended while starting: %v", i.cmd.ProcessState)
	}
	i.note()
}

// within calls try until it succeeds, with pauses, and returns its last error when the time is up.
func within(limit time.Duration, try func() error) error {
	deadline := time.Now().Add(limit)
	pause := 20 * time.Millisecond
	for {
		err := try()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(pause)
		pause = min(2*pause, 200*time.Millisecond)
	}
}

// eventually fails the test when try does not succeed in time.
func (i *instance) eventually(what string, try func() error) {
	i.t.Helper()
	if err := within(patience, try); err != nil {
		i.t.Fatalf("%s: %v", what, err)
	}
}

// status is what the tests need of `pingap status --json`.
type status struct {
	State    string   `json:"state"`
	Degraded []string `json:"degraded"`
	Build    string   `json:"build"`
	Notes    []string `json:"notes"`
	Config   struct {
		Version uint64 `json:"version"`
		SHA     string `json:"sha"`
		Source  struct {
			Differs bool   `json:"differs"`
			Refused string `json:"refused"`
		} `json:"source"`
	} `json:"config"`
	Processes []process `json:"processes"`
	Listeners []struct {
		Address string `json:"address"`
		Server  string `json:"server"`
	} `json:"listeners"`
	Logs []string `json:"logs"`
}

type process struct {
	Kind        string  `json:"kind"`
	PID         int     `json:"pid"`
	Slot        int     `json:"slot"`
	Generation  int     `json:"generation"`
	State       string  `json:"state"`
	Uptime      float64 `json:"uptime"`
	Connections int64   `json:"connections"`
	Requests    uint64  `json:"requests"`
	Memory      int64   `json:"memory"`
	Restarts    int     `json:"restarts"`
	LastExit    string  `json:"last_exit"`
	SHA         string  `json:"sha"`
	LogDropped  uint64  `json:"log_dropped"`
}

func (s status) of(kind string) []process {
	var list []process
	for _, p := range s.Processes {
		if p.Kind == kind {
			list = append(list, p)
		}
	}
	return list
}

func (s status) workers() []process { return s.of("worker") }

// pids of the workers, in the order of their slots.
func (s status) pids() []int {
	workers := s.workers()
	slices.SortFunc(workers, func(a, b process) int { return a.Slot - b.Slot })
	var pids []int
	for _, w := range workers {
		pids = append(pids, w.PID)
	}
	return pids
}

func (s status) noteIn(seen map[int]bool) {
	for _, p := range s.Processes {
		seen[p.PID] = true
	}
}

func (i *instance) tryStatus() (status, error) {
	var st status
	r := i.verb("status", "--json", "--timeout", "5s")
	if r.code != 0 {
		return st, fmt.Errorf("status: exit code %d: %s", r.code, r.stderr)
	}
	return st, json.Unmarshal([]byte(r.stdout), &st)
}

func (i *instance) status() status {
	i.t.Helper()
	st, err := i.tryStatus()
	if err != nil {
		i.t.Fatal(err)
	}
	st.noteIn(i.seen)
	return st
}

// freePort finds a loopback address that nobody uses. It stays below the range from which the kernel gives ports to clients,
// so that no connection of another test takes it before the instance does.
func freePort(t *testing.T) string {
	t.Helper()
	for range 1000 {
		addr := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000))
		if l, err := net.Listen("tcp", addr); err == nil {
			l.Close()
			return addr
		}
	}
	t.Fatal("no free port")
	return ""
}
