package proxy

import (
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"pingap/worker/http2/frame"
)

// FuzzWhatHTTP2ClientsSay is FuzzWhatReachesTheUpstream for clients of HTTP/2 with prior knowledge: raw is what follows the preface and
// the first SETTINGS.
func FuzzWhatHTTP2ClientsSay(f *testing.F) {
	for _, row := range invalid() {
		a := new(attacker)
		f.Add(append(a.frames(row.end, row.fields, row.parts...), a.frames(true, plain())...))
	}
	a := new(attacker)
	f.Add(a.frames(false, posted("content-length=5"), part{data: "hel"}, part{data: "lo", end: true}))
	f.Add(a.frames(false, posted(), part{data: "hello"}, part{trailers: []string{"x=y"}, end: true}))
	f.Add(append(a.frames(false, connect("sec-websocket-version=13")), a.more(part{data: "\x81\x00"})...))
	f.Add(frame.AppendRSTStream(a.frames(false, posted()), a.last-1, frame.Cancel))
	f.Add(frame.AppendSettings(a.frames(true, plain()), frame.Setting{ID: frame.InitialWindowSize}, frame.Setting{ID: frame.HeaderTableSize}))
	f.Add(frame.AppendGoAway(frame.AppendWindowUpdate(frame.AppendPing(nil, false, [8]byte{}), 0, 1<<30), 0, frame.NoError, "x"))
	f.Add(frame.AppendPriorityUpdate(a.frames(true, plain("priority=u=0, i")), 1, "u=7"))
	var broken atomic.Pointer[string]
	b := newBackend(f, func(p *scripted) {
		for {
			req, err := http.ReadRequest(p.r)
			if err == nil {
				_, err = io.Copy(io.Discard, req.Body)
			}
			if err != nil {
				if text := err.Error(); !expected(text) {
					broken.Store(&text)
				}
				return
			}
			p.reply(ok5)
		}
	})
	taken := new(slots)
	r := newRig(f, rigOptions{addrs: []string{b.addr()}, server: speaks(f, "h2c"), quiet: true,
		bind: func(l *Location) { l.Slots, l.MaxProcessing = taken, 1<<20 }})
	start := frame.AppendSettingsAck(frame.AppendSettings([]byte(frame.Preface)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		b.mu.Lock()
		b.got.Reset()
		b.mu.Unlock()
		c, err := net.Dial("tcp", r.front.Addr().String())
		must(t, err)
		defer c.Close()
		must(t, c.SetDeadline(time.Now().Add(patience)))
		_, _ = c.Write(append(start[:len(start):len(start)], raw...))
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, c)
		r.t = t
		r.until("at rest", func(s Stats) bool {
			return s.Connections == 0 && s.InFlight == 0 && s.Tunnels == 0 && r.server.Processing.Load() == 0 &&
				taken.n.Load() == 0 && r.up.Backends()[0].InFlight() == 0
		})
		if n := r.p.Stats().Panics; n != 0 {
			t.Fatalf("%d panics", n)
		}
		if text := broken.Swap(nil); text != nil {
			t.Fatalf("%q reaches the upstream as %q: %s", raw, b.received(), *text)
		}
	})
}
