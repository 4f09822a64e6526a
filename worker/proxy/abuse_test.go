package proxy

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pingap/worker/http2/frame"
	"pingap/worker/http2/server"
)

// slots counts as the arena does.
type slots struct{ n atomic.Int64 }

func (s *slots) Acquire(max int64) bool {
	if s.n.Add(1) > max {
		s.n.Add(-1)
		return false
	}
	return true
}

func (s *slots) Release() { s.n.Add(-1) }

// abused is a rig whose location has slots, which are free again at the end; h2 are the limits of its engine.
func abused(t *testing.T, o rigOptions, h2 server.Options) (*rig, *slots) {
	t.Helper()
	change := o.server
	o.server = func(s *Server) {
		if change == nil {
			speaks(t, "h2c")(s)
		} else {
			change(s)
		}
		if s.HTTP2 != nil {
			s.HTTP2 = server.NewEngine(h2)
		}
	}
	taken := new(slots)
	bind := o.bind
	o.bind = func(l *Location) {
		if l.Slots, l.MaxProcessing = taken, 1<<20; bind != nil {
			bind(l)
		}
	}
	return newRig(t, o), taken
}

// calm waits until nothing of an attack is left: no request, no slot, no connection to the backends in use, and no more goroutines than
// before it, give or take a few that serve others.
func (r *rig) calm(taken *slots, routines int) {
	r.t.Helper()
	r.until("calm", func(s Stats) bool {
		return s.InFlight == 0 && s.Tunnels == 0 && s.Connections == 0 && taken.n.Load() == 0 &&
			r.up.OpenConnections() == int64(r.up.IdleConnections()) && r.up.Backends()[0].InFlight() == 0
	})
	for end := time.Now().Add(patience); runtime.NumGoroutine() > routines+20; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("%d goroutines, before the attack there were %d", runtime.NumGoroutine(), routines)
		}
	}
	if r.p.Stats().Panics != 0 {
		r.t.Errorf("%d panics", r.p.Stats().Panics)
	}
}

// goaway reads to the end of the connection, and returns the reason that GOAWAY gives.
func (f *framed) goaway() string {
	for {
		h, payload, ok := f.next()
		if !ok {
			return "no GOAWAY"
		}
		if h.Type == frame.GoAway && h.Length >= 8 {
			_, code, _ := frame.ParseGoAway(payload)
			return code.String()
		}
	}
}

// untilFull writes the same frames again and again until the proxy closes the connection, which it has to before so many rounds.
func (f *framed) untilFull(rounds int, frames func(n int) []byte) {
	for n := range rounds {
		if _, err := f.Conn.Write(frames(n)); err != nil {
			return
		}
	}
}

// silent is a backend that takes requests and answers nothing, until it is let go.
func silent(t *testing.T) (*backend, *atomic.Int64) {
	requests := new(atomic.Int64)
	b := newBackend(t, func(p *scripted) {
		for {
			if _, ok := p.request(); !ok {
				return
			}
			requests.Add(1)
		}
	})
	return b, requests
}

// Waves of requests that are reset once the upstream has them: what is still being given up counts against the client.
func TestRapidResetWhileTheUpstreamIsSlow(t *testing.T) {
	const wave = 100
	b, requests := silent(t)
	r, taken := abused(t, rigOptions{addrs: []string{b.addr()}}, server.Options{ResetsPerSecond: 1})
	before := runtime.NumGoroutine()
	a := r.attack()
	ended := make(chan string, 1)
	go func() { ended <- a.goaway() }() // ends with the connection
	over := ""
	for over == "" {
		var open, cancel []byte
		for range wave {
			open = append(open, a.frames(true, plain())...)
			cancel = frame.AppendRSTStream(cancel, a.last-1, frame.Cancel)
		}
		_, _ = a.Conn.Write(open)                // fails when it is over
		for i := 0; over == "" && i < 100; i++ { // the upstream gets those that are not refused
			select {
			case over = <-ended:
			case <-time.After(time.Millisecond):
			}
			if open, routines := r.up.OpenConnections(), runtime.NumGoroutine(); open > 160 || routines > before+4*160 {
				t.Fatalf("%d connections to the upstream at once, %d goroutines, before %d", open, routines, before)
			}
		}
		_, _ = a.Conn.Write(cancel)
	}
	if over != "ENHANCE_YOUR_CALM" {
		t.Errorf("ended with %s", over)
	}
	a.Close()
	r.calm(taken, before)
	n := requests.Load()
	if n < wave || n > 200+20+160 { // resets at once, those forgiven meanwhile, and what is still open
		t.Errorf("the upstream saw %d requests", n)
	}
	for i := range int(n) {
		if line := r.log.wait(t, i); line.status != 499 {
			t.Fatalf("logged %+v", line)
		}
	}
}

