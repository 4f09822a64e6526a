package forwardauth

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pingap/message"
	"pingap/plugins"
	"pingap/plugins/plugintest"
)

// service is one that the plugin may ask.
func service(t *testing.T, answer http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return s
}

func table(s *httptest.Server, more string) string {
	return fmt.Sprintf("auth_url = %q\n%s", s.URL+"/verify?a=b", more)
}

func TestTheServiceSeesTheHead(t *testing.T) {
	const request = "POST /a?b=c\nHost: example.com\nAuthorization: Bearer x\nX-A: 1\nX-A: 2\nX-Hop: 1\nConnection: close, x-hop\n" +
		"Content-Length: 5\nTransfer-Encoding: chunked\nTE: trailers\nUpgrade: websocket\nX-Forwarded-For: 6.6.6.6\nX_Forwarded_User: u\nX_Forwarded-Uri: /evil\nX-Forwarded-Method: TRACE"
	forwarded := "X-Forwarded-For: 192.0.2.1|X-Forwarded-Host: example.com|X-Forwarded-Method: POST|X-Forwarded-Proto: http|X-Forwarded-Uri: /a?b=c|"
	for name, c := range map[string]struct{ more, host, fields string }{
		"all":       {"", "example.com", "Authorization: Bearer x|X-A: 1|X-A: 2|" + forwarded + "X_forwarded_user: u|"},
		"some":      {`request_headers = ["x-a", "X-Missing", "x-forwarded-for"]`, "", "X-A: 1|X-A: 2|" + forwarded},
		"with host": {`request_headers = ["host"]`, "example.com", forwarded},
	} {
		t.Run(name, func(t *testing.T) {
			var got string
			s := service(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				got = fmt.Sprintf("%s %s %s %q %s", r.Method, r.URL, r.Host, body, headerText(r.Header))
			})
			if c.host == "" {
				c.host = s.Listener.Addr().String()
			}
			x := plugintest.Build(t, Factory(), table(s, c.more))
			if d := x.Decider.Decide(plugintest.New(t, request)); d.Answer != nil {
				t.Fatalf("refused: %d", d.Answer.Status)
			}
			if want := "GET /verify?a=b " + c.host + ` "" ` + c.fields; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func headerText(h http.Header) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			b.WriteString(name + ": " + value + "|")
		}
	}
	return b.String()
}

func TestARequestThatPassesGetsTheFieldsOfTheService(t *testing.T) {
	s := service(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["X-Groups"] = []string{"a", "b"}
		w.Header().Set("X-User", "alice")
		w.Header().Set("X-Other", "no")
		w.WriteHeader(204)
	})
	x := plugintest.Build(t, Factory(), table(s, `add_headers = ["x-user", "X-Groups", "X-Role"]`))
	e := plugintest.New(t, "GET /\nHost: h\nX-Role: admin\nx_role: admin\nX-USER: root\nX_User: root\nX-Other: own")
	if d := x.Decider.Decide(e); d.Answer != nil {
		t.Fatal("refused")
	}
	if got, want := plugintest.FieldText(e.Request.Fields.List()), "Host: h\nX-Other: own\nX-User: alice\nX-Groups: a\nX-Groups: b\n"; got != want {
		t.Errorf("upstream gets\n%swant\n%s", got, want)
	}
}

