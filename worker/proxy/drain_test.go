package proxy

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"pingap/worker/drain"
	"pingap/worker/websocket"
)

// drained waits until no connection is left, and returns how they ended.
func (r *rig) drained() drain.Counts {
	r.t.Helper()
	over := make(chan struct{})
	timer := time.AfterFunc(patience, func() { close(over) })
	defer timer.Stop()
	r.p.Drained(over)
	if n := r.p.Stats().Connections; n != 0 {
		r.t.Fatalf("%d connections are left", n)
	}
	return r.p.Ends()
}

func (r *rig) wantEnds(want drain.Counts) {
	r.t.Helper()
	if got := r.drained(); got.Finished != want.Finished || got.Connections != want.Connections || got.AfterAnswer != want.AfterAnswer ||
		got.Idle != want.Idle || got.Cut != want.Cut || !maps.Equal(got.CutWhy, want.CutWhy) {
		r.t.Errorf("ended as %+v, want %+v", got, want)
	}
}

func TestDrainCountsHowConnectionsEnd(t *testing.T) {
	hold := make(chan struct{})
	b := newBackend(t, func(p *scripted) {
		for {
			head, ok := p.request()
			if !ok {
				return
			}
			if strings.HasPrefix(head, "GET /slow") {
				<-hold
			}
			p.reply(ok5)
		}
	})
	defer close(hold)
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, park: 100 * time.Millisecond})
	left, idle, used, slow := r.dial(), r.dial(), r.dial(), r.dial()
	for _, c := range []*rawClient{left, idle, used} {
		c.send(get)
		c.expect("200", "hello")
	}
	r.until("parked", func(s Stats) bool { return s.Parked == 4 })
	slow.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
	r.until("waiting", func(s Stats) bool { return s.InFlight == 1 })
	r.p.Drain(drain.Times{IdleGrace: time.Second, Spread: 10 * time.Millisecond, Timeout: 1500 * time.Millisecond})
	left.Close()
	used.send(get)
	used.expect("200", "hello")
	if got := idle.rest(); got != "" {
		t.Errorf("got %q", got)
	}
	if head := slow.head(); !strings.HasPrefix(head, "HTTP/1.1 503 ") {
		t.Errorf("cut with %q", head)
	}
	r.wantEnds(drain.Counts{Finished: 1, Connections: 4, AfterAnswer: 1, Idle: 1, Cut: 1, CutWhy: map[string]int64{"timeout": 1}})
}

// upgrade is a backend that switches protocols and hands the connection over.
func upgrade(to string, then func(*scripted)) func(*scripted) {
	return func(p *scripted) {
		if _, ok := p.request(); ok {
			p.reply("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + to + "\r\n\r\n")
			then(p)
		}
	}
}

func (r *rig) tunnelTo(to string) *rawClient {
	r.t.Helper()
	c := r.dial().send("GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: " + to + "\r\n\r\n")
	c.head()
	return c
}

// The end of a WebSocket falls between two frames, however the frames come.
func TestWebSocketsEndWithACloseFrameBetweenFrames(t *testing.T) {
	got := make(chan []byte, 1)
	go1, go2 := make(chan struct{}), make(chan struct{})
	letGo := sync.OnceFunc(func() { close(go2) })
	defer letGo()
	b := newBackend(t, upgrade("websocket", func(p *scripted) {
		p.reply("\x81\x05hel") // the half of a frame
		close(go1)
		<-go2
		p.reply("lo\x81\x05never")
		all, _ := io.ReadAll(p.r)
		got <- all
	}))
	r := newRig(t, rigOptions{addrs: []string{b.addr()}})
	c := r.tunnelTo("WebSocket")
	c.send("\x81\x82\x01\x01\x01\x01ab") // a whole frame, masked
	<-go1
	if s := c.body(5); s != "\x81\x05hel" {
		t.Fatalf("got %q", s)
	}
	r.p.Drain(drain.Times{Timeout: time.Hour, LongTimeout: 50 * time.Millisecond})
	r.untilCut()
	letGo()
	if s := c.rest(); s != "lo\x88\x02\x03\xe9" {
		t.Errorf("the client got %q", s)
	}
	c.Close()
	sent := <-got
	var tr websocket.Tracker
	tr.Feed(sent)
	if !bytes.HasPrefix(sent, []byte("\x81\x82\x01\x01\x01\x01ab\x88\x82")) || !tr.Closed() || !tr.Boundary() {
		t.Errorf("the upstream got %q", sent)
	}
	r.wantEnds(drain.Counts{Connections: 1, Cut: 1, CutWhy: map[string]int64{"long_timeout": 1}})
}

func TestOtherTunnelsAndBrokenFramesEndWithAFIN(t *testing.T) {
	for name, c := range map[string]struct{ to, first string }{
		"other protocol":          {"echo", "hello"},
		"frame that does not end": {"websocket", "\x81\x05hel"},
		"no frames":               {"websocket", "\x83\x00xyz"},
		"has closed":              {"websocket", "\x88\x02\x03\xe8"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBackend(t, upgrade(c.to, func(p *scripted) {
				p.reply(c.first)
				_, _ = io.Copy(io.Discard, p.r)
			}))
			r := newRig(t, rigOptions{addrs: []string{b.addr()}})
			client := r.tunnelTo(c.to)
			if got := client.body(len(c.first)); got != c.first {
				t.Fatalf("got %q", got)
			}
			r.p.Drain(drain.Times{Timeout: 50 * time.Millisecond})
			if got := client.rest(); got != "" {
				t.Errorf("then got %q", got)
			}
			client.Close()
			r.wantEnds(drain.Counts{Connections: 1, Cut: 1, CutWhy: map[string]int64{"timeout": 1}})
		})
	}
}

