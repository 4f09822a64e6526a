package health

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pingap/config"
)

const (
	good     = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	impolite = "connection_timeout=300ms&read_timeout=300ms&failure=1"
)

func times(n int, text string) string { return strings.Repeat(text, n) }

// overTLS makes what serves a connection serve one with TLS.
func overTLS(t testing.TB, serve func(net.Conn)) func(net.Conn) {
	server := httptest.NewUnstartedServer(nil)
	server.StartTLS()
	cfg := server.TLS.Clone()
	cfg.NextProtos = nil
	server.Close()
	return func(conn net.Conn) {
		secure := tls.Server(conn, cfg)
		if secure.Handshake() == nil {
			serve(secure)
			secure.Close()
		}
	}
}

// answers are what a backend may do with a request, and what a check says of it; "" is healthy.
func answers() map[string]struct {
	serve func(net.Conn)
	want  string
} {
	type way = struct {
		serve func(net.Conn)
		want  string
	}
	drip := func(conn net.Conn) {
		readHead(conn)
		for {
			if _, err := conn.Write([]byte("H")); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	return map[string]way{
		"200":                   {says(good), ""},
		"200 in pieces":         {pieces(good), ""},
		"200 chunked":           {says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nok\r\n0\r\nA: b\r\n\r\n"), ""},
		"200 until closed":      {says("HTTP/1.0 200 OK\r\n\r\nok"), ""},
		"200 after 103":         {says("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + good), ""},
		"200 with a long body":  {says("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n" + times(maxAnswerBody+1, "x")), ""},
		"silence":               {mute, "no answer within 300ms"},
		"slow":                  {drip, "no answer within 300ms"},
		"nothing but interim":   {says(times(3000, "HTTP/1.1 100 Continue\r\n\r\n")), "status 100"},
		"closed":                {func(conn net.Conn) { readHead(conn) }, "connection closed without an answer"},
		"cut in the head":       {says("HTTP/1.1 200 OK\r\nContent-Le"), "the answer ended in its head"},
		"cut in the body":       {says("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok"), "the answer ended in its body"},
		"cut in a chunk":        {says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nok"), "the answer ended in its body"},
		"bad chunk":             {says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok"), "the body of the answer is not well chunked"},
		"long head":             {says("HTTP/1.1 200 OK\r\nA: " + times(maxAnswerHead, "x")), "the head of the answer is longer than 65536 bytes"},
		"500":                   {says("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"), "status 500"},
		"204":                   {says("HTTP/1.1 204 No\r\n\r\n"), "status 204"},
		"redirect":              {says("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"), "status 302"},
		"101":                   {says("HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), "status 101"},
		"other protocol":        {says("SSH-2.0-x\r\n\r\n\x1b[31m"), "the answer is no HTTP"},
		"head of another major": {says("HTTP/2.0 200 OK\r\n\r\n"), "the answer is HTTP/2.0, not HTTP/1"},
	}
}

func pieces(text string) func(net.Conn) {
	return func(conn net.Conn) {
		readHead(conn)
		for i := range len(text) {
			if _, err := conn.Write([]byte{text[i]}); err != nil {
				return
			}
			time.Sleep(2 * time.Millisecond)
		}
	}
}

// someReason is what the kernel or a library says in one of several ways.
const someReason = "*"

// judged checks one backend once and compares what is found.
func judged(t *testing.T, to string, c *Compiled, want string) {
	t.Helper()
	r := newRig(t)
	r.c.Set("u", target1(to, c))
	got := r.await(0)
	r.stop()
	if want == someReason && got.Reason != "" {
		want = got.Reason
	}
	if !got.First || got.Upstream != "u" || got.Key != to || got.Healthy != (want == "") || !strings.HasPrefix(got.Reason, want) || want == "" && got.Reason != "" {
		t.Errorf("got %+v, want %q", got, want)
	}
	if len(got.Reason) > maxReason+3 || strings.ContainsAny(got.Reason, "\x1b\r\n") {
		t.Errorf("reason %q", got.Reason)
	}
}

func TestEachWayToAnswerHTTP(t *testing.T) {
	for name, way := range answers() {
		t.Run(name, func(t *testing.T) {
			judged(t, listen(t, way.serve), check(t, "http://a/?"+impolite), way.want)
		})
	}
}

func TestEachWayToAnswerHTTPS(t *testing.T) {
	for name, way := range answers() {
		t.Run(name, func(t *testing.T) {
			judged(t, listen(t, overTLS(t, way.serve)), check(t, "https://a/?"+strings.Replace(impolite, "300ms", "5s", 1)), way.want)
		})
	}
	t.Run("no TLS", func(t *testing.T) {
		judged(t, listen(t, says(good)), check(t, "https://a/?failure=1&connection_timeout=1s"), "no TLS handshake within 1s")
		judged(t, listen(t, func(conn net.Conn) { fmt.Fprint(conn, good) }), check(t, "https://a/?failure=1"), "TLS handshake: tls: first record does not look like")
	})
	t.Run("closed in the handshake", func(t *testing.T) {
		judged(t, listen(t, func(conn net.Conn) { conn.Read(make([]byte, 100)) }), check(t, "https://a/?failure=1"), "TLS handshake: connection")
	})
	t.Run("half-open", func(t *testing.T) {
		judged(t, listen(t, mute), check(t, "https://a/?"+impolite), "no TLS handshake within 300ms")
	})
}

func TestEachWayToConnect(t *testing.T) {
	unixPath := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", unixPath)
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, ln, mute)
	v6 := "[::1]:1"
	if ln, err := net.Listen("tcp", "[::1]:0"); err == nil {
		v6 = serveOn(t, ln, mute)
	}
	tests := []struct{ name, to, want string }{
		{"accepted", listen(t, mute), ""},
		{"accepted and closed", listen(t, func(net.Conn) {}), ""},
		{"IPv6", v6, ""},
		{"Unix", unixPath, ""},
		{"refused", nobody(t), "connection refused"},
		{"no Unix socket", "/nowhere/s", "no such file or directory"},
		{"silence", full(t), "no connection within 300ms"},
		{"a name", "name.test", "the address is a name that was not resolved"},
		{"no zone", "[fe80::1%none]:80", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := tt.want
			if tt.name == "no zone" {
				want = "route ip+net: no such network interface"
			}
			judged(t, tt.to, check(t, "tcp://a?"+impolite), want)
		})
	}
	for _, tt := range tests[4:8] {
		t.Run("https "+tt.name, func(t *testing.T) {
			judged(t, tt.to, check(t, "https://a?"+impolite), tt.want)
		})
	}
}

// A Unix socket whose queue is full lets nobody wait in the kernel.
func TestAUnixSocketWithAFullQueueIsTriedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	drain := fullUnix(t, path)
	judged(t, path, check(t, "tcp://a?"+impolite), "no connection within 300ms")
	judged(t, path, check(t, "https://a?"+impolite), "no connection within 300ms")
	r := newRig(t)
	r.c.Set("u", target1(path, check(t, "tcp://a?failure=1&connection_timeout=30s")))
	time.AfterFunc(100*time.Millisecond, drain)
	if got := r.await(0); !got.Healthy {
		t.Errorf("%+v", got)
	}
}

func TestWhatAnHTTPCheckAsks(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	heads := make(chan string, 10)
	serve := func(conn net.Conn) {
		heads <- readHead(conn)
		fmt.Fprint(conn, good)
	}
	secured := overTLS(t, serve)
	for url, want := range map[string]string{
		"http://api.test:81/ready?a=1&failure=3&b=%20": "GET /ready?a=1&b=%20 HTTP/1.1\r\nHost: api.test:81\r\nUser-Agent: pingap/1.2 (health check)\r\nAccept: */*\r\nConnection: close\r\n\r\n",
		"https://[::1]/?reuse":                         "GET / HTTP/1.1\r\nHost: [::1]\r\nUser-Agent: pingap/1.2 (health check)\r\nAccept: */*\r\n\r\n",
	} {
		to := serve
		if strings.HasPrefix(url, "https") {
			to = secured
		}
		judged(t, listen(t, to), check(t, url), "")
		if got := <-heads; got != want {
			t.Errorf("%s asks %q", url, got)
		}
	}
}

// The name of the URL is the one in TLS, client_cert is shown, and ca does not matter.
func TestTLSOfAnHTTPSCheck(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS.ServerName != "api.test" || len(r.TLS.PeerCertificates) != 1 || r.Host != "api.test:8443" {
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	server.StartTLS()
	defer server.Close()
	cert, key := pair(t)
	u := config.Upstream{HealthCheck: "https://api.test:8443/?failure=1", ClientCert: cert, ClientKey: config.Secret(key), CA: cert}
	judged(t, server.Listener.Addr().String(), compile(t, u), "")
	u.ClientCert, u.ClientKey = "", ""
	judged(t, server.Listener.Addr().String(), compile(t, u), "remote error: tls: certificate required")
	u.ClientCert = "nonsense"
	if c, err := Compile(&u); err == nil && c.tls.Certificates != nil {
		t.Errorf("compiled %+v", c)
	}
}

func TestReuseKeepsTheConnection(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			var conns, requests atomic.Int32
			serve := func(conn net.Conn) {
				n := conns.Add(1)
				for readHead(conn) != "" {
					requests.Add(1)
					fmt.Fprint(conn, good)
					if n == 1 && requests.Load() == 2 {
						return // the next check finds it closed
					}
				}
			}
			if scheme == "https" {
				serve = overTLS(t, serve)
			}
			r := newRig(t)
			r.c.Set("u", target1(listen(t, serve), check(t, scheme+"://a/?check_frequency=1s&reuse&failure=1")))
			for end := time.Now().Add(patient); requests.Load() < 4 && time.Now().Before(end); {
				time.Sleep(20 * time.Millisecond)
			}
			if conns.Load() != 2 || requests.Load() < 4 {
				t.Errorf("%d connections for %d requests", conns.Load(), requests.Load())
			}
			if all := r.all(); len(all) != 1 || !all[0].Healthy {
				t.Errorf("%+v", all)
			}
		})
	}
}
