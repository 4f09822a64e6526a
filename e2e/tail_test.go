package e2e

import (
	"bytes"
	"encoding/json"
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
)

// watched is a configuration with a location of each kind. ADDR listens, UP is a backend.
const watched = `
[basic]
log_redact_query = ["token"]
[servers.web]
addr = "ADDR"
locations = ["api", "broken"]
[locations.api]
path = "/"
upstream = "up"
[locations.broken]
path = "/broken"
plugins = ["broken"]
[plugins.broken]
category = "mock"
status = 503
data = "broken"
[upstreams.up]
addrs = ["UP"]
`

func watchedConf(addr string, up *backend) string {
	return strings.NewReplacer("ADDR", addr, "UP", up.addr).Replace(watched)
}

// tailing is a pingap tail that runs.
type tailing struct {
	i        *instance
	out, err string // files
	cmd      *exec.Cmd
	ended    chan struct{}
}

// tail starts one, and returns when it shows requests.
func (i *instance) tail(addr, probe string, args ...string) *tailing {
	i.t.Helper()
	dir, err := os.MkdirTemp(i.dir, "tail")
	if err != nil {
		i.t.Fatal(err)
	}
	w := &tailing{i: i, out: filepath.Join(dir, "out"), err: filepath.Join(dir, "err"), ended: make(chan struct{})}
	w.cmd = exec.Command(os.Getenv(binaryPath), append([]string{"tail", "--run-dir", i.runDir}, args...)...)
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	for path, to := range map[string]func(*os.File){w.out: func(f *os.File) { w.cmd.Stdout = f }, w.err: func(f *os.File) { w.cmd.Stderr = f }} {
		f, err := os.Create(path)
		if err != nil {
			i.t.Fatal(err)
		}
		defer f.Close()
		to(f)
	}
	if err := startPinned(w.cmd, w.ended); err != nil {
		i.t.Fatal(err)
	}
	i.t.Cleanup(func() {
		_ = w.cmd.Process.Signal(syscall.SIGTERM)
		<-w.ended
	})
	i.eventually("lines", func() error {
		if _, err := fetch(addr, get(probe)); err != nil {
			return err
		}
		return w.shows(probe)
	})
	return w
}

func (w *tailing) text() string {
	text, err := os.ReadFile(w.out)
	if err != nil {
		w.i.t.Error(err)
	}
	return string(text)
}

func (w *tailing) shows(part string) error {
	if strings.Contains(w.text(), part) {
		return nil
	}
	said, _ := os.ReadFile(w.err)
	return fmt.Errorf("%q is not shown: %s", part, said)
}

// tailLine is what tests look at of a line.
type tailLine struct {
	URI, Location string
	Status, PID   int
	Lost          int
}

func (w *tailing) lines() (all []tailLine) {
	w.i.t.Helper()
	text := w.text()
	for line := range strings.Lines(text[:strings.LastIndexByte(text, '\n')+1]) {
		var l tailLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			w.i.t.Fatalf("%s: %v", line, err)
		}
		all = append(all, l)
	}
	return all
}

// ofAll says whether there are lines of all these workers, from a line on.
func (w *tailing) ofAll(from int, workers []process) error {
	seen := map[int]bool{}
	for _, l := range w.lines()[from:] {
		seen[l.PID] = true
	}
	for _, p := range workers {
		if !seen[p.PID] {
			return fmt.Errorf("no line of worker %d, lines of %v", p.PID, seen)
		}
	}
	return nil
}

