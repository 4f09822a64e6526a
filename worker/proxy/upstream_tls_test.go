package proxy

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"pingap/config"
)

// overTLS makes a script one that speaks through TLS. To close p.Conn is to close with close_notify; tcp is
// the socket below.
func overTLS(t *testing.T, script func(p *scripted, tcp net.Conn)) func(*scripted) {
	cfg := &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}}
	return func(p *scripted) {
		below := p.Conn
		p.Conn = tls.Server(below, cfg)
		p.r = bufio.NewReader(io.TeeReader(p.Conn, p))
		script(p, below)
	}
}

func throughTLS(u *config.Upstream) { u.SNI = "example.test" }

func TestAStalePooledConnectionWithTLSIsRetried(t *testing.T) {
	for _, tc := range []struct {
		name  string
		close func(p *scripted, tcp net.Conn)
	}{
		{"close_notify", func(p *scripted, _ net.Conn) { _ = p.Conn.Close() }},
		{"FIN alone", func(_ *scripted, tcp net.Conn) { _ = tcp.Close() }},
		{"reset", func(_ *scripted, tcp net.Conn) {
			_ = tcp.(*net.TCPConn).SetLinger(0)
			_ = tcp.Close()
		}},
	} {
		// What was found dead before it was used is one thing, what dies under the request another.
		for _, late := range []bool{false, true} {
			t.Run(tc.name, func(t *testing.T) {
				closed := make(chan struct{})
				b := newBackend(t, overTLS(t, func(p *scripted, tcp net.Conn) {
					for requests := 1; ; requests++ {
						_, ok := p.request()
						if late && p.n == 1 && requests == 2 {
							tc.close(p, tcp)
							return
						}
						if !ok {
							return
						}
						p.reply(ok5)
						if !late && p.n == 1 {
							tc.close(p, tcp)
							close(closed)
							return
						}
					}
				}))
				r := newRig(t, rigOptions{addrs: []string{b.addr()}, upstream: throughTLS})
				c := r.dial().send(get)
				c.head()
				c.body(5)
				if !late {
					<-closed
				}
				c.send(get)
				if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 200") {
					t.Errorf("late %v: head %q", late, head)
				}
			})
		}
	}
}

func TestABodyThatTheEndDelimitsNeedsCloseNotify(t *testing.T) {
	for _, notify := range []bool{true, false} {
		b := newBackend(t, overTLS(t, func(p *scripted, tcp net.Conn) {
			if _, ok := p.request(); ok {
				p.reply("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nsome text")
			}
			if notify {
				_ = p.Conn.Close()
			}
			_ = tcp.Close()
		}))
		r := newRig(t, rigOptions{addrs: []string{b.addr()}, upstream: throughTLS})
		c := r.dial().send(get)
		head := c.head()
		var rest strings.Builder // the chunks, up to the last or the end of the connection
		for line := ""; line != "0\r\n"; {
			var err error
			if line, err = c.r.ReadString('\n'); err != nil {
				break
			}
			rest.WriteString(line)
		}
		if whole := strings.HasSuffix(rest.String(), "0\r\n"); !strings.HasPrefix(head, "HTTP/1.1 200") || whole != notify {
			t.Errorf("close_notify %v: %q with %q", notify, head, rest.String())
		}
	}
}

func TestARequestThatABackendHasInPartIsNotSentTwice(t *testing.T) {
	b := newBackend(t, overTLS(t, func(p *scripted, tcp net.Conn) {
		if _, ok := p.request(); !ok {
			return
		}
		p.reply(ok5)
		if p.n > 1 {
			return
		}
		_, _ = p.r.ReadByte() // of the second request; then it is gone
		_ = tcp.(*net.TCPConn).SetLinger(0)
		_ = tcp.Close()
	}))
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, upstream: throughTLS})
	c := r.dial().send(get)
	c.head()
	c.body(5)
	c.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi")
	if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 502") {
		t.Errorf("head %q", head)
	}
	if n := b.open.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

func TestFailuresOfTLSWithABackendHaveTheirNames(t *testing.T) {
	plain := newBackend(t, func(p *scripted) { p.reply("HTTP/1.1 400 Bad Request\r\n\r\n") })
	silent := newBackend(t, func(p *scripted) { _, _ = io.Copy(io.Discard, p.Conn) })
	good := newBackend(t, overTLS(t, func(p *scripted, _ net.Conn) { _, _ = p.request() }))
	for _, c := range []struct {
		name, addr, status, kind string
		limit                    time.Duration
		verify                   bool
	}{
		{"no TLS", plain.addr(), "502", "TLSHandshakeFailure", patience, false},
		{"stalls", silent.addr(), "504", "TLSHandshakeTimedout", 300 * time.Millisecond, false},
		{"unknown CA", good.addr(), "502", "InvalidCert", patience, true},
	} {
		r := newRig(t, rigOptions{addrs: []string{c.addr}, upstream: func(u *config.Upstream) {
			throughTLS(u)
			u.VerifyCert, u.TotalConnectionTimeout = c.verify, config.Duration(c.limit)
		}})
		if head := r.dial().send(get).head(); !strings.HasPrefix(head, "HTTP/1.1 "+c.status) || !strings.Contains(head, c.kind) {
			t.Errorf("%s: %q", c.name, head)
		}
	}
}