// Most of such requests never get as far as a goroutine of their own.
func TestRequestsThatAreResetAtOnce(t *testing.T) {
	b, _ := silent(t)
	r, taken := abused(t, rigOptions{addrs: []string{b.addr()}}, server.Options{})
	before := runtime.NumGoroutine()
	a := r.attack()
	go a.untilFull(5000, func(int) []byte { // ends with the connection
		out := a.frames(true, plain())
		return frame.AppendRSTStream(out, a.last-1, frame.Cancel)
	})
	if got := a.goaway(); got != "ENHANCE_YOUR_CALM" {
		t.Errorf("ended with %s", got)
	}
	a.Close()
	r.calm(taken, before)
	if n := b.open.Load(); n > 201 {
		t.Errorf("%d connections to the upstream", n)
	}
}

func TestStreamsThatNobodyReads(t *testing.T) {
	const streams, size = 100, 1 << 20
	large := bytes.Repeat([]byte("x"), size)
	b := newBackend(t, func(p *scripted) {
		for {
			if _, ok := p.request(); !ok {
				return
			}
			fmt.Fprintf(p.Conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size)
			if _, err := p.Conn.Write(large); err != nil {
				return
			}
		}
	})
	r, taken := abused(t, rigOptions{addrs: []string{b.addr()}}, server.Options{SendTimeout: 300 * time.Millisecond})
	before, used := runtime.NumGoroutine(), heapInUse()
	for _, shut := range []struct {
		name string
		open uint32 // the window of each stream
	}{{"streams", 0}, {"connection", 1 << 20}} {
		t.Run(shut.name, func(t *testing.T) {
			a := r.attack()
			a.write(frame.AppendSettings(nil, frame.Setting{ID: frame.InitialWindowSize, Value: shut.open}))
			var out []byte
			for range streams {
				out = append(out, a.frames(true, plain())...)
			}
			a.write(out)
			r.until("busy", func(s Stats) bool { return s.InFlight == streams })
			time.Sleep(100 * time.Millisecond)                        // the answers come in as far as they do
			if grown := heapInUse() - used; grown > streams*300<<10 { // two buffers each, and the engine's queue
				t.Errorf("%d MiB of memory for %d streams", grown>>20, streams)
			}
			resets := 0
			for {
				h, payload, ok := a.next()
				if !ok {
					t.Fatal("the connection ended without a word")
				}
				if h.Type == frame.RSTStream {
					resets++
				}
				if h.Type == frame.GoAway {
					if _, code, _ := frame.ParseGoAway(payload); shut.open == 0 || code != frame.EnhanceYourCalm {
						t.Errorf("GOAWAY %v", code)
					}
					break
				}
				if resets == streams {
					break
				}
			}
			a.Close()
			r.calm(taken, before)
		})
	}
	for i := range 2 * streams {
		if line := r.log.wait(t, i); line.status != 200 || line.sent >= size {
			t.Fatalf("logged %+v", line)
		}
	}
}

