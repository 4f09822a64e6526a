package proxy

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"pingap/config"
)

const get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
const get10 = "GET / HTTP/1.0\r\n\r\n"

func TestResponseFraming(t *testing.T) {
	chunked := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n"
	for _, tc := range []struct {
		name, request, response string
		closes                  bool // the upstream closes after its response
		want                    string
		then                    bool // the client's connection can be used again
	}{
		{"length", get, ok5, false, "HTTP/1.1 200 OK\r\nX-Up: yes\r\nContent-Length: 5\r\n\r\nhello", true},
		{"length zero", get, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true},
		{"chunked passes verbatim", get, chunked, false, chunked, true},
		{"chunked with trailer", get, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Sum: 7\r\n\r\n", false,
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Sum: 7\r\n\r\n", true},
		{"until close becomes chunked", get, "HTTP/1.1 200 OK\r\n\r\nhello", true,
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", true},
		{"until close, nothing in it", get, "HTTP/1.1 200 OK\r\n\r\n", true, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", true},
		{"HTTP/1.0 upstream", get, "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", true, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", true},
		{"chunked to a 1.0 client", get10, chunked, false, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello world", false},
		{"length to a 1.0 client", get10, ok5, false, "HTTP/1.1 200 OK\r\nX-Up: yes\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", false},
		{"1.0 client with keep-alive", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", ok5, false,
			"HTTP/1.1 200 OK\r\nX-Up: yes\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello", true},
		{"until close to a 1.0 client", get10, "HTTP/1.0 200 OK\r\n\r\nhello", true, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", false},
		{"HEAD keeps the length", "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n", false,
			"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n", true},
		{"204", get, "HTTP/1.1 204 No Content\r\n\r\n", false, "HTTP/1.1 204 No Content\r\n\r\n", true},
		{"304 keeps the length", get, "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 99\r\n\r\n", false,
			"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 99\r\n\r\n", true},
		{"client asks to close", "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", ok5, false,
			"HTTP/1.1 200 OK\r\nX-Up: yes\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", false},
		{"hop-by-hop fields end here", get, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nX-End: 2\r\n\r\n", false,
			"HTTP/1.1 200 OK\r\nX-End: 2\r\nContent-Length: 0\r\n\r\n", true},
		{"interim is passed on", get, "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" + ok5, false,
			"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nX-Up: yes\r\nContent-Length: 5\r\n\r\nhello", true},
		{"interim is not for 1.0", get10, "HTTP/1.1 103 Early Hints\r\n\r\n" + ok5, false,
			"HTTP/1.1 200 OK\r\nX-Up: yes\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", false},
		{"a body longer than announced is cut", get, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n", false,
			"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBackend(t, func(p *scripted) {
				for {
					if _, ok := p.request(); !ok {
						return
					}
					p.reply(tc.response)
					if tc.closes {
						return
					}
				}
			})
			r := newRig(t, rigOptions{addrs: []string{b.addr()}})
			c := r.dial().send(tc.request)
			if got := c.body(len(tc.want)); got != tc.want {
				t.Fatalf("got  %q\nwant %q", got, tc.want)
			}
			if !tc.then {
				if rest := c.rest(); rest != "" {
					t.Errorf("more came: %q", rest)
				}
				return
			}
			c.send(tc.request)
			if got := c.body(len(tc.want)); got != tc.want {
				t.Errorf("second: %q", got)
			}
		})
	}
}

func TestBrokenResponses(t *testing.T) {
	for _, tc := range []struct {
		name, response string
		status         string // of the answer
		kind           string
	}{
		{"nothing", "", "502", "ConnectionClosed"},
		{"half a head", "HTTP/1.1 200 OK\r\nContent-Le", "502", "ConnectionClosed"},
		{"broken chunk with the head", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX", "502", "InvalidBody"},
		{"no HTTP", "SSH-2.0-OpenSSH_9\r\n", "502", "InvalidHTTPHeader"},
		{"bare line feed", "HTTP/1.1 200 OK\nContent-Length: 0\n\n", "502", "InvalidHTTPHeader"},
		{"length twice", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "502", "InvalidHTTPHeader"},
		{"length and chunked", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "502", "InvalidHTTPHeader"},
		{"folded", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n", "502", "InvalidHTTPHeader"},
		{"other coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "502", "InvalidHTTPHeader"},
		{"switches unasked", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", "502", "InvalidHTTPHeader"},
		{"endless interim", strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 40), "502", "InvalidHTTPHeader"},
		{"too large a head", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("a", 40<<10) + "\r\n\r\n", "502", "InvalidHTTPHeader"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBackend(t, func(p *scripted) {
				if _, ok := p.request(); ok {
					p.reply(tc.response)
				}
			})
			r := newRig(t, rigOptions{addrs: []string{b.addr()}})
			c := r.dial().send(get)
			for { // interim responses may come first
				head := c.head()
				if strings.HasPrefix(head, "HTTP/1.1 1") {
					continue
				}
				if !strings.HasPrefix(head, "HTTP/1.1 "+tc.status) || !strings.Contains(head, "X-Pingap-EType: "+tc.kind+"\r\n") {
					t.Errorf("head %q", head)
				}
				break
			}
			if line := r.log.wait(t, 0); line.kind != tc.kind || fmt.Sprint(line.status) != tc.status {
				t.Errorf("log %+v", line)
			}
		})
	}
}

func TestResponseCutShortClosesTheClient(t *testing.T) {
	for name, response := range map[string]string{
		"length":        "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
		"chunked":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
		"length, large": "HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n" + strings.Repeat("x", 300000),
	} {
		t.Run(name, func(t *testing.T) {
			b := newBackend(t, func(p *scripted) {
				if _, ok := p.request(); ok {
					p.reply(response)
				}
			})
			r := newRig(t, rigOptions{addrs: []string{b.addr()}})
			c := r.dial().send(get)
			c.head()
			if got := c.rest(); !strings.Contains(response, strings.TrimSuffix(got, "5\r\nhello")) {
				t.Errorf("got %.60q", got)
			}
			if line := r.log.wait(t, 0); line.status != 200 || line.kind == "" {
				t.Errorf("log %+v", line)
			}
		})
	}
}

func TestLargeBodiesArriveWhole(t *testing.T) {
	body := strings.Repeat("0123456789abcdef", 200_000) // 3.2 MB
	for name, head := range map[string]string{
		"length":      fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(body)),
		"until close": "HTTP/1.0 200 OK\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			b := newBackend(t, func(p *scripted) {
				for {
					if _, ok := p.request(); !ok {
						return
					}
					p.reply(head + body)
					if name == "until close" {
						return
					}
				}
			})
			r := newRig(t, rigOptions{addrs: []string{b.addr()}})
			for i := 0; i < 3; i++ {
				c := r.dial().send("GET / HTTP/1.0\r\n\r\n")
				c.head()
				if got := c.rest(); got != body {
					t.Fatalf("%d bytes arrived, want %d", len(got), len(body))
				}
			}
			if line := r.log.wait(t, 2); line.sent != int64(len(body)) {
				t.Errorf("log %+v", line)
			}
		})
	}
}

