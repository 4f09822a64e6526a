package proxy

import (
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// byNumber is a script that answers "GET /n" with responses[n].
func byNumber(responses []string) func(*scripted) {
	return func(p *scripted) {
		for {
			head, ok := p.request()
			if !ok {
				return
			}
			path, _, _ := strings.Cut(strings.TrimPrefix(head, "GET /"), " ")
			n, err := strconv.Atoi(path)
			if err != nil {
				p.reply(ok5)
				continue
			}
			p.reply(responses[n])
		}
	}
}

func getNumber(n int) string { return fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: h\r\n\r\n", n) }

// page reads a response that has a length.
func (c *rawClient) page() (head, body string) {
	c.t.Helper()
	head = c.head()
	var n int
	if i := strings.Index(head, "\r\nContent-Length: "); i >= 0 {
		fmt.Sscanf(head[i:], "\r\nContent-Length: %d", &n)
	}
	return head, c.body(n)
}

func TestInvalidResponsesBecome502AndNothingOfThemLeaks(t *testing.T) {
	var names, responses, kinds []string
	for _, row := range table(t, "bad_responses.txt", 3) {
		names, responses, kinds = append(names, row[0]), append(responses, row[2]+ok5), append(kinds, "InvalidHTTPHeader")
	}
	for _, row := range table(t, "bad_chunks.txt", 3) {
		names, kinds = append(names, row[0]), append(kinds, "InvalidBody")
		responses = append(responses, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"+row[2])
	}
	b := newBackend(t, byNumber(responses))
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, quiet: true})
	c := r.dial()
	for i := range responses {
		head, body := c.send(getNumber(i)).page()
		if !strings.HasPrefix(head, "HTTP/1.1 502 ") || !strings.Contains(head, "X-Pingap-EType: "+kinds[i]+"\r\n") || strings.Contains(body, "hello") {
			t.Errorf("%s: %q", names[i], head)
		}
		if head, body := c.send(get).page(); !strings.HasPrefix(head, "HTTP/1.1 200 ") || body != "hello" {
			t.Fatalf("%s: the next request gets %q %q", names[i], head, body)
		}
	}
}

func TestValidResponsesReachTheClientAsTheTableSays(t *testing.T) {
	rows := table(t, "good_responses.txt", 3)
	var responses []string
	for _, row := range rows {
		responses = append(responses, row[1])
	}
	b := newBackend(t, byNumber(responses))
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, quiet: true})
	c := r.dial()
	for i, row := range rows {
		if got := c.send(getNumber(i)).body(len(row[2])); got != row[2] {
			t.Fatalf("%s: the client gets\n%q, want\n%q", row[0], got, row[2])
		}
	}
	if head, body := c.send(get).page(); !strings.HasPrefix(head, "HTTP/1.1 200 ") || body != "hello" {
		t.Errorf("the next request gets %q %q", head, body)
	}
	if n := b.open.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

// What is broken after the head has gone out is cut: the client must never see a proper end.
func TestBrokenResponseBodyBehindItsHead(t *testing.T) {
	rows := table(t, "bad_chunks.txt", 3)
	seen := make(chan struct{})
	b := newBackend(t, func(p *scripted) {
		head, ok := p.request()
		if !ok {
			return
		}
		n, _ := strconv.Atoi(strings.Fields(head)[1][1:])
		p.reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		<-seen
		p.reply(rows[n][2])
		p.request() // until the proxy closes
	})
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, quiet: true})
	for i, row := range rows {
		c := r.dial().send(getNumber(i) + get)
		c.head()
		seen <- struct{}{}
		if got := c.rest(); strings.Contains(got, "0\r\n\r\n") || !strings.HasPrefix(row[2], got) {
			t.Errorf("%s: the client gets %.200q", row[0], got)
		}
	}
}

func TestOutcomesOfUpstreamsThatEndEarly(t *testing.T) {
	reset := func(p *scripted) { _ = p.Conn.(*net.TCPConn).SetLinger(0) } // the script's end closes, by RST
	for _, tc := range []struct {
		name   string
		script func(*scripted)
		want   string // the beginning of what the client gets
		kind   string
	}{
		{"FIN at once", func(p *scripted) {}, "HTTP/1.1 502", ""},
		{"RST at once", reset, "HTTP/1.1 502", ""},
		{"FIN behind the request", func(p *scripted) { p.request() }, "HTTP/1.1 502", "ConnectionClosed"},
		{"RST behind the request", func(p *scripted) { p.request(); reset(p) }, "HTTP/1.1 502", ""},
		{"FIN in the head", func(p *scripted) { p.request(); p.reply("HTTP/1.1 200 OK\r\nX") }, "HTTP/1.1 502", "ConnectionClosed"},
		{"FIN behind an interim response", func(p *scripted) { p.request(); p.reply("HTTP/1.1 103 Early Hints\r\n\r\n") },
			"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 502", "ConnectionClosed"},
		{"half-close, then the response is whole", func(p *scripted) {
			p.request()
			p.reply(ok5)
			_ = p.Conn.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, p.r)
		}, "HTTP/1.1 200 OK", ""},
	} {
		for _, method := range []string{"GET", "POST"} {
			t.Run(tc.name+", "+method, func(t *testing.T) {
				b := newBackend(t, tc.script)
				r := newRig(t, rigOptions{addrs: []string{b.addr()}})
				c := r.dial().send(method + " / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
				if got := c.rest(); !strings.HasPrefix(got, tc.want) {
					t.Errorf("%q", got)
				}
				if line := r.log.wait(t, 0); tc.kind != "" && line.kind != tc.kind {
					t.Errorf("log %+v", line)
				}
			})
		}
	}
}

