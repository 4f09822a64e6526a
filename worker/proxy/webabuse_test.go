package proxy

import (
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pingap/worker/http2/frame"
	"pingap/worker/http2/server"
)

// gatherer is a backend of HTTP/2 that keeps what comes as data, and answers nothing.
type gatherer struct {
	data, ends, resets atomic.Int64
}

func (g *gatherer) note(h frame.Header, _ string) []byte {
	switch h.Type {
	case frame.Data:
		g.data.Add(int64(h.Length))
	case frame.RSTStream:
		g.resets.Add(1)
	}
	if (h.Type == frame.Data || h.Type == frame.Headers) && h.Flags.Has(frame.FlagEndStream) {
		g.ends.Add(1)
	}
	return nil
}

// A body of gRPC-web in text form that is no base64, or ends inside a group, is the client's fault. The backend never takes what came of it
// for a whole one.
func TestTextBodiesThatAreNone(t *testing.T) {
	g := new(gatherer)
	b := newBackend(t, framedLoop(g.note))
	r, taken := abused(t, rigOptions{addrs: []string{b.addr()}, upstream: reaches("h2c"), server: func(s *Server) {
		speaks(t, "h2c")(s)
		s.GRPCWeb, s.ReadTimeout = true, 300*time.Millisecond
	}, bind: func(l *Location) { l.GRPCWeb = true }}, server.Options{})
	before := runtime.NumGoroutine()
	const kind = "content-type=application/grpc-web-text"
	a := r.attack()
	for i, tc := range []struct {
		name   string
		status int
		parts  []part
	}{
		{"ends inside a group", 400, []part{{data: "AAAAAAA"}, {data: "A"}, {data: "AAA", end: true}}},
		{"one digit", 400, []part{{data: "A", end: true}}},
		{"no base64", 400, []part{{data: "AAAA"}, {data: "A A A"}}},
		{"blanks alone", 400, []part{{data: strings.Repeat("\n", 10_000)}}},
		{"padding in front", 400, []part{{data: "="}}},
		{"bits behind the padding", 400, []part{{data: "AAAA"}, {data: "AB==", end: true}}},
		{"does not go on", 408, []part{{data: "AAAAA"}}},
	} {
		seen := g.ends.Load()
		a.write(a.frames(false, posted(kind), tc.parts...))
		if got := a.outcome(); !strings.HasPrefix(got, "200 ") { // a call: the error is in its fields
			t.Errorf("%s: %q", tc.name, got)
		}
		if line := r.log.wait(t, i); line.kind != map[int]string{400: "HTTPStatus", 408: "ReadTimedout"}[tc.status] {
			t.Errorf("%s: logged %+v", tc.name, line)
		}
		if g.ends.Load() != seen {
			t.Errorf("%s: the backend saw the end of a body", tc.name)
		}
	}
	a.Close()
	r.until("left", func(s Stats) bool { return s.Connections == 0 && s.InFlight == 0 })
	if n := taken.n.Load(); n != 0 || r.up.Backends()[0].InFlight() != 0 {
		t.Errorf("%d slots are taken, %d in flight", n, r.up.Backends()[0].InFlight())
	}
	if n := runtime.NumGoroutine(); n > before+20 {
		t.Errorf("%d goroutines, before %d", n, before)
	}
}
