package proxy

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Whatever a client sends, what reaches the upstream is a sequence of whole requests to a parser that
// nobody here wrote; only a body may be cut, when its client has broken it off.
func FuzzWhatReachesTheUpstream(f *testing.F) {
	for _, row := range table(f, "good_requests.txt", 3) {
		f.Add(row[1])
	}
	for _, row := range table(f, "bad_requests.txt", 4) {
		f.Add(row[3])
	}
	for _, row := range table(f, "bad_chunks.txt", 3) {
		f.Add("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + row[2])
	}
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
	r := newRig(f, rigOptions{addrs: []string{b.addr()}, quiet: true})
	f.Fuzz(func(t *testing.T, raw string) {
		b.mu.Lock()
		b.got.Reset()
		b.mu.Unlock()
		c, err := net.Dial("tcp", r.front.Addr().String())
		must(t, err)
		defer c.Close()
		must(t, c.SetDeadline(time.Now().Add(patience)))
		_, _ = io.WriteString(c, raw+"\r\n\r\nGET / HTTP/0.0\r\n\r\n") // the last one closes the connection
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, c)
		r.t = t
		r.until("at rest", func(s Stats) bool { return s.Connections == 0 })
		if text := broken.Swap(nil); text != nil {
			t.Fatalf("%q reaches the upstream as %q: %s", raw, b.received(), *text)
		}
	})
}

// expected tells the ends of connections, and bodies that their client has broken off, from requests that
// cannot be read. Targets of the kind that browsers send are not all URIs to that parser.
func expected(text string) bool {
	for _, part := range []string{"EOF", "connection reset", "closed network", "i/o timeout", "parse \"", "invalid URI"} {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}
