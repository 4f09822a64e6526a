package worker

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"pingap/ipc"
	"pingap/plugins"
)

// passing is a plugin that has control answer what is below a path.
type passing struct{}

func (passing) Decide(e *plugins.Exchange) plugins.Decision {
	rest, ok := strings.CutPrefix(string(e.Request.NormalPath()), "/adm")
	if !ok {
		return plugins.Continue
	}
	return plugins.Respond(&plugins.Answer{Inside: &plugins.Inside{Target: []byte("/admin/p" + rest), Prefix: "/adm"}}, "")
}

const withPassing = `
[upstreams.u]
addrs = ["UP"]
[plugins.p]
category = "passing"
[locations.l]
upstream = "u"
plugins = ["p"]
client_max_body_size = "2mb"
proxy_set_headers = ["X-Set:by-location"]
[servers.s]
addr = "LISTEN"
locations = ["l"]
enabled_h2 = true
`

// passer is a worker with a plugin that passes on, and what answers in control's place.
func passer(t *testing.T, answer http.HandlerFunc) (*boss, chan *http.Request) {
	t.Helper()
	up := newBackend(t)
	b := hire(t, strings.Replace(withPassing, "UP", up.addr, 1), func(o *Options) {
		o.Plugins = append(o.Plugins, plugins.Factory{Category: "passing", Summary: "Passes on.", Steps: []plugins.Step{plugins.Request},
			New: func(*plugins.Parameters) (plugins.Plugin, error) { return passing{}, nil }})
	})
	c := newControl(t, "")
	asked := make(chan *http.Request, 16)
	c.server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r
		answer(w, r)
	})
	if r, _ := request(t, b.addr, "GET /adm/x HTTP/1.1\r\nHost: a\r\n\r\n"); r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
		t.Errorf("before control is known: %d %v", r.StatusCode, r.Header)
	}
	b.tell(ipc.State{Items: []ipc.StateItem{c.item}})
	return b, asked
}

func TestRequestsArePassedOnToControlWithWhatClientsCannotSay(t *testing.T) {
	b, asked := passer(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Set-Cookie", "a=b")
		w.WriteHeader(201)
		fmt.Fprintf(w, "%s %d", r.Method, len(body))
	})
	const lies = "X-Pingap-Client: 1.2.3.4\r\nx-pingap-client: 5.6.7.8\r\nX-Pingap-Scheme: https\r\nX-Pingap-Prefix: /\r\nX-Pingap-Token: 00\r\n"
	long := strings.Repeat("x", 1<<20)
	for _, c := range []struct{ name, request, want, path string }{
		{"a read", "GET /adm/api/x HTTP/1.1\r\nHost: h\r\n" + lies + "\r\n", "GET 0", "/admin/p/api/x"},
		{"a write", fmt.Sprintf("POST /adm/api/x HTTP/1.1\r\nHost: h\r\n%sContent-Length: %d\r\n\r\n%s", lies, len(long), long), "POST 1048576", "/admin/p/api/x"},
		{"a write of unknown length", "PUT /adm/y HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n" + lies + "\r\n5\r\nhello\r\n0\r\n\r\n", "PUT 5", "/admin/p/y"},
		{"HTTP/1.0", "DELETE /adm/z HTTP/1.0\r\nHost: h\r\n" + lies + "\r\n", "DELETE 0", "/admin/p/z"},
	} {
		r, body := request(t, b.addr, c.request)
		if r.StatusCode != 201 || body != c.want || r.Header.Get("Set-Cookie") != "a=b" {
			t.Errorf("%s: %d %q %v", c.name, r.StatusCode, body, r.Header)
			continue
		}
		got := <-asked
		for field, want := range map[string]string{ipc.WebClient: "127.0.0.1", ipc.WebScheme: "http", ipc.WebPrefix: "/adm", ipc.WebField: strings.Repeat("74", ipc.WebToken)} {
			if values := got.Header.Values(field); len(values) != 1 || values[0] != want {
				t.Errorf("%s: %s is %q", c.name, field, values)
			}
		}
		if got.URL.String() != c.path || got.Host != "h" || got.Header.Get("X-Set") != "" {
			t.Errorf("%s: control was asked for %s of %s with %v", c.name, got.URL, got.Host, got.Header)
		}
	}
	for what, r := range map[string]string{
		"404": "GET /adm/x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		"413": "POST /adm/x HTTP/1.1\r\nHost: h\r\nContent-Length: 3000000\r\n\r\n",
	} {
		if answer, _ := request(t, b.addr, r); fmt.Sprint(answer.StatusCode) != what {
			t.Errorf("%q: %d", r, answer.StatusCode)
		}
	}
	if r, body := request(t, b.addr, "GET /other HTTP/1.1\r\nHost: h\r\n\r\n"); r.StatusCode != 200 || body != "from backend" {
		t.Errorf("elsewhere: %d %q", r.StatusCode, body)
	}
}

// An event comes when control sends it, not when there is more.
func TestEventsOfControlComeAtOnce(t *testing.T) {
	next := make(chan struct{})
	b, _ := passer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for n := range 3 {
			fmt.Fprintf(w, "data: %d\n\n", n)
			_ = http.NewResponseController(w).Flush()
			<-next
		}
	})
	var h2 http.Protocols
	h2.SetUnencryptedHTTP2(true)
	for name, transport := range map[string]*http.Transport{"h1": {}, "h2c": {Protocols: &h2}} {
		r, err := (&http.Client{Transport: transport, Timeout: patience}).Get("http://" + b.addr + "/adm/stream")
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(r.Body)
		for n := range 3 {
			for lines.Scan() && lines.Text() != fmt.Sprintf("data: %d", n) {
			}
			if lines.Err() != nil {
				t.Fatalf("%s: %v", name, lines.Err())
			}
			next <- struct{}{}
		}
		r.Body.Close()
		transport.CloseIdleConnections()
	}
	c, err := net.Dial("tcp", b.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	fmt.Fprint(c, "GET /adm/stream HTTP/1.0\r\nHost: h\r\n\r\n")
	text := bufio.NewReader(c)
	for line := ""; line != "data: 0\n"; {
		if line, err = text.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		next <- struct{}{}
	}
}
