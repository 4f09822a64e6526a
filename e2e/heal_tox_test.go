package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// toolPath is a program that `make tools` puts into bin/tools; without it the test is skipped.
func toolPath(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("../bin/tools", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if path, err = exec.LookPath(name); err != nil {
		t.Skipf("%s is not installed (make tools)", name)
	}
	return path
}

// toxiproxy is a running server of toxiproxy, which stands between pingap and backends and spoils connections.
type toxiproxy struct {
	t   *testing.T
	api string
}

func newToxiproxy(t *testing.T) *toxiproxy {
	t.Helper()
	addr := freePort(t)
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(toolPath(t, "toxiproxy-server"), "-host", "127.0.0.1", "-port", port)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	ended := make(chan struct{})
	if err := startPinned(cmd, ended); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended by itself, which the test has noticed
		<-ended
	})
	x := &toxiproxy{t, "http://" + addr}
	if err := within(patience, func() error {
		r, err := http.Get(x.api + "/version")
		if err == nil {
			r.Body.Close()
		}
		return err
	}); err != nil {
		t.Fatalf("toxiproxy: %v", err)
	}
	return x
}

func (x *toxiproxy) ask(method, path string, body any) {
	x.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		x.t.Fatal(err)
	}
	req, err := http.NewRequest(method, x.api+path, bytes.NewReader(text))
	if err != nil {
		x.t.Fatal(err)
	}
	client := http.Client{Timeout: patience}
	r, err := client.Do(req)
	if err != nil {
		x.t.Fatal(err)
	}
	defer r.Body.Close()
	answer, _ := io.ReadAll(r.Body) // it is only shown
	if r.StatusCode >= 300 {
		x.t.Fatalf("toxiproxy: %s %s %s: status %d: %s", method, path, text, r.StatusCode, answer)
	}
}

// link is one address of toxiproxy and what is behind it.
type link struct {
	x          *toxiproxy
	name, addr string
}

func (x *toxiproxy) link(to string) link {
	x.t.Helper()
	l := link{x, "to-" + to, freePort(x.t)}
	x.ask("POST", "/proxies", map[string]any{"name": l.name, "listen": l.addr, "upstream": to, "enabled": true})
	return l
}

// enable lets it listen, or refuse and close all connections.
func (l link) enable(on bool) {
	l.x.t.Helper()
	l.x.ask("POST", "/proxies/"+l.name, map[string]any{"enabled": on})
}

// add spoils what the backend sends on all connections, those that are open included.
func (l link) add(toxic string, attributes map[string]int) {
	l.x.t.Helper()
	l.x.ask("POST", "/proxies/"+l.name+"/toxics",
		map[string]any{"name": "it", "type": toxic, "stream": "downstream", "toxicity": 1, "attributes": attributes})
}

func (l link) remove() {
	l.x.t.Helper()
	l.x.ask("DELETE", "/proxies/"+l.name+"/toxics/it", nil)
}

// fault is something that happens to one backend.
type fault struct {
	name       string
	begin, end func()
	harmless   bool // no request may fail even without retries
	cuts       bool // answers end after their beginning: no retry can help these
}

// deadTime is the read_timeout of tests, and half of what is too slow for it.
const deadTime = 1500 * time.Millisecond

// toxicFaults are those of a link.
func toxicFaults(l link) []fault {
	toxic := func(name, kind string, attributes map[string]int) fault {
		return fault{name: name, begin: func() { l.add(kind, attributes) }, end: l.remove}
	}
	list := []fault{
		{name: "down", begin: func() { l.enable(false) }, end: func() { l.enable(true) }},
		toxic("reset_peer", "reset_peer", map[string]int{"timeout": 0}),
		toxic("half-open", "timeout", map[string]int{"timeout": 0}),
		toxic("too slow", "latency", map[string]int{"latency": int(2 * deadTime / time.Millisecond)}),
		toxic("limit_data before the answer", "limit_data", map[string]int{"bytes": 0}),
		toxic("limit_data within the answer", "limit_data", map[string]int{"bytes": 3000}),
		toxic("slow_close", "slow_close", map[string]int{"delay": 300}),
	}
	list[5].cuts, list[6].harmless = true, true
	return list
}
