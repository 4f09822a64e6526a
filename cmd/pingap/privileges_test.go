package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pingap/ipc"
)

// status asks for it as a script does.
func (h *home) status() status {
	h.t.Helper()
	got := h.pingap("status", "--json")
	var st status
	if err := json.Unmarshal([]byte(got.out), &st); got.code != exitDone || err != nil {
		h.t.Fatalf("status: %+v, %v", got, err)
	}
	return st
}

func (st status) pid(kind string) int {
	for _, p := range st.Processes {
		if p.Kind == kind {
			return p.PID
		}
	}
	return 0
}

// ids are the real, effective, saved and file system ids of a process, and its groups.
func ids(t *testing.T, pid int) (uid, gid, groups []string) {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		switch f[0] {
		case "Uid:":
			uid = f[1:]
		case "Gid:":
			gid = f[1:]
		case "Groups:":
			groups = f[1:]
		}
	}
	return uid, gid, groups
}

// eventually waits for something that happens by itself soon.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never saw %s", what)
		}
	}
}

func needsRoot(t *testing.T) ipc.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to have something to drop")
	}
	c, err := lookUpUser("", "")
	if err != nil {
		t.Skipf("no user to drop to: %v", err)
	}
	return c
}

// open lets everybody read the configuration, or only root.
func (h *home) open(file os.FileMode) {
	h.t.Helper()
	for path, mode := range map[string]os.FileMode{h.dir: 0o755, h.conf: file} {
		if err := os.Chmod(path, mode); err != nil {
			h.t.Fatal(err)
		}
	}
}

func (h *home) start(args ...string) {
	h.t.Helper()
	if got := h.pingap(append([]string{"-d", "-c", h.conf, "--workers", "1", "--log", filepath.Join(h.dir, "app.log")}, args...)...); got.code != exitDone {
		h.t.Fatalf("start: %+v", got)
	}
	h.t.Cleanup(func() { h.pingap("stop", "--fast") })
}

func (h *home) mustReload() {
	h.t.Helper()
	if got := h.pingap("reload"); got.code != exitDone {
		h.t.Errorf("reload: %+v", got)
	}
}

