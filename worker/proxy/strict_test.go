package proxy

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"pingap/config"
)

// table reads one of the parser's tables: columns between " | ", those that begin with a quote unquoted.
func table(t testing.TB, name string, columns int) [][]string {
	t.Helper()
	text, err := os.ReadFile("../http1/testdata/" + name)
	must(t, err)
	var rows [][]string
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		row := strings.SplitN(line, " | ", columns)
		for i, cell := range row {
			if strings.HasPrefix(cell, `"`) {
				row[i], err = strconv.Unquote(cell)
				must(t, err)
			}
		}
		if len(row) != columns {
			t.Fatalf("%s: %q has %d columns, want %d", name, line, len(row), columns)
		}
		rows = append(rows, row)
	}
	return rows
}

// smuggled is a request that must not be served where it is sent behind an invalid one.
const smuggled = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"

// only checks that reply is one response with a status, after which the connection closes.
func only(t testing.TB, name, reply, status string) {
	t.Helper()
	head, body, _ := strings.Cut(reply, "\r\n\r\n")
	if !strings.HasPrefix(reply, "HTTP/1.1 "+status+" ") || !strings.Contains(head, "\r\nConnection: close") ||
		!strings.Contains(head, fmt.Sprintf("\r\nContent-Length: %d", len(body))) || strings.Contains(body, "HTTP/1.1") {
		t.Errorf("%s: %.300q, want a single %s", name, reply, status)
	}
}

func TestInvalidRequestsAreAnsweredAndNothingOfThemGoesOn(t *testing.T) {
	b := newBackend(t, echo)
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, quiet: true})
	for _, row := range table(t, "bad_requests.txt", 4) {
		only(t, row[0], r.dial().send(row[3]+smuggled).rest(), row[1])
	}
	for _, row := range table(t, "bad_chunks.txt", 3) {
		raw := "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + row[2] + smuggled
		only(t, row[0], r.dial().send(raw).rest(), "400")
	}
	if got := b.received(); got != "" || b.open.Load() != 0 {
		t.Errorf("%d connections to the upstream, which received %.300q", b.open.Load(), got)
	}
}

func TestInvalidRequestsThatComeByteByByte(t *testing.T) {
	b := newBackend(t, echo)
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, quiet: true})
	for _, row := range table(t, "bad_requests.txt", 4) {
		c := r.dial()
		for _, one := range strings.Split(row[3]+smuggled, "") {
			if _, err := io.WriteString(c.Conn, one); err != nil {
				break // refused before all of it was sent
			}
		}
		only(t, row[0], c.rest(), row[1])
	}
	if got := b.received(); got != "" {
		t.Errorf("the upstream received %.300q", got)
	}
}

func TestInvalidRequestBehindAValidOne(t *testing.T) {
	b := newBackend(t, echo)
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, quiet: true})
	for _, row := range table(t, "bad_requests.txt", 4) {
		c := r.dial().send(get + row[3] + smuggled)
		c.expect("200", "0:")
		only(t, row[0], c.rest(), row[1])
	}
	if got := b.received(); strings.ReplaceAll(got, get, "") != "" {
		t.Errorf("the upstream received %.300q", got)
	}
}

func TestValidRequestsReachTheUpstreamAsTheTableSays(t *testing.T) {
	b := newBackend(t, echo)
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, quiet: true})
	for _, row := range table(t, "good_requests.txt", 3) {
		before := len(b.received())
		c := r.dial().send(row[1])
		if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 200 ") {
			t.Errorf("%s: %q", row[0], head)
		}
		if got := b.received()[before:]; got != strings.ReplaceAll(row[2], "BACKEND", b.addr()) {
			t.Errorf("%s: the upstream received\n%q, want\n%q", row[0], got, row[2])
		}
		c.Close()
	}
}