// Load on two workers, watched meanwhile; a roll with a request that the old worker finishes, control and a worker killed. Expected: lines of all of them, and
// traffic does not notice who watches.
func TestLinesOfAllWorkersAreShown(t *testing.T) {
	addr, up := freePort(t), newBackend(t, "up")
	i := start(t, watchedConf(addr, up))
	w := i.tail(addr, "/probe", "--json", "--limit", "1000", "--location", "api")
	if _, err := fetch(addr, get("/hidden?token=secret")); err != nil {
		t.Error(err)
	}
	i.eventually("a line of which something is hidden", func() error { return w.shows("/hidden?token=***") })
	l := runLoad(t, addr, mix{clients: 4, fresh: true, pause: 10 * time.Millisecond, request: always(get("/load"))})
	old := i.status().active()
	i.eventually("lines of both workers", func() error { return w.ofAll(0, old) })

	held := make(chan error, 1)
	go func() { // ends when the backend is released
		a, err := fetch(addr, get("/hold?by=old"))
		if err == nil && a.status != 200 {
			err = fmt.Errorf("status %d", a.status)
		}
		held <- err
	}()
	i.eventually("the request to be held", func() error { return atLeast(up.now.Load(), 1) })
	i.mustVerb("roll")
	mark := len(w.lines())
	i.eventually("lines of both fresh workers", func() error { return w.ofAll(mark, i.status().active()) })
	up.release()
	if err := <-held; err != nil {
		t.Error(err)
	}
	i.eventually("the line of a worker that drains", func() error { return w.shows("/hold?by=old") })
	for _, line := range w.lines() {
		if strings.HasPrefix(line.URI, "/hold") && !slices.ContainsFunc(old, func(p process) bool { return p.PID == line.PID }) {
			t.Errorf("the held request was shown by %d, the old workers are %v", line.PID, old)
		}
	}

	control := i.status().in("active")
	for _, p := range i.status().Processes {
		if p.Kind == "control" {
			i.kill(p.PID)
		}
	}
	mark = len(w.lines())
	i.eventually("lines after control was killed", func() error { return w.ofAll(mark, control) })
	if said, _ := os.ReadFile(w.err); !bytes.Contains(said, []byte("trying again")) {
		t.Errorf("said %q", said)
	}
	l.stop()
	l.mustBeClean(t)

	victim := i.status().active()[0]
	i.kill(victim.PID)
	i.eventually("a successor", func() error { return i.restarted(victim, "killed") })
	mark = len(w.lines())
	i.eventually("lines of the successor", func() error {
		if _, err := fetch(addr, get("/after")); err != nil {
			return err
		}
		return w.ofAll(mark, i.status().active())
	})
}

func TestOnlyWhatIsWantedIsShownAndTheRestCounted(t *testing.T) {
	addr, up := freePort(t), newBackend(t, "up")
	i := start(t, watchedConf(addr, up))
	bad := i.tail(addr, "/broken?probe", "--status", "500-599,404")
	slow := i.tail(addr, "/slow?probe", "--slow", "40ms", "--json")
	few := i.tail(addr, "/probe", "--limit", "1", "--json")
	l := runLoad(t, addr, mix{clients: 4, pause: time.Millisecond, request: always(get("/load"))}, mix{clients: 1, pause: time.Millisecond, request: always(get("/slow?load"))},
		mix{clients: 1, pause: time.Millisecond, request: always(get("/broken?load")), status: 503})
	i.eventually("lost lines", func() error {
		lost, shown := 0, 0
		for _, line := range few.lines() {
			if lost += line.Lost; line.Lost == 0 {
				shown++
			}
		}
		if lost < 10*shown || shown < 3 {
			return fmt.Errorf("%d lost, %d shown", lost, shown)
		}
		return nil
	})
	i.eventually("what failed", func() error { return errors.Join(bad.shows(" 503 GET http"), bad.shows("/broken?load ")) })
	i.eventually("what was slow", func() error { return slow.shows("/slow?load") })
	l.stop()
	l.mustBeClean(t)
	if err := bad.shows("/slow"); err == nil {
		t.Error("a request was shown that did not fail")
	}
	for _, line := range slow.lines() {
		if line.Lost == 0 && line.Status == 200 && !strings.HasPrefix(line.URI, "/slow") && !strings.HasPrefix(line.URI, "/load") { // a busy machine makes others slow
			t.Errorf("%+v was shown as slow", line)
		}
	}
	for _, args := range [][]string{{"--status", "nonsense"}, {"--slow", "soon"}, {"--limit", "5000"}} {
		if r := i.verb("tail", args...); r.code != 1 || !strings.Contains(r.stderr, strings.TrimPrefix(args[0], "--")) {
			t.Errorf("%q: exit code %d, %s", args, r.code, r.stderr)
		}
	}
	i.mustVerb("stop", "--fast")
	if r := command(t, i.dir, "tail", "--run-dir", i.runDir); r.code != 4 {
		t.Errorf("nothing runs: exit code %d, %s", r.code, r.stderr)
	}
}