func TestBodyInPieces(t *testing.T) {
	step := make(chan string)
	b := newBackend(t, func(p *scripted) {
		p.request()
		for s := range step {
			p.reply(s)
		}
		p.request() // until the proxy closes
	})
	r := newRig(t, rigOptions{addrs: []string{b.addr()}})
	c := r.dial().send(get)
	exchange := func(send, want string) {
		t.Helper()
		step <- send
		if got := c.body(len(want)); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	exchange("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
	exchange("3\r\none\r\n", "3\r\none\r\n") // each event arrives when it is sent
	exchange("3\r\nt", "3\r\nt")
	exchange("wo\r\n0\r\n", "wo\r\n0\r\n")
	exchange("\r\n", "\r\n")
	close(step)
	if line := r.log.wait(t, 0); line.status != 200 || line.kind != "" {
		t.Errorf("log %+v", line)
	}
}

func TestStalePooledConnectionIsRetriedOnAFreshOne(t *testing.T) {
	for _, tc := range []struct {
		name, request string
		status        int
	}{
		{"GET", get, 200},
		{"POST, nothing lost", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi", 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			closed := make(chan struct{})
			b := newBackend(t, func(p *scripted) {
				for {
					head, ok := p.request()
					if !ok {
						return
					}
					if strings.HasPrefix(head, "POST") {
						_, _ = io.CopyN(io.Discard, p.r, 2)
					}
					p.reply(ok5)
					if p.n == 1 { // a keep-alive that ends without a word
						p.Conn.Close()
						close(closed)
						return
					}
				}
			})
			r := newRig(t, rigOptions{addrs: []string{b.addr()}})
			c := r.dial().send(get)
			c.head()
			c.body(5)
			<-closed
			c.send(tc.request)
			if head := c.head(); !strings.HasPrefix(head, fmt.Sprintf("HTTP/1.1 %d", tc.status)) {
				t.Errorf("head %q", head)
			}
			if n := strings.Count(b.received(), "POST"); n > 1 {
				t.Errorf("POST was sent %d times", n)
			}
		})
	}
}

func TestResetOfAFreshConnectionIsNotRetried(t *testing.T) {
	b := newBackend(t, func(p *scripted) {
		p.request()
		_ = p.Conn.(*net.TCPConn).SetLinger(0) // close by RST
	})
	r := newRig(t, rigOptions{addrs: []string{b.addr()}})
	c := r.dial().send(get)
	if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 502") {
		t.Errorf("head %q", head)
	}
	if n := b.open.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

func TestUpstreamTimeoutIs504(t *testing.T) {
	b := newBackend(t, func(p *scripted) { p.request(); p.request() })
	r := newRig(t, rigOptions{addrs: []string{b.addr()},
		upstream: func(u *config.Upstream) { u.ReadTimeout = config.Duration(300 * time.Millisecond) }})
	c := r.dial().send(get)
	if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 504") || !strings.Contains(head, "ReadTimedout") {
		t.Errorf("head %q", head)
	}
}

func TestUpstreamThatHalfClosesAPooledConnection(t *testing.T) {
	// The FIN of an idle connection raised its edge long before the next request is written on it, and
	// such a peer sends no RST: only looking finds out.
	shut := make(chan struct{})
	b := newBackend(t, func(p *scripted) {
		p.request()
		p.reply(ok5)
		if p.n == 1 {
			_ = p.Conn.(*net.TCPConn).CloseWrite()
			close(shut)
			p.request()
			p.request()
			return
		}
		answer(ok5)(p)
	})
	r := newRig(t, rigOptions{addrs: []string{b.addr()}})
	c := r.dial().send(get)
	c.head()
	c.body(5)
	<-shut
	c.send(get)
	if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 200") {
		t.Errorf("head %q", head)
	}
}