// A location's own limit wins, and a request's time-out does not touch what is long by nature.
func TestTunnelsHaveTheirLocationsLimit(t *testing.T) {
	b := newBackend(t, upgrade("echo", func(p *scripted) { _, _ = io.Copy(p.Conn, p.r) }))
	r := newRig(t, rigOptions{addrs: []string{b.addr()}})
	r.location.DrainTimeout = time.Hour
	c := r.tunnelTo("echo")
	r.p.Drain(drain.Times{Timeout: time.Millisecond, LongTimeout: time.Millisecond})
	for end := time.Now().Add(3 * sweepEvery); time.Now().Before(end); {
		c.send("ping")
		if got := c.body(4); got != "ping" {
			t.Fatalf("got %q", got)
		}
	}
	r.p.Hurry(0)
	c.rest()
	c.Close()
	r.wantEnds(drain.Counts{Connections: 1, Cut: 1, CutWhy: map[string]int64{"faster": 1}})
}

func TestEventStreamsEndAfterAnEvent(t *testing.T) {
	for name, c := range map[string]struct {
		head        string
		first, rest string // of the body, by the upstream
		want        string // of the whole body, to the client
	}{
		"chunked, between events": {"Transfer-Encoding: chunked", "9\r\ndata: x\n\n\r\n", "", "9\r\ndata: x\n\n\r\n0\r\n\r\n"},
		"chunked, within one": {"Transfer-Encoding: chunked", "6\r\ndata: \r\n", "3\r\ny\n\n\r\n",
			"6\r\ndata: \r\n3\r\ny\n\n\r\n0\r\n\r\n"},
		"until close": {"X: y", "data: x\n\n", "", "9\r\ndata: x\n\n\r\n0\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			more := make(chan struct{})
			letGo := sync.OnceFunc(func() { close(more) })
			defer letGo()
			b := newBackend(t, func(p *scripted) {
				p.request()
				p.reply("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n" + c.head + "\r\n\r\n" + c.first)
				<-more
				p.reply(c.rest)
				_, _ = p.request() // until the proxy closes
			})
			r := newRig(t, rigOptions{addrs: []string{b.addr()}})
			client := r.dial().send(get)
			client.head()
			first := client.body(strings.Index(c.want, "\r\n") + 2)
			r.p.Drain(drain.Times{Timeout: time.Millisecond, LongTimeout: 10 * time.Millisecond})
			if c.rest != "" {
				r.untilCut()
			}
			letGo()
			if got := first + client.rest(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			r.wantEnds(drain.Counts{Connections: 1, Cut: 1, CutWhy: map[string]int64{"long_timeout": 1}})
		})
	}
}

