package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// home is a directory with a run directory and a configuration in it.
type home struct {
	t                      *testing.T
	dir, run, conf, socket string
}

func newHome(t *testing.T) *home {
	t.Helper()
	dir, err := os.MkdirTemp("", "pingap-cmd") // short: sockets have 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	h := &home{t: t, dir: dir, run: filepath.Join(dir, "run"), conf: filepath.Join(dir, "p.toml"), socket: filepath.Join(dir, "web.sock")}
	h.configure("one")
	return h
}

// configure writes a configuration that answers every request with text.
func (h *home) configure(text string) {
	h.t.Helper()
	toml := `
[servers.web]
addr = "unix:` + h.socket + `"
locations = ["l"]
[locations.l]
path = "/"
plugins = ["m"]
[plugins.m]
category = "mock"
data = "` + text + `"
`
	if err := os.WriteFile(h.conf, []byte(toml), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// pingap runs a command line on the home's run directory.
func (h *home) pingap(args ...string) outcome {
	h.t.Helper()
	if slices.Contains(args, "-c") {
		args = append(args, "--state-dir", filepath.Join(h.dir, "state"))
	}
	return command(h.t, nil, append(args, "--run-dir", h.run)...)
}

// get fetches a page from the server.
func (h *home) get() string {
	h.t.Helper()
	answer := h.fetch(context.Background())
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return string(body)
}

// fetch makes one request; the caller closes the body.
func (h *home) fetch(ctx context.Context) *http.Response {
	h.t.Helper()
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", h.socket) }}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://web/", nil)
	if err != nil {
		h.t.Fatal(err)
	}
	answer, err := client.Do(request)
	if err != nil {
		h.t.Fatal(err)
	}
	return answer
}

// The daemon returns when requests are served; verbs find it by its run
// directory until stop has returned.
func TestDaemonServesFromItsReturnToItsStop(t *testing.T) {
	h := newHome(t)
	if got := h.pingap("-d", "-c", h.conf, "--workers", "1", "--log", filepath.Join(h.dir, "log/app.log?rolling=never")); got.code != exitDone {
		t.Fatalf("start: %+v", got)
	}
	t.Cleanup(func() { h.pingap("stop", "--fast") })
	if got := h.get(); got != "one" {
		t.Errorf("got %q", got)
	}
	if got := h.pingap("-c", h.conf); got.code != exitFailed || !strings.Contains(got.errors, "already running") {
		t.Errorf("second start: %+v", got)
	}

	h.configure("two")
	if got := h.pingap("reload"); got.code != exitDone || !strings.Contains(got.out, "applied: version 2") {
		t.Errorf("reload: %+v", got)
	}
	if got := h.get(); got != "two" {
		t.Errorf("after the reload: %q", got)
	}
	if err := os.WriteFile(h.conf, []byte("[servers.web]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := h.pingap("reload"); got.code != exitFailed || !strings.Contains(got.errors, h.conf+":1: servers.web") {
		t.Errorf("reload of a bad configuration: %+v", got)
	}
	if got := h.get(); got != "two" {
		t.Errorf("after the refusal: %q", got)
	}
	if got := h.pingap("status"); got.code != exitDone || !strings.Contains(got.out, "version 2") {
		t.Errorf("status: %+v", got)
	}
	if got := h.pingap("reopen"); got.code != exitDone || !strings.Contains(got.out, "app.log") {
		t.Errorf("reopen: %+v", got)
	}
	if got := h.pingap("stop"); got.code != exitDone {
		t.Errorf("stop: %+v", got)
	}
	if got := h.pingap("status"); got.code != exitNotRunning {
		t.Errorf("status after stop: %+v", got)
	}
}

func TestStartThatFailsSaysWhyAndReturnsOne(t *testing.T) {
	for _, mode := range [][]string{nil, {"-d"}} {
		h := newHome(t)
		args := append(mode, "-c", h.conf)
		// What -t would say.
		if err := os.WriteFile(h.conf, []byte("[servers.web]\naddr = \"x\"\n[locations.l]\nupstream = \"none\"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		got := h.pingap(args...)
		for _, want := range []string{h.conf + ":2: servers.web.addr", h.conf + ":4: locations.l.upstream"} {
			if got.code != exitFailed || !strings.Contains(got.errors, want) {
				t.Errorf("%q: %+v, want %q", args, got, want)
			}
		}
		// What only the start finds out.
		h.configure("x")
		if err := os.WriteFile(h.socket, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := h.pingap(args...); got.code != exitFailed || !strings.Contains(got.errors, h.socket) {
			t.Errorf("%q with an address in use: %+v", args, got)
		}
	}
}

func TestSampleUpstreamAnswersWithTheRequest(t *testing.T) {
	r := httptest.NewRequest("POST", "/a?b=c", strings.NewReader("body"))
	r.RequestURI = "/a?b=c"
	r.Header.Set("X-Test", "1")
	w := httptest.NewRecorder()
	echo(w, r)
	const want = "sample upstream: POST /a?b=c HTTP/1.1\nHost: example.com\nX-Test: 1\r\nbody"
	if got := w.Body.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// With --log, what the supervisor says goes where all the others' lines go, at
// the start, after a reopening, and up to the end.
func TestLinesOfTheSupervisorGoToTheLog(t *testing.T) {
	h := newHome(t)
	path := filepath.Join(h.dir, "app.log")
	read := func(path string) string {
		t.Helper()
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	const active, reopened, stopping = "active component=supervisor", "log files opened component=supervisor", "stopping component=supervisor"
	if got := h.pingap("-d", "-c", h.conf, "--workers", "1", "--log", path+"?rolling=never"); got.code != exitDone {
		t.Fatalf("start: %+v", got)
	}
	t.Cleanup(func() { h.pingap("stop", "--fast") })
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if got := h.pingap("reopen"); got.code != exitDone {
		t.Fatalf("reopen: %+v", got)
	}
	if old := read(path + ".1"); !strings.Contains(old, active) {
		t.Errorf("the first file lacks %q: %s", active, old)
	}
	if got := h.pingap("stop"); got.code != exitDone {
		t.Fatalf("stop: %+v", got)
	}
	now := read(path)
	for _, want := range []string{reopened, stopping} {
		if !strings.Contains(now, want) {
			t.Errorf("the new file lacks %q: %s", want, now)
		}
	}
	if strings.Contains(read(path+".1"), stopping) {
		t.Error("the old file was written to after the reopening")
	}
}
