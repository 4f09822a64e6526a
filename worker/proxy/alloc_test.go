//go:build !race

// Under the race detector sync.Pool drops at random what it is given: nothing here could hold.

package proxy

import (
	"net"
	"testing"
	"time"

	"pingap/message"
)

const plainRequest = "GET /api/items?page=2 HTTP/1.1\r\nHost: example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9\r\nAccept-Language: en-US,en;q=0.5\r\n" +
	"Accept-Encoding: gzip, deflate, br\r\nCookie: session=0123456789abcdef\r\nReferer: http://example.com/start\r\nConnection: keep-alive\r\n\r\n"

// plainBackend answers every read with one response, without allocating.
func plainBackend(t testing.TB) *backend {
	response := []byte("HTTP/1.1 200 OK\r\nServer: test\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\nContent-Type: text/plain\r\n" +
		"Content-Length: 200\r\nConnection: keep-alive\r\n\r\n" + string(make([]byte, 200)))
	return newBackend(t, func(p *scripted) {
		buf := make([]byte, 4096)
		for {
			if _, err := p.Conn.Read(buf); err != nil {
				return
			}
			if _, err := p.Conn.Write(response); err != nil {
				return
			}
		}
	})
}

// pinger sends one request after another on one connection, without allocating.
type pinger struct {
	net.Conn
	request, buf []byte
	size         int // of a response
}

func (r *rig) pinger(t testing.TB) *pinger {
	c, err := net.Dial("tcp", r.front.Addr().String())
	must(t, err)
	t.Cleanup(func() { c.Close() })
	must(t, c.SetDeadline(time.Now().Add(10*patience)))
	p := &pinger{Conn: c, request: []byte(plainRequest), buf: make([]byte, 4096)}
	_, err = c.Write(p.request)
	must(t, err)
	p.size, err = c.Read(p.buf)
	must(t, err)
	return p
}

func (p *pinger) ping(t testing.TB) {
	if _, err := p.Write(p.request); err != nil {
		t.Fatal(err)
	}
	for got := 0; got < p.size; {
		n, err := p.Read(p.buf)
		if err != nil {
			t.Fatal(err)
		}
		got += n
	}
}

// countingLog is a log that costs nothing.
type countingLog struct{ n int }

func (l *countingLog) Log(*message.Record) { l.n++ }

func TestProxiedRequestAllocatesNothing(t *testing.T) {
	b := plainBackend(t)
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, server: func(s *Server) { s.Log = &countingLog{} }})
	p := r.pinger(t)
	if n := testing.AllocsPerRun(2000, func() { p.ping(t) }); n != 0 {
		t.Errorf("%v allocations per request, want 0", n)
	}
}

func BenchmarkProxied(b *testing.B) {
	back := plainBackend(b)
	r := newRig(b, rigOptions{addrs: []string{back.addr()}, server: func(s *Server) { s.Log = &countingLog{} }})
	p := r.pinger(b)
	b.ReportAllocs()
	for b.Loop() {
		p.ping(b)
	}
}
