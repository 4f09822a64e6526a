package client

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"pingap/message"
)

// patient is how long a test waits for what has to come at once.
const patient = 10 * time.Second

// request makes the head of a request. headers are names and values in turn.
func request(method, target string, headers ...string) *message.Request {
	req := new(message.Request)
	req.SetMethod([]byte(method))
	req.SetTarget([]byte(target))
	req.Host = []byte("example.com")
	for i := 0; i < len(headers); i += 2 {
		req.Fields.Add(headers[i], []byte(headers[i+1]))
	}
	return req
}

func open(t testing.TB, c *Conn, req *message.Request, o OpenOptions) *Stream {
	t.Helper()
	s, err := c.Open(req, &req.Fields, o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	_ = s.SetReadDeadline(time.Now().Add(patient))
	_ = s.SetWriteDeadline(time.Now().Add(patient))
	return s
}

// get opens a request without a body.
func get(t testing.TB, c *Conn, target string) *Stream {
	t.Helper()
	return open(t, c, request("GET", target), OpenOptions{End: true, ContentLength: message.LengthUnknown})
}

// finalHead reads heads up to the final one.
func finalHead(t testing.TB, s *Stream) *message.Response {
	t.Helper()
	resp := new(message.Response)
	for {
		_, final, err := s.Head(resp, nil)
		if err != nil {
			t.Fatalf("head: %v", err)
		}
		if final {
			return resp
		}
	}
}

// complete reads a whole response and releases the stream.
func complete(t testing.TB, s *Stream) (*message.Response, string) {
	t.Helper()
	resp := finalHead(t, s)
	body, err := io.ReadAll(s)
	if err != nil {
		t.Fatalf("body after %d bytes: %v", len(body), err)
	}
	s.Release()
	return resp, string(body)
}

// serve runs an HTTP/2 server that others wrote, over cleartext or TLS, and connects to it.
func serve(t testing.TB, handler http.HandlerFunc, secure bool, o Options) *Conn {
	t.Helper()
	addr := listenH2(t, handler, secure)
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if secure {
		tc := tls.Client(nc, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
		ctx, cancel := context.WithTimeout(context.Background(), patient)
		defer cancel()
		if err := tc.HandshakeContext(ctx); err != nil {
			t.Fatal(err)
		}
		nc = tc
	}
	return watch(t, New(nc, o))
}

// watch closes the connection at the end of the test, and keeps it ticking until then.
func watch(t testing.TB, c *Conn) *Conn {
	t.Helper()
	stop := make(chan struct{})
	stopped := make(chan struct{})
	go func() { // ends with the test
		defer close(stopped)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				c.Tick(message.Now())
			}
		}
	}()
	t.Cleanup(func() {
		c.Close()
		close(stop)
		<-stopped
		c.Wait()
	})
	return c
}

func listenH2(t testing.TB, handler http.HandlerFunc, secure bool) string {
	t.Helper()
	if secure {
		srv := httptest.NewUnstartedServer(handler)
		srv.EnableHTTP2 = true
		srv.StartTLS()
		t.Cleanup(srv.Close)
		return srv.Listener.Addr().String()
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: handler, Protocols: new(http.Protocols)}
	srv.Protocols.SetUnencryptedHTTP2(true)
	go func() { _ = srv.Serve(ln) }() // ends with Close
	t.Cleanup(func() { _ = srv.Close() })
	return ln.Addr().String()
}

// checkLeaks fails the test if goroutines of this package are left at its end.
func checkLeaks(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		var stacks string
		for end := time.Now().Add(patient); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			buf := make([]byte, 1<<20)
			stacks = string(buf[:runtime.Stack(buf, true)])
			if !strings.Contains(stacks, "client.(*Conn)") && !strings.Contains(stacks, "client.(*Stream)") {
				return
			}
		}
		t.Errorf("goroutines are left:\n%s", stacks)
	})
}

// socketPair returns the two ends of a connection over loopback.
func socketPair(t testing.TB) (a, b net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if a, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		a.Close()
		b.Close()
	})
	return a, b
}