// The head of such a request has gone on before its body turns out to be broken. The upstream must see
// the end of the connection, never the end of the body.
func TestBrokenRequestBodyBehindItsHead(t *testing.T) {
	heads, ends := make(chan string), make(chan string)
	b := newBackend(t, func(p *scripted) {
		head, ok := p.request()
		if !ok {
			return
		}
		heads <- head
		rest, _ := io.ReadAll(p.r)
		ends <- string(rest)
	})
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, quiet: true})
	for _, row := range table(t, "bad_chunks.txt", 3) {
		c := r.dial().send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
		<-heads
		c.send(row[2] + smuggled)
		only(t, row[0], c.rest(), "400")
		if got := <-ends; strings.Contains(got, "0\r\n\r\n") || strings.Contains(got, "smuggled") || !strings.HasPrefix(row[2], got) {
			t.Errorf("%s: the upstream received %.200q", row[0], got)
		}
	}
}

// A client could otherwise take away what the proxy says of it.
func TestConnectionDoesNotRemoveWhatTheProxyAdds(t *testing.T) {
	b := newBackend(t, echo)
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, location: config.Location{
		ProxySetHeaders: []string{"X-Inside: yes", "X-Both: ours"},
	}})
	c := r.dial().send("GET / HTTP/1.1\r\nHost: h\r\nConnection: X-Inside, X-Both\r\nX-Both: theirs\r\n\r\n")
	c.expect("200", "0:")
	if got := b.received(); !strings.Contains(got, "X-Inside: yes\r\n") || !strings.Contains(got, "X-Both: ours\r\n") || strings.Contains(got, "theirs") {
		t.Errorf("the upstream received %q", got)
	}
}

func TestLimitsOfRequestsByTheByte(t *testing.T) {
	b := newBackend(t, echo)
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, quiet: true})
	line := func(target int) string { return "GET /" + strings.Repeat("a", target-1) + " HTTP/1.1\r\nHost: h\r\n" }
	sized := func(size int) string {
		start := line(1) + "X: "
		return start + strings.Repeat("a", size-len(start)-4) + "\r\n\r\n"
	}
	for _, tc := range []struct{ name, raw, status string }{
		{"head of 16 KiB", sized(16 << 10), "200"},
		{"head over 16 KiB", sized(16<<10 + 1), "200"},
		{"head of 64 KiB", sized(64 << 10), "200"},
		{"head over 64 KiB", sized(64<<10 + 1), "431"},
		{"head far over 64 KiB", sized(200 << 10), "431"},
		{"128 fields", line(1) + strings.Repeat("A: b\r\n", 127) + "\r\n", "200"},
		{"129 fields", line(1) + strings.Repeat("A: b\r\n", 128) + "\r\n", "431"},
		{"target of 8 KiB", line(8<<10) + "\r\n", "200"},
		{"target over 8 KiB", line(8<<10+1) + "\r\n", "414"},
		{"target over everything", line(100<<10) + "\r\n", "414"},
	} {
		c := r.dial().send(tc.raw + get)
		if tc.status == "200" {
			c.expect("200", "0:") // and the connection is in step
			c.expect("200", "0:")
		} else {
			only(t, tc.name, c.rest(), tc.status)
		}
		c.Close()
	}
}

func TestHeadThatTricklesGetsNoMoreTime(t *testing.T) {
	b := newBackend(t, echo)
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, server: func(s *Server) { s.HeaderTimeout = 300 * time.Millisecond }})
	c := r.dial().send("GET / HTTP/1.1\r\nHost: h\r\n")
	stop := make(chan struct{})
	go func() { // ends when the answer is there
		defer close(stop)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for ; ; <-tick.C {
			if _, err := io.WriteString(c.Conn, "X: y\r\n"); err != nil {
				return
			}
		}
	}()
	if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 408") {
		t.Errorf("head %q", head)
	}
	c.Close()
	<-stop
}

func TestBodyThatMakesProgressIsNotTimedOut(t *testing.T) {
	b := newBackend(t, echo)
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, server: func(s *Server) { s.ReadTimeout = time.Second }})
	c := r.dial().send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 15\r\n\r\n")
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for range 15 { // 1.5 s in all
		<-tick.C
		c.send("x")
	}
	c.expect("200", "15:xxxxxxxx")
}
