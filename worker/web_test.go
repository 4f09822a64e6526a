package worker

import (
	"bufio"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pingap/ipc"
)

// control is what answers in its place.
type control struct {
	item  ipc.StateItem
	asked chan *http.Request
	l     net.Listener

	server *http.Server
}

func newControl(t *testing.T, page string) *control {
	t.Helper()
	var id [8]byte
	_, _ = rand.Read(id[:])
	name := "@pingap-test-" + hex.EncodeToString(id[:])
	l, err := net.Listen("unix", name)
	if err != nil {
		t.Fatal(err)
	}
	c := &control{l: l, asked: make(chan *http.Request, 16), item: ipc.StateItem{Kind: ipc.StateWeb, Key: ipc.WebKey,
		Body: ipc.Secret(strings.Repeat("t", ipc.WebToken) + name)}}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.asked <- r
		io.WriteString(w, page)
	})}
	c.server = server
	go server.Serve(l) // ends with Close
	t.Cleanup(func() { server.Close() })
	return c
}

const withMetrics = `
[upstreams.u]
addrs = ["UP"]
[locations.l]
upstream = "u"
[servers.s]
addr = "LISTEN"
locations = ["l"]
enabled_h2 = true
prometheus_metrics = "/metrics"
access_log = "LOG {method} {uri} {status} {size}"
`

func metricsConfig(up, log, more string) string {
	return strings.NewReplacer("UP", up, "LOG", log).Replace(withMetrics) + more
}

// request sends a request as it is and returns the answer.
func request(t *testing.T, addr, request string) (*http.Response, string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, request)
	r, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: request[:strings.IndexByte(request, ' ')]})
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(r.Body)
	return r, string(body)
}

func TestThePageOfMetricsIsPassedOnToControl(t *testing.T) {
	up := newBackend(t)
	b := hire(t, metricsConfig(up.addr, "", ""), nil)
	const get = "GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\nAccept: text/plain\r\nX-Pingap-Token: mine\r\n\r\n"
	if r, _ := request(t, b.addr, get); r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
		t.Errorf("before control is known: %d %v", r.StatusCode, r.Header)
	}
	c := newControl(t, "the page")
	if got := b.tell(ipc.State{Items: []ipc.StateItem{c.item}}); len(got.Missing) > 0 {
		t.Fatal(got.Missing)
	}
	if r, body := request(t, b.addr, get); r.StatusCode != 200 || body != "the page" {
		t.Errorf("%d %q", r.StatusCode, body)
	}
	asked := <-c.asked
	if tokens := asked.Header.Values(ipc.WebField); asked.URL.Path != "/metrics/s" || len(tokens) != 1 || tokens[0] != hex.EncodeToString([]byte(strings.Repeat("t", ipc.WebToken))) {
		t.Errorf("control was asked for %s with %v", asked.URL, tokens)
	}
	if asked.Header.Get("Accept") != "text/plain" {
		t.Error("control does not know what the client accepts")
	}
	conn := b.dial()
	for _, step := range []struct{ path, want string }{
		{"/metrics", "200 the page"}, {"/metrics", "200 the page"}, {"/metrics/", "200 from backend"}, {"/Metrics", "200 from backend"}, {"/metrics", "200 the page"},
	} {
		if got := conn.get(step.path); got != step.want {
			t.Errorf("%s on one connection: %s, want %s", step.path, got, step.want)
		}
	}
	if r, body := request(t, b.addr, "HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n"); r.StatusCode != 200 || body != "" {
		t.Errorf("HEAD: %d %q", r.StatusCode, body)
	}
	for _, wrong := range []string{
		"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", "DELETE /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
		"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
	} {
		if r, _ := request(t, b.addr, wrong); r.StatusCode != 405 {
			t.Errorf("%q: %d", wrong, r.StatusCode)
		}
	}
}

