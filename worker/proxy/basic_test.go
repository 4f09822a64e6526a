package proxy

import (
	"strings"
	"testing"
)

const ok5 = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Up: yes\r\n\r\nhello"

func TestRequestGoesThroughAndConnectionsAreKept(t *testing.T) {
	b := newBackend(t, answer(ok5))
	r := newRig(t, rigOptions{addrs: []string{b.addr()}})
	c := r.dial()
	for i := 0; i < 3; i++ {
		c.send("GET /a?b=1 HTTP/1.1\r\nHost: example.com\r\nConnection: keep-alive\r\nX-One: 1\r\n\r\n")
		head := c.head()
		if !strings.HasPrefix(head, "HTTP/1.1 200 OK\r\n") || !strings.Contains(head, "X-Up: yes\r\n") || !strings.Contains(head, "Content-Length: 5\r\n") {
			t.Fatalf("head: %q", head)
		}
		if got := c.body(5); got != "hello" {
			t.Fatalf("body %q", got)
		}
	}
	if n := b.open.Load(); n != 1 {
		t.Errorf("%d upstream connections, want 1", n)
	}
	want := "GET /a?b=1 HTTP/1.1\r\nHost: example.com\r\nX-One: 1\r\n\r\n"
	if got := b.received(); got != strings.Repeat(want, 3) {
		t.Errorf("upstream received %q", got)
	}
	if line := r.log.wait(t, 2); line.status != 200 || line.sent != 5 || !line.reused {
		t.Errorf("log %+v", line)
	}
}