// heapInUse is the memory in use, in bytes.
func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Floods of frames that mean nothing end the connection, also while its streams are served, and what these hold is given back.
func TestFloodsWhileStreamsAreServed(t *testing.T) {
	for name, frames := range map[string][]byte{
		"PING":          frame.AppendPing(nil, false, [8]byte{}),
		"SETTINGS":      frame.AppendSettings(nil, frame.Setting{ID: frame.InitialWindowSize, Value: 70_000}),
		"WINDOW_UPDATE": frame.AppendWindowUpdate(nil, 0, 1),
		"empty DATA":    frame.AppendHeader(nil, frame.Header{Type: frame.Data, Stream: 1}),
	} {
		t.Run(name, func(t *testing.T) {
			b, requests := silent(t)
			r, taken := abused(t, rigOptions{addrs: []string{b.addr()}}, server.Options{})
			before := runtime.NumGoroutine()
			a := r.attack()
			for range 10 {
				a.write(a.frames(false, posted()))
			}
			for end := time.Now().Add(patience); requests.Load() < 10; time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("the requests do not arrive")
				}
			}
			many := bytes.Repeat(frames, 100)
			go a.untilFull(10_000, func(int) []byte { return many }) // ends with the connection
			if got := a.goaway(); got != "ENHANCE_YOUR_CALM" {
				t.Errorf("ended with %s", got)
			}
			a.Close()
			r.calm(taken, before)
			for i := range 10 {
				if line := r.log.wait(t, i); line.status != 499 {
					t.Errorf("logged %+v", line)
				}
			}
		})
	}
}

// Heads that come too slowly end with the time of an idle connection, whatever else the client says meanwhile.
func TestHeadsOfHTTP2ThatNeverEnd(t *testing.T) {
	b, _ := silent(t)
	opts := rigOptions{addrs: []string{b.addr()}, server: func(s *Server) { speaks(t, "h2c")(s); s.KeepAliveTimeout = 300 * time.Millisecond }}
	r, taken := abused(t, opts, server.Options{})
	before := runtime.NumGoroutine()
	half := frame.AppendHeader(nil, frame.Header{Length: 1000, Type: frame.Headers, Stream: 1})
	open := frame.AppendHeader(nil, frame.Header{Type: frame.Headers, Stream: 1})
	nothing := string(frame.AppendHeader(nil, frame.Header{Length: 1000, Type: frame.Continuation, Stream: 1})) + strings.Repeat("\x00", 1000)
	var ended sync.WaitGroup
	for _, start := range [][]byte{nil, half, open, frame.AppendPing(nil, false, [8]byte{})} {
		c := r.dialFrames()
		c.write(start)
		if len(start) > 0 {
			ended.Go(func() { trickle(c.Conn, nothing[:len(nothing)-1]) })
		}
		ended.Go(func() { _, _ = io.Copy(io.Discard, c.r) })
	}
	ended.Wait() // the proxy ends them
	r.calm(taken, before)
}

// A body that stops coming ends its stream alone.
func TestABodyOfHTTP2ThatStopsComing(t *testing.T) {
	b, _ := silent(t)
	r, taken := abused(t, rigOptions{addrs: []string{b.addr()}, server: func(s *Server) { speaks(t, "h2c")(s); s.ReadTimeout = 300 * time.Millisecond }}, server.Options{})
	before := runtime.NumGoroutine()
	a := r.attack()
	for i := range 3 {
		a.write(a.frames(false, posted(), part{data: "x"}))
		if got := a.outcome(); !strings.HasPrefix(got, "408 ") {
			t.Errorf("%q", got)
		}
		if line := r.log.wait(t, i); line.status != 408 || line.kind != "ReadTimedout" || line.received != 1 {
			t.Errorf("logged %+v", line)
		}
	}
	a.Close()
	r.calm(taken, before)
}

func TestHeadsThatAreTooLarge(t *testing.T) {
	b := newBackend(t, echo)
	r, taken := abused(t, rigOptions{addrs: []string{b.addr()}}, server.Options{})
	before := runtime.NumGoroutine()
	a := r.attack()
	for name, fields := range map[string][]string{
		"one long field": plain("x=" + strings.Repeat("a", 70_000)),
		"many fields":    plain(strings.Split(strings.TrimSuffix(strings.Repeat("x=y\n", 130), "\n"), "\n")...),
		"many cookies":   plain(strings.Split(strings.TrimSuffix(strings.Repeat("cookie=y\n", 2000), "\n"), "\n")...),
	} {
		if got := a.ask(true, fields); !strings.HasPrefix(got, "431 ") {
			t.Errorf("%s: %.100q", name, got)
		}
		if got := a.ask(true, plain()); got != "200 0:" {
			t.Errorf("the request behind %s gets %q", name, got)
		}
	}
	a.Close()
	r.calm(taken, before)
	if got := strings.ReplaceAll(b.received(), "GET / HTTP/1.1\r\nhost: h\r\n\r\n", ""); got != "" {
		t.Errorf("the upstream received %.200q", got)
	}
}

