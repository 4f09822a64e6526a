package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"pingap/worker/http2/frame"
	"pingap/worker/http2/hpack"
)

// brief is a backend that looks at only so many requests on each connection of HTTP/2, and says so.
type brief struct {
	net.Listener
	streams int
	served  atomic.Int64
	open    sync.WaitGroup
}

func newBrief(t *testing.T, streams int) *brief {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	b := &brief{Listener: l, streams: streams}
	b.open.Go(func() { // ends with the listener
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b.open.Go(func() { b.serve(c) }) // ends when the proxy closes
		}
	})
	t.Cleanup(func() { l.Close(); b.open.Wait() })
	return b
}

// serve answers the first requests. The last of them comes with GOAWAY; those behind it are never looked at.
func (b *brief) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	var enc hpack.Encoder
	enc.Init()
	out := frame.AppendSettings(nil)
	if _, err := r.Discard(len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")); err != nil {
		return
	}
	for n := 0; ; {
		if _, err := c.Write(out); err != nil {
			return
		}
		out = nil
		var head [frame.HeaderLen]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return
		}
		h := frame.ParseHeader(head[:])
		if _, err := r.Discard(int(h.Length)); err != nil {
			return
		}
		switch {
		case h.Type == frame.Settings && !h.Flags.Has(frame.FlagAck):
			out = frame.AppendSettingsAck(nil)
		case h.Type == frame.Headers && n < b.streams:
			if n++; n == b.streams {
				out = frame.AppendGoAway(out, h.Stream, frame.NoError, "")
			}
			b.served.Add(1)
			out = frame.AppendHeaders(out, h.Stream, enc.AppendStatus(nil, 204), true, 1<<14)
		}
	}
}

// Many clients meet a backend that takes few requests on a connection, as nginx does with a small keepalive_requests. What it has not
// looked at is sent again, whatever the method, and nothing twice.
func TestNoRequestIsLostWhereConnectionsGoAwayAllTheTime(t *testing.T) {
	const clients, each = 24, 30
	up := newBrief(t, 2)
	r := newRig(t, rigOptions{addrs: []string{up.Addr().String()}, server: speaks(t, "h2c"), upstream: reaches("h2c")})
	c, base := r.user("h2c")
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for range each {
				resp, err := c.Post(base+"/", "text/plain", http.NoBody)
				if err != nil {
					t.Error(err)
					return
				}
				resp.Body.Close()
				if resp.StatusCode != 204 {
					t.Errorf("%d %s", resp.StatusCode, resp.Header.Get("X-Pingap-EType"))
				}
			}
		})
	}
	all.Wait()
	if n := up.served.Load(); n != clients*each {
		t.Errorf("the backend looked at %d requests, want %d", n, clients*each)
	}
}
