package e2e

import (
	"io"
	"net/http"
	"testing"
	"time"
)

// Bodies are passed on as they come, in both directions; nothing waits for the whole.
func TestBodiesAreStreamed(t *testing.T) {
	t.Parallel()
	b := newBackend(t, "app")
	_, addr := behind(t, b.addr)
	c := dial(t, addr)
	if err := c.conn.SetDeadline(time.Now().Add(exchangeTime)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c.conn, get("/parts")); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	part := make([]byte, len("part one\n"))
	if _, err := io.ReadFull(resp.Body, part); err != nil || string(part) != "part one\n" {
		t.Fatalf("before the second part: %q, %v", part, err)
	}
	b.release()
	if rest, err := io.ReadAll(resp.Body); err != nil || string(rest) != "part two\n" {
		t.Errorf("second part: %q, %v", rest, err)
	}
}

// A request whose body is still coming has reached the backend already.
func TestUploadsAreStreamed(t *testing.T) {
	t.Parallel()
	b := newBackend(t, "app")
	i, addr := behind(t, b.addr)
	c := dial(t, addr)
	head := "POST /slowly HTTP/1.1\r\nHost: e2e.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n"
	if _, err := io.WriteString(c.conn, head); err != nil {
		t.Fatal(err)
	}
	i.eventually("the head at the backend", func() error { return atLeast(b.requests.Load(), 1) })
	a, err := c.do("4\r\nlast\r\n0\r\n\r\n")
	if err != nil || a.header.Get("X-Got") != "POST /slowly 9" {
		t.Errorf("%+v, %v", a, err)
	}
}

// A response that breaks off is never taken for a whole one.
func TestABackendThatDiesMidBodyIsNoticed(t *testing.T) {
	t.Parallel()
	b := newBackend(t, "app")
	i, addr := behind(t, b.addr)
	failed := make(chan error, 1)
	go func() { // ends with the backend's connection
		_, err := fetch(addr, get("/parts"))
		failed <- err
	}()
	i.eventually("the request", func() error { return atLeast(b.now.Load(), 1) })
	b.cut()
	if err := <-failed; err == nil {
		t.Error("half a body was delivered as a whole one")
	}
}
