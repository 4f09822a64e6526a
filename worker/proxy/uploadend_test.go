package proxy

import (
	"strings"
	"testing"

	"pingap/worker/http2/frame"
)

// The upstream may have answered before the goroutine that sent it the last bytes of the body is back. A client that was promised its
// connection keeps it.
func TestAnAnswerRightBehindTheLastBytesKeepsTheConnection(t *testing.T) {
	closing := func(p *scripted) {
		head, ok := p.request()
		if !ok {
			return
		}
		p.readBody(head)
		p.reply("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n0:")
	}
	whole := said{heads: [][]string{{":status=200"}}, body: "0:"}
	framed := framedLoop(func(h frame.Header, _ string) []byte {
		if h.Type != frame.Data || !h.Flags.Has(frame.FlagEndStream) {
			return nil
		}
		return whole.frames(h.Stream)
	})
	for name, o := range map[string]rigOptions{
		"HTTP/1": {addrs: []string{newBackend(t, closing).addr()}, quiet: true},
		"HTTP/2": {addrs: []string{newBackend(t, framed).addr()}, quiet: true, upstream: reaches("h2c")},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, o)
			c := r.dial()
			for i := range 2000 {
				c.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe")
				c.send("llo")
				head := c.head()
				if body := c.body(2); !strings.HasPrefix(head, "HTTP/1.1 200 ") || body != "0:" {
					t.Fatalf("request %d: %q %q", i, head, body)
				}
				if strings.Contains(head, "Connection: close") { // it was answered while bytes were still on their way
					c = r.dial()
				}
			}
		})
	}
}