// untilCut waits until a connection is to be cut.
func (r *rig) untilCut() {
	r.t.Helper()
	r.until("to be cut", func(Stats) bool {
		r.p.mu.Lock()
		defer r.p.mu.Unlock()
		return r.p.list.after.cutWhy.Load() != uint32(drain.NotCut)
	})
}

// An event that does not end in time, and a stream that cannot be read, are cut where they are.
func TestEventStreamsAreCutInTheEnd(t *testing.T) {
	for _, coding := range []string{"", "Content-Encoding: gzip\r\n"} {
		b := newBackend(t, func(p *scripted) {
			p.request()
			p.reply("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + coding + "Transfer-Encoding: chunked\r\n\r\n6\r\ndata: \r\n")
			_, _ = p.request()
		})
		r := newRig(t, rigOptions{addrs: []string{b.addr()}})
		c := r.dial().send(get)
		c.head()
		r.p.Drain(drain.Times{Timeout: time.Millisecond})
		if got := c.rest(); got != "6\r\ndata: \r\n" {
			t.Errorf("%q: got %q", coding, got)
		}
		r.wantEnds(drain.Counts{Connections: 1, Cut: 1, CutWhy: map[string]int64{"timeout": 1}})
	}
}

// Downloads that are long by what their head says have the longer limit; a client that does not read does not hold anything up.
func TestLongDownloadsGoOnToTheirLimit(t *testing.T) {
	for name, head := range map[string]string{"large": fmt.Sprintf("Content-Length: %d", longBody+1), "of unknown length": "X: y"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sent := make(chan struct{})
			b := newBackend(t, func(p *scripted) {
				p.request()
				p.reply("HTTP/1.1 200 OK\r\n" + head + "\r\n\r\n" + strings.Repeat("x", 300_000))
				close(sent)
				for range longBody / 1000 {
					if _, err := io.WriteString(p.Conn, strings.Repeat("x", 1000)); err != nil {
						return
					}
				}
				_, _ = p.request()
			})
			r := newRig(t, rigOptions{addrs: []string{b.addr()}})
			c := r.dial().send(get)
			c.head()
			<-sent
			r.p.Drain(drain.Times{Timeout: time.Millisecond, LongTimeout: 3 * sweepEvery})
			r.wantEnds(drain.Counts{Connections: 1, Cut: 1, CutWhy: map[string]int64{"long_timeout": 1}})
		})
	}
}

// What is served while the worker drains, and longer than the time-out, is not long only because it began.
func TestADownloadOfKnownLengthIsARequest(t *testing.T) {
	b := newBackend(t, func(p *scripted) {
		p.request()
		p.reply("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
		_, _ = p.request()
	})
	r := newRig(t, rigOptions{addrs: []string{b.addr()}})
	c := r.dial().send(get)
	c.head()
	r.p.Drain(drain.Times{Timeout: time.Millisecond, LongTimeout: time.Hour})
	if got := c.rest(); got != "hello" {
		t.Errorf("got %q", got)
	}
	r.wantEnds(drain.Counts{Connections: 1, Cut: 1, CutWhy: map[string]int64{"timeout": 1}})
}

func TestAnUploadIsFinished(t *testing.T) {
	b := newBackend(t, func(p *scripted) {
		head, _ := p.request()
		p.readBody(head)
		p.reply(ok5)
	})
	r := newRig(t, rigOptions{addrs: []string{b.addr()}})
	c := r.dial().send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nfirst")
	r.until("begun", func(s Stats) bool { return s.InFlight == 1 })
	r.p.Drain(drain.Times{Timeout: patience})
	c.send("later")
	if head := c.head(); !strings.Contains(head, "Connection: close\r\n") {
		t.Errorf("head %q", head)
	}
	if got := c.rest(); got != "hello" {
		t.Errorf("got %q", got)
	}
	r.wantEnds(drain.Counts{Finished: 1, Connections: 1, AfterAnswer: 1})
}