func TestAnythingElseIsRelayed(t *testing.T) {
	var status int
	asked := 0
	s := service(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		h := w.Header()
		h["Set-Cookie"] = []string{"a=1; Path=/", "b=2"}
		h.Set("Location", "/login")
		h.Set("Www-Authenticate", "Bearer")
		h.Set("Keep-Alive", "timeout=5")
		h.Set("Content-Encoding", "gzip")
		h.Set("Content-Type", "text/plain")
		w.WriteHeader(status)
		if status != 304 {
			_, _ = w.Write([]byte("body"))
		}
	})
	x := plugintest.Build(t, Factory(), table(s, ""))
	for _, status = range []int{300, 302, 304, 401, 403, 404, 500, 503} {
		asked = 0
		a := x.Decider.Decide(plugintest.New(t, "GET /\nHost: h")).Answer
		if a == nil {
			t.Fatalf("%d: passed", status)
		}
		body, want := "body", "Content-Encoding: gzip\nContent-Type: text/plain\nLocation: /login\nSet-Cookie: a=1; Path=/\nSet-Cookie: b=2\nWww-Authenticate: Bearer\n"
		if status == 304 {
			body, want = "", strings.Replace(want, "Content-Type: text/plain\n", "", 1) // the server of the test leaves it out
		}
		if got := plugintest.FieldText(a.Fields); a.Status != status || string(a.Body) != body || got != want || asked != 1 {
			t.Errorf("%d, asked %d times: answer %d %q\n%s", status, asked, a.Status, a.Body, got)
		}
	}
}

func TestNobodyPassesWhereTheServiceCannotBeAsked(t *testing.T) {
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead.Close()
	cases := map[string]struct {
		answer http.HandlerFunc
		more   string
	}{
		"too slow": {func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, `timeout = "50ms"`},
		"body too slow": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(403)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, `timeout = "50ms"`},
		"body too long": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(403)
			w.(http.Flusher).Flush()
			_, _ = w.Write(make([]byte, 101))
		}, `max_body = 100`},
		"announced too long": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "101")
			w.WriteHeader(403)
		}, `max_body = 100`},
		"breaks off": {func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, ""},
		"no HTTP":    {func(w http.ResponseWriter, r *http.Request) { raw(w, "hello\r\n\r\n") }, ""},
		"switches": {func(w http.ResponseWriter, r *http.Request) {
			raw(w, "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
		}, ""},
		"odd status":    {func(w http.ResponseWriter, r *http.Request) { raw(w, "HTTP/1.1 700 S\r\nContent-Length: 0\r\n\r\n") }, ""},
		"head too long": {func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X-A", strings.Repeat("a", 70<<10)) }, ""},
		"odd field value": {func(w http.ResponseWriter, r *http.Request) {
			raw(w, "HTTP/1.1 200 OK\r\nX-U: a\x01b\r\nContent-Length: 0\r\n\r\n")
		}, `add_headers = ["X-U"]`},
		"not listening": {nil, fmt.Sprintf("auth_url = %q", "http://"+dead.Addr().String())},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			full := c.more
			if c.answer != nil {
				full = table(service(t, c.answer), c.more)
			}
			x := plugintest.Build(t, Factory(), full)
			a := x.Decider.Decide(plugintest.New(t, "GET /\nHost: h")).Answer
			if a == nil || a.Status != 502 || string(a.Body) != "Forward auth request failed" {
				t.Errorf("answer %+v", a)
			}
		})
	}
}

// raw answers with these bytes and closes.
func raw(w http.ResponseWriter, text string) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	_, _ = conn.Write([]byte(text))
	_ = conn.Close()
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	var opened atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(map[string]int{"/ok": 200, "/no": 403}[r.Header.Get("X-Forwarded-Uri")])
		_, _ = w.Write(bytes.Repeat([]byte("b"), 5000))
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	x := plugintest.Build(t, Factory(), table(s, ""))
	for i := range 20 {
		x.Decider.Decide(plugintest.New(t, "GET "+[]string{"/ok", "/no"}[i%2]+"\nHost: h"))
	}
	if n := opened.Load(); n > 2 { // one, if the connection is back before the next request; that is a race of net/http
		t.Errorf("%d connections for 20 requests", n)
	}
}