func TestThePageOfMetricsComesOverHTTP2(t *testing.T) {
	up := newBackend(t)
	b := hire(t, metricsConfig(up.addr, "", ""), nil)
	c := newControl(t, strings.Repeat("a long page\n", 20000))
	b.tell(ipc.State{Items: []ipc.StateItem{c.item}})
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: &protocols}
	defer transport.CloseIdleConnections()
	r, err := (&http.Client{Transport: transport, Timeout: patience}).Get("http://" + b.addr + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if body, err := io.ReadAll(r.Body); err != nil || r.ProtoMajor != 2 || len(body) != 240000 {
		t.Errorf("%s: %d bytes, %v", r.Proto, len(body), err)
	}
}

func TestOnlyThoseOnTheListSeeMetrics(t *testing.T) {
	up := newBackend(t)
	b := hire(t, metricsConfig(up.addr, "", `prometheus_metrics_allow = ["10.0.0.0/8", "::1"]`), nil)
	c := newControl(t, "the page")
	b.tell(ipc.State{Items: []ipc.StateItem{c.item}})
	if got := b.dial().get("/metrics"); !strings.HasPrefix(got, "403 ") {
		t.Errorf("not on it: %s", got)
	}
	b.apply(b.load(metricsConfig(up.addr, "", `prometheus_metrics_allow = ["127.0.0.0/8"]`)))
	if got := b.dial().get("/metrics"); got != "200 the page" {
		t.Errorf("on it, by a hot change: %s", got)
	}
	b.apply(b.load(strings.Replace(metricsConfig(up.addr, "", ""), `prometheus_metrics = "/metrics"`, "", 1)))
	if got := b.dial().get("/metrics"); got != "200 from backend" {
		t.Errorf("switched off: %s", got)
	}
}

func TestWhenControlIsAwayMetricsComeLater(t *testing.T) {
	up := newBackend(t)
	b := hire(t, metricsConfig(up.addr, "", ""), nil)
	c := newControl(t, "one")
	b.tell(ipc.State{Items: []ipc.StateItem{c.item}})
	conn := b.dial()
	if got := conn.get("/metrics"); got != "200 one" {
		t.Fatal(got)
	}
	c.l.Close()
	if r, _ := request(t, b.addr, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"); r.StatusCode != 503 && r.StatusCode != 200 { // 200: over the connection that is there still
		t.Errorf("%d", r.StatusCode)
	}
	next := newControl(t, "two")
	b.tell(ipc.State{Items: []ipc.StateItem{next.item}})
	if got := conn.get("/metrics"); got != "200 two" {
		t.Errorf("the next control: %s", got)
	}
	gone := next.item
	gone.Gone = true
	b.tell(ipc.State{Items: []ipc.StateItem{gone}})
	if r, body := request(t, b.addr, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"); r.StatusCode != 503 || r.Header.Get("Retry-After") == "" || body != "" {
		t.Errorf("gone: %d %v %q", r.StatusCode, r.Header, body)
	}
	if got := conn.get("/other"); got != "200 from backend" {
		t.Errorf("other requests: %s", got)
	}
	bad := next.item
	bad.Body = ipc.Secret("short")
	if got := b.tell(ipc.State{Items: []ipc.StateItem{bad}}); len(got.Missing) != 1 || strings.Contains(got.Missing[0], "short") {
		t.Errorf("an item that makes no sense: %v", got.Missing)
	}
}

func TestTheLogHasThePageOfMetricsAsItWasAskedFor(t *testing.T) {
	up := newBackend(t)
	path := filepath.Join(t.TempDir(), "access.log")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	b := newBoss(t, nil)
	b.start(metricsConfig(up.addr, path+"?rolling=never", ""), map[string]*os.File{path: file})
	b.activate()
	c := newControl(t, "the page")
	b.tell(ipc.State{Items: []ipc.StateItem{c.item}})
	if got := b.dial().get("/metrics?x=1"); got != "200 the page" {
		t.Fatal(got)
	}
	b.finish()
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), "GET /metrics?x=1 200 8") || strings.Contains(string(text), "pingap-test") {
		t.Errorf("%q, %v", text, err)
	}
}
