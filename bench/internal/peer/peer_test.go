package main

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// newServer answers every request with n bytes, over TLS.
func newServer(t *testing.T, n int) string {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", n))
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func testOptions(addr string) options {
	return options{addr: addr, conns: 4, length: 200, seconds: time.Second, warmup: 50 * time.Millisecond, pids: []int{os.Getpid()}}
}

func TestHandshakesAreCounted(t *testing.T) {
	o := testOptions(newServer(t, 200))
	for _, o.resume = range []bool{false, true} {
		f, err := handshakes(t.Context(), o)
		if err != nil || f.Errors > 0 || f.Requests == 0 || f.CPU <= 0 {
			t.Errorf("resume %v: %+v, %v", o.resume, f, err)
		}
	}
}

func TestHandshakesThatAreNotResumedAreErrors(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", 200))
	}))
	s.TLS = &tls.Config{SessionTicketsDisabled: true}
	s.StartTLS()
	defer s.Close()
	o := testOptions(s.Listener.Addr().String())
	o.resume = true
	if f, err := handshakes(t.Context(), o); err != nil || f.Errors == 0 || !strings.Contains(f.First, "resumed: false") {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestAnswersOfAnotherLengthAreErrors(t *testing.T) {
	o := testOptions(newServer(t, 199))
	if f, err := handshakes(t.Context(), o); err != nil || f.Errors == 0 || f.Requests > 0 {
		t.Errorf("handshakes: %+v, %v", f, err)
	}
	for _, o.h2 = range []bool{false, true} {
		if f, err := idle(t.Context(), o); err != nil || f.Errors == 0 {
			t.Errorf("idle, h2 %v: %+v, %v", o.h2, f, err)
		}
	}
}

func TestIdleConnectionsAreAskedTwice(t *testing.T) {
	o := testOptions(newServer(t, 200))
	o.conns, o.hold = 50, 10*time.Millisecond
	for _, o.h2 = range []bool{false, true} {
		f, err := idle(t.Context(), o)
		if err != nil || f.Errors > 0 || f.RSSBefore == 0 || f.RSSAfter == 0 {
			t.Errorf("h2 %v: %+v, %v", o.h2, f, err)
		}
	}
}

func TestIdleConnectionsThatWereClosedAreErrors(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", 200))
	}))
	s.EnableHTTP2 = true
	s.Config.IdleTimeout = 20 * time.Millisecond
	s.StartTLS()
	defer s.Close()
	o := testOptions(s.Listener.Addr().String())
	o.hold = 500 * time.Millisecond
	for _, o.h2 = range []bool{false, true} {
		if f, err := idle(t.Context(), o); err != nil || f.Errors != int64(o.conns) {
			t.Errorf("h2 %v: %+v, %v", o.h2, f, err)
		}
	}
}

// The reverse proxy and the gRPC upstream are on one line here: a call goes through both.
func TestReverseProxySpeaksHTTP2Behind(t *testing.T) {
	upstream, front := freeAddress(t), freeAddress(t)
	log := filepath.Join(t.TempDir(), "access.log")
	ended := make(chan error, 2)
	ctx := t.Context()
	go func() { ended <- serveGRPC(ctx, options{addr: upstream}) }()                               // ends with the test
	go func() { ended <- serveReverse(ctx, options{addr: front, upstream: upstream, log: log}) }() // ends with the test
	var resp *http.Response
	var err error
	for range 100 {
		resp, err = http.Post("http://"+front+"/bench.Echo/Say", "application/grpc", strings.NewReader("message"))
		if err == nil && resp.StatusCode == http.StatusOK {
			break
		}
		select {
		case err := <-ended:
			t.Fatal(err)
		case <-time.After(20 * time.Millisecond):
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || string(body) != "message" || resp.Trailer.Get("Grpc-Status") != "0" || resp.Header.Get("X-Request-Id") == "" {
		t.Errorf("%q, %v, %v, %v", body, resp.Trailer, resp.Header, err)
	}
	if text, err := os.ReadFile(log); err != nil || !strings.Contains(string(text), `"POST /bench.Echo/Say HTTP/1.1" 200`) {
		t.Errorf("log %q, %v", text, err)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestFlagsAreChecked(t *testing.T) {
	for _, args := range [][]string{{}, {"nothing", "-addr", "a"}, {"idle"}, {"idle", "-addr", "a", "-conns", "0"}, {"idle", "-addr", "a", "-pids", "x"}} {
		if err := run(t.Context(), args, io.Discard); err == nil {
			t.Errorf("%q was accepted", args)
		}
	}
}