// trickle writes bytes one at a time until the connection ends.
func trickle(c net.Conn, text string) {
	for i := 0; ; i++ {
		if _, err := io.WriteString(c, text[i%len(text):][:1]); err != nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestTLSThatTrickles(t *testing.T) {
	opts := rigOptions{server: func(s *Server) {
		speaks(t, "h2 tls")(s)
		s.HandshakeTimeout, s.KeepAliveTimeout, s.HeaderTimeout = 300*time.Millisecond, 300*time.Millisecond, 300*time.Millisecond
	}}
	for name, start := range map[string]func(c net.Conn) string{
		"a handshake": func(net.Conn) string { return "\x16\x03\x01\x02\x00" + strings.Repeat("\x01", 500) },
		"a record behind a handshake": func(c net.Conn) string {
			must(t, tls.Client(c, &tls.Config{InsecureSkipVerify: true}).Handshake())
			return "\x17\x03\x03\x40\x00" + strings.Repeat("x", 1<<14)
		},
		"a record of HTTP/2": func(c net.Conn) string {
			must(t, tls.Client(c, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}).Handshake())
			return "\x17\x03\x03\x40\x00" + strings.Repeat("x", 1<<14)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, opts)
			for range 20 {
				c := r.dial()
				go trickle(c.Conn, start(c.Conn)) // ends with the connection
			}
			r.until("all closed", func(s Stats) bool { return s.Accepted == 20 && s.Connections == 0 })
			if s := r.p.Stats(); s.Requests != 0 || s.InFlight != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestHeadersOfTheProxyProtocolThatAreNone(t *testing.T) {
	for _, tc := range []struct {
		name, raw, want string
		trusted, drips  bool
	}{
		{"that trickles", "PROXY TCP4 1.2.3.4 ", "", true, true},
		{"that never ends", "PROXY TCP4 " + strings.Repeat("1", 10_000), "", true, false},
		{"of version 2 that is huge", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\xff\xff" + strings.Repeat("x", 70_000), "", true, false},
		{"of version 2 that trickles", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c", "", true, true},
		{"with a port too many", "PROXY TCP4 1.2.3.4 1.2.3.5 1 2 3\r\n" + get, "", true, false},
		{"two of them", "PROXY TCP4 1.2.3.4 1.2.3.5 1 2\r\nPROXY TCP4 1.2.3.4 1.2.3.5 1 2\r\n" + get, "400", true, false},
		{"of somebody", "PROXY TCP4 1.2.3.4 1.2.3.5 1 2\r\n" + get, "400", false, false},
		{"of version 2 of somebody", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\x01\x02\x03\x04\x01\x02\x03\x05\x00\x01\x00\x02" + get, "400", false, false},
		{"that is missing", get, "", true, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBackend(t, echo)
			r, taken := abused(t, rigOptions{addrs: []string{b.addr()}, server: func(s *Server) {
				s.HeaderTimeout = 300 * time.Millisecond
				s.ProxyProtocol = &ProxyProtocol{Required: tc.trusted, Trusts: func(netip.Addr) bool { return tc.trusted }}
			}}, server.Options{})
			before := runtime.NumGoroutine()
			c := r.dial()
			if tc.drips {
				go trickle(c.Conn, tc.raw+strings.Repeat("1", 10_000)) // ends with the connection
			} else {
				go func() { _, _ = io.WriteString(c.Conn, tc.raw) }() // likewise
			}
			reply, _ := io.ReadAll(c.r) // a reset is an end
			if !strings.HasPrefix(string(reply), "HTTP/1.1 "+tc.want) && tc.want != "" || tc.want == "" && len(reply) > 0 {
				t.Errorf("%.100q", reply)
			}
			c.Close()
			r.calm(taken, before)
			if got := b.received(); got != "" {
				t.Errorf("the upstream received %q", got)
			}
		})
	}
}