func TestControlOfARootInstanceRunsAsTheUserOfTheWorkers(t *testing.T) {
	as := needsRoot(t)
	h := newHome(t)
	h.open(0o644)
	h.start("--autoreload")
	four := func(id uint32) []string { return slices.Repeat([]string{fmt.Sprint(id)}, 4) }
	isPlain := func(pid int) bool {
		uid, gid, groups := ids(t, pid)
		return slices.Equal(uid, four(as.UID)) && slices.Equal(gid, four(as.GID)) && len(groups) == 0
	}
	control := h.status().pid(ipc.RoleControl)
	eventually(t, "control without root", func() bool { return isPlain(control) })
	if !isPlain(h.status().pid(ipc.RoleWorker)) {
		t.Error("the worker is not the same user")
	}
	if n := h.status().Notes; len(n) > 0 {
		t.Errorf("notes %q", n)
	}

	h.configure("two")
	eventually(t, "the saved change", func() bool { return h.get() == "two" })
	h.mustReload()
	if got := h.pingap("reopen"); got.code != exitDone {
		t.Errorf("reopen: %+v", got)
	}

	// The supervisor has been told that root is not needed any more: the next one never is root.
	eventually(t, "the supervisor's word for it", func() bool {
		data, err := os.ReadFile(h.logFile())
		return err == nil && bytes.Contains(data, []byte("not root any more component=supervisor"))
	})
	if err := syscall.Kill(control, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	next := control
	eventually(t, "another control", func() bool {
		next = h.statusOrNone().pid(ipc.RoleControl)
		return next != control && next != 0
	})
	if uid, _, _ := ids(t, next); !slices.Equal(uid, four(as.UID)) {
		t.Errorf("the next control has the ids %q", uid)
	}
	h.configure("three")
	h.mustReload()
	if got := h.get(); got != "three" {
		t.Errorf("after the crash: %q", got)
	}
}

// logFile is today's application log.
func (h *home) logFile() string {
	found, err := filepath.Glob(filepath.Join(h.dir, "app.log*"))
	if err != nil || len(found) == 0 {
		return ""
	}
	return found[0]
}

// statusOrNone is the status, empty while control is away.
func (h *home) statusOrNone() status {
	var st status
	got := h.pingap("status", "--json", "--timeout", "5s")
	if json.Unmarshal([]byte(got.out), &st) != nil {
		return status{}
	}
	return st
}

func TestControlStaysRootWhereTheUserCannotReadTheConfiguration(t *testing.T) {
	needsRoot(t)
	h := newHome(t)
	h.open(0o600)
	h.start()
	isRoot := func(pid int) bool {
		uid, _, _ := ids(t, pid)
		return slices.Equal(uid, []string{"0", "0", "0", "0"})
	}
	eventually(t, "the reason in the status", func() bool { return len(h.status().Notes) == 1 })
	st := h.status()
	for _, want := range []string{"control stays root", h.conf, "mode 0600", "chmod g+r"} {
		if !strings.Contains(st.Notes[0], want) {
			t.Errorf("note %q lacks %q", st.Notes[0], want)
		}
	}
	control := st.pid(ipc.RoleControl)
	if !isRoot(control) || isRoot(st.pid(ipc.RoleWorker)) {
		t.Error("control is to be root and the worker not")
	}
	if got := h.pingap("status"); !strings.Contains(got.out, "note: control stays root") {
		t.Errorf("status: %+v", got)
	}
	h.configure("two")
	h.mustReload()
	if got := h.get(); got != "two" {
		t.Errorf("after the reload: %q", got)
	}
	data, err := os.ReadFile(h.logFile())
	if n := bytes.Count(data, []byte("stays root")); err != nil || n != 1 {
		t.Errorf("said %d times in the log, %v", n, err)
	}
	h.open(0o644)
	h.mustReload()
	eventually(t, "control without root", func() bool { return !isRoot(control) })
}

func TestControlStaysRootWhereThatIsAllowed(t *testing.T) {
	needsRoot(t)
	h := newHome(t)
	h.open(0o644)
	text, err := os.ReadFile(h.conf)
	if err == nil {
		err = os.WriteFile(h.conf, append([]byte("[basic]\nallow_root = true\n"), text...), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	h.start()
	h.mustReload()
	st := h.status()
	for _, kind := range []string{ipc.RoleControl, ipc.RoleWorker} {
		if uid, _, _ := ids(t, st.pid(kind)); uid[0] != "0" {
			t.Errorf("%s has the ids %q", kind, uid)
		}
	}
	if len(st.Notes) > 0 {
		t.Errorf("notes %q", st.Notes)
	}
}

func TestAnUnknownUserOrGroupIsAnError(t *testing.T) {
	for _, c := range []struct{ user, group, want string }{
		{"no-such-user", "", "basic.user"},
		{"root", "no-such-group", "basic.group"},
	} {
		if _, err := lookUpUser(c.user, c.group); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s:%s: %v", c.user, c.group, err)
		}
	}
	if c, err := lookUpUser("root", "root"); err != nil || c != (ipc.Credential{}) {
		t.Errorf("root: %+v, %v", c, err)
	}
}

// Workers have no environment; what the configuration names reaches them all the same, at the start and by a reload.
func TestVariablesThatTheConfigurationNamesReachWorkers(t *testing.T) {
	seen := make(chan http.Header, 10)
	backend := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header }))
	defer backend.Close()
	t.Setenv("PINGAP_TEST_REGION", "eu")
	t.Setenv("PINGAP_TEST_ZONE", "a")
	t.Setenv("PINGAP_TEST_SECRET", "s3cret")
	t.Setenv("PINGAP_ADMIN_PASSWORD", "s3cret")
	h := newHome(t)
	write := func(header string) {
		t.Helper()
		toml := fmt.Sprintf(`
[servers.web]
addr = "unix:%s"
locations = ["l"]
access_log = "%s?rolling=never {$PINGAP_TEST_ZONE} {method} {$PINGAP_ADMIN_PASSWORD}."
[locations.l]
upstream = "u"
plugins = ["h"]
proxy_set_headers = [%q]
[plugins.h]
category = "response_headers"
set_headers = ["X-Zone:$PINGAP_TEST_ZONE"]
[upstreams.u]
addrs = [%q]
`, h.socket, filepath.Join(h.dir, "access.log"), header, backend.Listener.Addr())
		if err := os.WriteFile(h.conf, []byte(toml), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fetch := func() http.Header {
		t.Helper()
		answer := h.fetch(context.Background())
		answer.Body.Close()
		if got := answer.Header.Get("X-Zone"); got != "a" {
			t.Errorf("X-Zone of the answer is %q", got)
		}
		return <-seen
	}
	write("X-Region:text")
	h.start()
	fetch()
	write("X-Region:$PINGAP_TEST_REGION")
	h.mustReload()
	if got := fetch().Get("X-Region"); got != "eu" {
		t.Errorf("X-Region of the request is %q", got)
	}
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", h.status().pid(ipc.RoleWorker)))
	if err != nil {
		t.Fatal(err)
	}
	for v := range strings.SplitSeq(strings.Trim(string(environ), "\x00"), "\x00") {
		name, _, _ := strings.Cut(v, "=")
		if !slices.Contains([]string{"PINGAP_LOG", "GORACE", "GOMEMLIMIT", "GODEBUG", "GOGC", "GOTRACEBACK", "TZ", "RUST_LOG"}, name) {
			t.Errorf("the worker has %s in its environment", name)
		}
	}
	if got := h.pingap("stop"); got.code != exitDone {
		t.Errorf("stop: %+v", got)
	}
	if lines, err := os.ReadFile(filepath.Join(h.dir, "access.log")); err != nil || string(lines) != "a GET .\na GET .\n" {
		t.Errorf("access log %q, %v", lines, err)
	}
}

// Nothing of a request is sent when connecting fails, so another backend is tried unless that is switched off.
func TestAFailedConnectIsTriedOnceOnAnotherBackend(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "here") }))
	defer backend.Close()
	closed := httptest.NewServer(nil)
	closed.Close()
	for _, c := range []struct {
		key    string
		failed bool
	}{{"", false}, {"max_retries = 0", true}} {
		h := newHome(t)
		toml := fmt.Sprintf("[servers.web]\naddr = \"unix:%s\"\nlocations = [\"l\"]\n[locations.l]\nupstream = \"u\"\n%s\n[upstreams.u]\naddrs = [%q, %q]\nhealth_check = \"tcp://x?failure=1000\"\n", // not taken out meanwhile
			h.socket, c.key, closed.Listener.Addr(), backend.Listener.Addr())
		if err := os.WriteFile(h.conf, []byte(toml), 0o600); err != nil {
			t.Fatal(err)
		}
		h.start()
		failed := false
		for range 10 {
			answer := h.fetch(context.Background())
			answer.Body.Close()
			failed = failed || answer.StatusCode != http.StatusOK
		}
		if failed != c.failed {
			t.Errorf("with %q: failures %v, want %v", c.key, failed, c.failed)
		}
	}
}