func TestHTTPSIsVerified(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, []byte(ca), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		more   string
		passes bool
	}{"own CA": {"ca = \"\"\"" + ca + "\"\"\"", true}, "CA in a file": {fmt.Sprintf("ca = %q", file), true}, "of the system": {"", false}} {
		d := plugintest.Build(t, Factory(), table(s, c.more)).Decider.Decide(plugintest.New(t, "GET /\nHost: h"))
		if c.passes != (d.Answer == nil) {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

func TestClosingEndsAQuestion(t *testing.T) {
	asked := make(chan struct{})
	s := service(t, func(_ http.ResponseWriter, r *http.Request) { close(asked); <-r.Context().Done() })
	x := plugintest.Build(t, Factory(), table(s, ""))
	decided := make(chan plugins.Decision)
	e := plugintest.New(t, "GET /\nHost: h")
	go func() { decided <- x.Decider.Decide(e) }()
	<-asked
	if err := x.Close(); err != nil {
		t.Error(err)
	}
	select {
	case d := <-decided:
		if d.Answer == nil || d.Answer.Status != 502 {
			t.Errorf("%+v", d)
		}
	case <-time.After(5 * time.Second): // half of timeout
		t.Error("it is still being asked")
	}
}

func TestOddHostsDoNotPass(t *testing.T) {
	s := service(t, func(http.ResponseWriter, *http.Request) {})
	x := plugintest.Build(t, Factory(), table(s, ""))
	e := plugintest.New(t, "GET /")
	e.Request.Host = []byte("a b\r\nX: y")
	if d := x.Decider.Decide(e); d.Answer == nil || d.Answer.Status != 502 {
		t.Errorf("%+v", d)
	}
	e.Request.Reset()
	e.Request.SetMethod([]byte("GET"))
	e.Request.SetTarget([]byte("/"))
	e.Request.Version = message.HTTP10
	if d := x.Decider.Decide(e); d.Answer != nil {
		t.Errorf("without host: %s", errors.New(d.Reason))
	}
}

func TestRefusesWrongParameters(t *testing.T) {
	const address = "expected an address such as http://127.0.0.1:9000/verify"
	const right = "auth_url = \"http://a/\"\n"
	plugintest.Refused(t, Factory(), []plugintest.RefusedCase{
		{Table: ``, Key: "auth_url", Message: "is required: Address of the service, http or https. Redirects are not followed but relayed."},
		{Table: `auth_url = "127.0.0.1:80"`, Key: "auth_url", Message: address},
		{Table: `auth_url = "ftp://a/"`, Key: "auth_url", Message: address},
		{Table: `auth_url = "http:///x"`, Key: "auth_url", Message: address},
		{Table: `auth_url = "http://:80/x"`, Key: "auth_url", Message: address},
		{Table: `auth_url = "http://u:p@a/"`, Key: "auth_url", Message: "expected an address without user and without #"},
		{Table: right + `timeout = "0s"`, Key: "timeout", Message: "expected more than 0s and at most 1m0s, found 0s"},
		{Table: right + `timeout = "2m"`, Key: "timeout", Message: "expected more than 0s and at most 1m0s, found 2m0s"},
		{Table: right + `max_body = 0`, Key: "max_body", Message: "expected 1 byte to 64mib"},
		{Table: right + `add_headers = ["X-A", "Host"]`, Key: "add_headers", Message: "entry 2: Host is written by the proxy and cannot be changed"},
		{Table: right + `request_headers = ["a b"]`, Key: "request_headers", Message: `entry 1: "a b" is not the name of a field`},
		{Table: right + `ca = "ca.pem"`, Key: "ca", Message: "expected PEM, or the absolute path of a file with PEM"},
		{Table: right + `ca = "/nowhere/ca.pem"`, Key: "ca", Message: "stat /nowhere/ca.pem: no such file or directory"},
		{Table: right + `ca = "/dev/null"`, Key: "ca", Message: "/dev/null is no file"},
		{Table: right + "ca = \"-----BEGIN X-----\\n-----END X-----\"", Key: "ca", Message: "there is no certificate in it"},
	})
}
