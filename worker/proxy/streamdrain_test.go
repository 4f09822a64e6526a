package proxy

import (
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"pingap/message"
	"pingap/worker/drain"
	"pingap/worker/http2/frame"
	"pingap/worker/http2/hpack"
)

// call begins a call of gRPC that says nothing yet.
func (f *framed) call(stream uint32) {
	f.t.Helper()
	var block []byte
	for _, p := range [][2]string{{":method", "POST"}, {":scheme", "http"}, {":authority", "h"}, {":path", "/call"}} {
		block = f.enc.AppendPseudo(block, p[0], []byte(p[1]))
	}
	block = f.enc.Append(block, &message.Field{ID: message.ContentType, Name: []byte("content-type"), Value: []byte("application/grpc")})
	head := frame.Header{Length: uint32(len(block)), Type: frame.Headers, Flags: frame.FlagEndHeaders, Stream: stream}
	f.write(append(frame.AppendHeader(nil, head), block...))
}

// fieldsOf is a field block as text. Every block of a connection has to pass.
func fieldsOf(t *testing.T, dec *hpack.Decoder, block []byte) string {
	t.Helper()
	var list message.Fields
	_, _, err := dec.Decode(block, &list, nil, hpack.Limit{Size: 1 << 16, Fields: 100})
	must(t, err)
	var b strings.Builder
	for _, f := range list.List() {
		b.WriteString(string(f.Name) + ": " + string(f.Value) + "\n")
	}
	return b.String()
}

// untilStreamIsCut waits until a stream of the only connection is to be cut.
func (r *rig) untilStreamIsCut() {
	r.t.Helper()
	r.until("to be cut", func(Stats) bool {
		r.p.mu.Lock()
		defer r.p.mu.Unlock()
		m := r.p.list.after.mux()
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.list.after.cutWhy.Load() != uint32(drain.NotCut)
	})
}

// A connection of which a stream was cut counts as one that was.
func TestCutStreamsAreCounted(t *testing.T) {
	for name, c := range map[string]struct {
		end func(r *rig)
		why string
	}{
		"in its time": {func(r *rig) { r.p.Drain(drain.Times{Timeout: 100 * time.Millisecond}) }, "timeout"},
		"at a stop":   {func(r *rig) { r.p.Close() }, "stop"},
	} {
		t.Run(name, func(t *testing.T) {
			up := newBackend(t, func(p *scripted) {
				if _, ok := p.request(); ok {
					_, _ = io.Copy(io.Discard, p.Conn) // until the proxy gives up
				}
			})
			r := newRig(t, rigOptions{addrs: []string{up.addr()}, server: speaks(t, "h2c")})
			f := r.dialFrames()
			f.get(1, "/")
			f.get(3, "/")
			r.until("waiting", func(s Stats) bool { return s.InFlight == 2 })
			c.end(r)
			r.wantEnds(drain.Counts{Connections: 1, Cut: 1, CutWhy: map[string]int64{c.why: 1}})
		})
	}
}

// A call whose time is up while the worker drains ends between two messages, with a status after which it may be made again.
func TestCallsEndAfterAMessage(t *testing.T) {
	const whole = "\x00\x00\x00\x00\x02ab"
	for name, c := range map[string]struct{ first, rest string }{ // of the body, by the upstream
		"between messages": {whole, ""},
		"within one":       {whole + "\x00\x00\x00\x00", "\x01c"},
		"before any":       {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			more := make(chan struct{})
			letGo := sync.OnceFunc(func() { close(more) })
			defer letGo()
			up := newBackend(t, func(p *scripted) {
				p.request()
				p.reply("HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\n\r\n" + c.first)
				<-more
				p.reply(c.rest)
				_, _ = p.request() // until the proxy closes
			})
			r := newRig(t, rigOptions{addrs: []string{up.addr()}, server: speaks(t, "h2c")})
			f := r.dialFrames()
			f.call(1)
			var dec hpack.Decoder
			dec.Init(4096)
			_, head := f.until(frame.Headers)
			fieldsOf(t, &dec, head)
			var body []byte
			for len(body) < len(c.first) {
				_, p := f.until(frame.Data)
				body = append(body, p...)
			}
			r.p.Drain(drain.Times{Timeout: time.Millisecond, LongTimeout: 10 * time.Millisecond})
			if c.rest != "" {
				r.untilStreamIsCut()
				letGo()
			}
			var trailers string
			for {
				h, p, ok := f.next()
				if !ok {
					break
				}
				switch {
				case h.Type == frame.Data:
					body = append(body, p...)
				case h.Type == frame.Headers && h.Flags&frame.FlagEndStream != 0:
					trailers = fieldsOf(t, &dec, p)
				case h.Type == frame.RSTStream && trailers == "":
					t.Errorf("reset: %x", p)
				}
			}
			if string(body) != c.first+c.rest || !strings.Contains(trailers, "grpc-status: 14\n") {
				t.Errorf("got %q, want %q; trailers %q", body, c.first+c.rest, trailers)
			}
			r.wantEnds(drain.Counts{Connections: 1, Cut: 1, CutWhy: map[string]int64{"long_timeout": 1}})
		})
	}
}