func TestResetInTheBodyCutsTheClient(t *testing.T) {
	for name, start := range map[string]string{
		"length":      "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
		"chunked":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"until close": "HTTP/1.1 200 OK\r\n\r\nhello",
	} {
		t.Run(name, func(t *testing.T) {
			seen := make(chan struct{})
			b := newBackend(t, func(p *scripted) {
				p.request()
				p.reply(start)
				<-seen
				_ = p.Conn.(*net.TCPConn).SetLinger(0)
			})
			r := newRig(t, rigOptions{addrs: []string{b.addr()}})
			c := r.dial().send(get)
			c.head()
			if got := c.body(5); got != "hello" && got != "5\r\nhe" {
				t.Errorf("got %q", got)
			}
			close(seen)
			if got := c.rest(); strings.Contains(got, "0\r\n\r\n") {
				t.Errorf("a proper end: %q", got)
			}
			if line := r.log.wait(t, 0); line.kind == "" {
				t.Errorf("log %+v", line)
			}
		})
	}
}

func TestResponseBeforeTheRequestIsRead(t *testing.T) {
	b := newBackend(t, func(p *scripted) {
		p.reply("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbusy")
		_, _ = io.Copy(io.Discard, p.r)
	})
	r := newRig(t, rigOptions{addrs: []string{b.addr()}})
	for _, request := range []string{get, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n" + strings.Repeat("x", 300_000)} {
		c := r.dial()
		go func() { _, _ = io.WriteString(c.Conn, request) }() // ends with the connection
		if head, body := c.page(); !strings.HasPrefix(head, "HTTP/1.1 503 ") || body != "busy" {
			t.Errorf("%q %q", head, body)
		}
		c.Close()
	}
}

func TestLargestInterimResponsesDoNotFillTheBuffer(t *testing.T) {
	hints := "HTTP/1.1 103 Early Hints\r\nLink: " + strings.Repeat("a", 1000) + "\r\n\r\n"
	final := "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("b", 5000) + "\r\nContent-Length: 5\r\n\r\nhello"
	b := newBackend(t, answer(strings.Repeat(hints, 31)+final))
	r := newRig(t, rigOptions{addrs: []string{b.addr()}})
	c := r.dial()
	for range 2 {
		c.send(get)
		for range 31 {
			if head := c.head(); head != hints {
				t.Fatalf("%.100q", head)
			}
		}
		if head, body := c.page(); !strings.HasPrefix(head, "HTTP/1.1 200 ") || body != "hello" {
			t.Fatalf("%.100q %q", head, body)
		}
	}
	if n := r.p.Stats().Panics; n != 0 {
		t.Errorf("%d panics", n)
	}
}

// An upstream may not switch while the body of the request is still coming: its rest would be taken for
// bytes of the other protocol.
func TestSwitchingBeforeTheRequestIsCompleteIs502(t *testing.T) {
	b := newBackend(t, func(p *scripted) {
		p.request()
		p.reply("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
		_, _ = io.Copy(io.Discard, p.r)
	})
	r := newRig(t, rigOptions{addrs: []string{b.addr()}})
	c := r.dial().send("POST / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: x\r\nContent-Length: 10\r\n\r\n12345")
	if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 502 ") {
		t.Errorf("%q", head)
	}
	c.rest()
}

// poisoner answers the first request of its first connection with first and later, when told by sent,
// sends bytes that nobody asked for; everything else is answered properly.
func poisoner(first, poison string, sent chan struct{}) func(*scripted) {
	return func(p *scripted) {
		for n := 0; ; n++ {
			if _, ok := p.request(); !ok {
				return
			}
			if p.n > 1 || n > 0 {
				p.reply(ok5)
				continue
			}
			p.reply(first)
			<-sent
			p.reply(poison)
			sent <- struct{}{}
		}
	}
}

func TestUnaskedBytesNeverAnswerTheNextRequest(t *testing.T) {
	const poison = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
	const long = "HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\npoison"
	const head = "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"
	for _, tc := range []struct {
		name, request, first, poison string
		idle                         []time.Duration // of the connection before the bytes come
	}{
		{"a second response", get, ok5, poison, []time.Duration{0, 80 * time.Millisecond}},
		{"a time-out", get, ok5, "HTTP/1.1 408 poison\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", []time.Duration{0, 80 * time.Millisecond}},
		{"a body to HEAD", head, "HTTP/1.1 200 OK\r\nContent-Length: 44\r\n\r\n", poison, []time.Duration{0, 80 * time.Millisecond}},
		{"a body in a 204", get, "HTTP/1.1 204 No Content\r\n\r\n", poison, []time.Duration{0, 80 * time.Millisecond}},
		{"a body in a 304", get, "HTTP/1.1 304 Not Modified\r\nContent-Length: 44\r\n\r\n", poison, []time.Duration{0, 80 * time.Millisecond}},
		{"more than announced", get, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", poison, []time.Duration{0, 80 * time.Millisecond}},
		{"behind the last chunk", get, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", poison, []time.Duration{0, 80 * time.Millisecond}},
		{"half a response", get, ok5, long, []time.Duration{80 * time.Millisecond}},
	} {
		for _, idle := range tc.idle {
			t.Run(fmt.Sprint(tc.name, " after ", idle), func(t *testing.T) {
				sent := make(chan struct{})
				b := newBackend(t, poisoner(tc.first, tc.poison, sent))
				r := newRig(t, rigOptions{addrs: []string{b.addr()}, quiet: true})
				r.dial().send(tc.request).head()
				time.Sleep(idle)
				sent <- struct{}{}
				<-sent
				time.Sleep(idle) // the time is what is tested: how old a connection is decides how it is looked at
				for i := range 3 {
					got := r.dial().send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").rest()
					if strings.Contains(got, "poison") {
						t.Fatalf("client %d gets %q", i, got)
					}
				}
			})
		}
	}
}
