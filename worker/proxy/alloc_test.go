//go:build !race

// Under the race detector sync.Pool drops at random what it is given: nothing here could hold.

package proxy

import (
	"bytes"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	totals "pingap/arena/tally"
	"pingap/message"
	"pingap/plugins"
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
	first        int // what has been read of the first
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
	p.first = p.size
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

// read reads the rest of a response whose body has a size.
func (p *pinger) read(t testing.TB, size int) {
	p.size = bytes.Index(p.buf, []byte("\r\n\r\n")) + 4 + size
	p.buf = make([]byte, p.size+1)
	must(t, p.SetReadDeadline(time.Now().Add(time.Second)))
	for p.first < p.size {
		n, err := p.Read(p.buf)
		must(t, err)
		p.first += n
	}
	must(t, p.SetDeadline(time.Now().Add(10*patience)))
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

func TestCountingAddsNoAllocations(t *testing.T) {
	b := plainBackend(t)
	c := newCounts(t)
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, server: func(s *Server) {
		s.Log = &countingLog{}
		c.measure(s)
	}})
	p := r.pinger(t)
	if n := testing.AllocsPerRun(2000, func() { p.ping(t) }); n != 0 {
		t.Errorf("%v allocations per request, want 0", n)
	}
	if got := c.sum(totals.LocationBlock, "l", totals.Requests); got < 2000 {
		t.Errorf("%d requests were counted", got)
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

// lasting is a filter and an end of an exchange that is used again.
type lasting struct{ n int }

func (l *lasting) Filter(dst, piece []byte, _ bool) ([]byte, error) {
	return append(dst, piece...), nil
}
func (l *lasting) End(bool) { l.n++ }

// TestPluginsAddNoAllocations has the proxy's side of plugins add nothing.
func TestPluginsAddNoAllocations(t *testing.T) {
	stored := plugins.Text(200, "stored")
	stored.Content = true
	pass := func(*plugins.Exchange) plugins.Decision { return plugins.Continue }
	last := &lasting{}
	for name, chain := range map[string]*plugins.Chain{
		"passing": plugins.NewChain([]*plugins.Instance{
			{Step: plugins.Request, Decider: decides(pass)}, {Step: plugins.EarlyRequest, Decider: decides(pass)},
			{UpstreamResponder: responds(func(*plugins.Exchange) {}), Responder: responds(func(*plugins.Exchange) {})},
			{BodyFilterer: filters(func(*plugins.Exchange) plugins.Filter { return nil })}, {Storer: &storer{}},
		}),
		"an end":   plugins.NewChain([]*plugins.Instance{{Step: plugins.Request, Decider: decides(func(e *plugins.Exchange) plugins.Decision { e.AtEnd(last); return plugins.Continue })}}),
		"filtered": plugins.NewChain([]*plugins.Instance{{BodyFilterer: filters(func(*plugins.Exchange) plugins.Filter { return last })}}),
		"stored":   plugins.NewChain([]*plugins.Instance{{Storer: &storer{store: func(*plugins.Exchange) (plugins.Filter, *plugins.Answer) { return last, nil }}}}),
		"answered": plugins.NewChain([]*plugins.Instance{{Step: plugins.Request, Decider: decides(func(*plugins.Exchange) plugins.Decision { return plugins.Respond(stored, "test") })},
			{Responder: responds(func(*plugins.Exchange) {}), BodyFilterer: filters(func(*plugins.Exchange) plugins.Filter { return nil })}}),
	} {
		t.Run(name, func(t *testing.T) {
			b := plainBackend(t)
			r := newRig(t, rigOptions{addrs: []string{b.addr()}, plugins: chain, server: func(s *Server) { s.Log = &countingLog{} }})
			p := r.pinger(t)
			if n := testing.AllocsPerRun(2000, func() { p.ping(t) }); n != 0 {
				t.Errorf("%v allocations per request, want 0", n)
			}
		})
	}
}

// BenchmarkAnswered is the cost of answers of different forms, the client's included.
func BenchmarkAnswered(b *testing.B) {
	for _, size := range []int{1 << 10, 4 << 10, 16 << 10, 64 << 10} {
		name := b.TempDir() + "/file"
		must(b, os.WriteFile(name, make([]byte, size), 0o600))
		for kind, make := range map[string]func() *plugins.Answer{
			"memory": func() *plugins.Answer { return &plugins.Answer{Status: 200, Body: make([]byte, size)} },
			"file": func() *plugins.Answer {
				f, err := os.Open(name)
				must(b, err)
				return &plugins.Answer{Status: 200, File: &plugins.FilePart{File: f, Length: int64(size)}}
			},
		} {
			b.Run(kind+" "+strconv.Itoa(size), func(b *testing.B) {
				r := newRig(b, rigOptions{plugins: answering(false, func(*plugins.Exchange) *plugins.Answer { return make() }),
					server: func(s *Server) { s.Log = &countingLog{} }})
				p := r.pinger(b)
				p.read(b, size)
				b.ReportAllocs()
				for b.Loop() {
					p.ping(b)
				}
			})
		}
	}
}

func TestWatchingAddsNoAllocations(t *testing.T) {
	b := plainBackend(t)
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, server: func(s *Server) { s.Log = nil }})
	r.p.SetTap(&watcher{})
	p := r.pinger(t)
	if n := testing.AllocsPerRun(2000, func() { p.ping(t) }); n != 0 {
		t.Errorf("%v allocations per request, want 0", n)
	}
}
