package proxy

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"pingap/arena"
	totals "pingap/arena/tally"
	"pingap/worker/tally"
)

// counts gives a rig's server and location handles that count, and reads what they have.
type counts struct {
	t      testing.TB
	arena  *arena.Arena
	server *tally.Server
}

func newCounts(t testing.TB) *counts {
	a, err := arena.Create(arena.Options{Columns: 1})
	must(t, err)
	t.Cleanup(func() { a.Close() })
	fd, err := unix.FcntlInt(uintptr(a.FD()), unix.F_DUPFD_CLOEXEC, 0)
	must(t, err)
	m, err := arena.Map(fd, 0)
	must(t, err)
	t.Cleanup(func() { m.Close() })
	s, err := tally.NewServer(m, "s", []string{"up"})
	must(t, err)
	return &counts{t, m, s}
}

// measure has a server of a rig and its location count.
func (c *counts) measure(s *Server) {
	s.Counts = c.server
	for _, l := range s.Locations {
		var err error
		l.Counts, err = c.server.Location(c.arena, "s", "l", "up")
		must(c.t, err)
	}
}

// sum is the number of observations of a histogram, or of all values of a label.
func (c *counts) sum(kind totals.Kind, name string, id totals.ID) (n int64) {
	words, ok := totals.Read(c.arena, totals.Key{Kind: kind, Server: "s", Name: name}, nil)
	if !ok {
		return 0
	}
	f := &totals.Families()[id]
	for i := range f.Words() {
		if f.Type != totals.Histogram || i < f.Words()-1 {
			n += words[f.At+i]
		}
	}
	return n
}

func (c *counts) word(kind totals.Kind, name string, id totals.ID, value int) int64 {
	words, ok := totals.Read(c.arena, totals.Key{Kind: kind, Server: "s", Name: name}, nil)
	if !ok {
		return 0
	}
	return words[totals.Families()[id].At+value]
}

func (c *counts) current() int64 {
	g, err := c.arena.Counter(totals.Gauges()[totals.RequestsCurrent].Of(totals.Key{Kind: totals.LocationBlock, Server: "s", Name: "l"}))
	must(c.t, err)
	return g.Load()
}

func TestRequestsAreCountedOnEveryTransport(t *testing.T) {
	const n = 5
	for _, transport := range transports() {
		t.Run(transport, func(t *testing.T) {
			b := newBackend(t, replying("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef"))
			c := newCounts(t)
			r := newRig(t, rigOptions{addrs: []string{b.addr()}, server: func(s *Server) {
				speaks(t, transport)(s)
				c.measure(s)
			}})
			client, base := r.user(transport)
			for range n {
				resp, err := client.Post(base+"/", "text/plain", strings.NewReader("xyz"))
				must(t, err)
				_, err = io.Copy(io.Discard, resp.Body)
				must(t, err)
				resp.Body.Close()
			}
			r.log.wait(t, n-1)
			handshakes := int64(0)
			if strings.HasSuffix(transport, "tls") {
				handshakes = 1
			}
			for what, v := range map[string][2]int64{
				"requests":   {c.sum(totals.LocationBlock, "l", totals.Requests), n},
				"all":        {c.sum(totals.LocationBlock, "", totals.Requests), n},
				"2xx":        {c.word(totals.LocationBlock, "l", totals.ResponseCodes, 1), n},
				"received":   {c.sum(totals.LocationBlock, "l", totals.ReceivedBytes), 3 * n},
				"sent":       {c.sum(totals.LocationBlock, "l", totals.SentBytes), 6 * n},
				"times":      {c.sum(totals.LocationBlock, "l", totals.ResponseTime), n},
				"reuses":     {c.sum(totals.ServerBlock, "", totals.ConnectionReuses), n - 1},
				"handshakes": {c.sum(totals.ServerBlock, "", totals.HandshakeTime), handshakes},
				"connects":   {c.sum(totals.UpstreamBlock, "up", totals.UpstreamConnectTime) + c.sum(totals.UpstreamBlock, "up", totals.UpstreamReuses), n},
				"processing": {c.sum(totals.UpstreamBlock, "up", totals.UpstreamProcessingTime), n},
				"answers":    {c.sum(totals.UpstreamBlock, "up", totals.UpstreamResponseTime), n},
				"retries":    {c.sum(totals.UpstreamBlock, "up", totals.UpstreamRetries), 0},
				"errors":     {c.sum(totals.UpstreamBlock, "up", totals.UpstreamErrors), 0},
				"current":    {c.current(), 0},
			} {
				if v[0] != v[1] {
					t.Errorf("%s: %d, want %d", what, v[0], v[1])
				}
			}
		})
	}
}

// replying answers each request with one text, after it has read it whole.
func replying(answer string) func(p *scripted) {
	return func(p *scripted) {
		for {
			request, err := http.ReadRequest(p.r)
			if err != nil {
				return
			}
			if _, err := io.Copy(io.Discard, request.Body); err != nil {
				return
			}
			if _, err := fmt.Fprint(p.Conn, answer); err != nil {
				return
			}
		}
	}
}

func TestAClientThatLeavesIsCountedAsOne(t *testing.T) {
	arrived := make(chan struct{}, 1)
	b := newBackend(t, func(p *scripted) {
		if _, err := http.ReadRequest(p.r); err == nil {
			arrived <- struct{}{}
			_, _ = p.r.ReadByte() // until the proxy gives up
		}
	})
	c := newCounts(t)
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, server: c.measure})
	client := r.dial()
	fmt.Fprint(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	<-arrived
	if c.current() != 1 {
		t.Errorf("%d in process", c.current())
	}
	client.Close()
	r.log.wait(t, 0)
	if got := c.word(totals.LocationBlock, "l", totals.ResponseCodes, 3); got != 1 || c.current() != 0 {
		t.Errorf("%d of 4xx, %d in process", got, c.current())
	}
	if got := c.sum(totals.UpstreamBlock, "up", totals.UpstreamErrors); got != 0 {
		t.Errorf("%d errors are the backend's", got)
	}
}

func TestRequestsWithoutALocationAreInNoneOfItsFigures(t *testing.T) {
	c := newCounts(t)
	r := newRig(t, rigOptions{server: c.measure})
	client := r.dial()
	fmt.Fprint(client, "GET / HTTP/1.1\r\nBad header\r\n\r\n")
	r.log.wait(t, 0)
	if got := c.sum(totals.LocationBlock, "", totals.Requests); got != 0 {
		t.Errorf("%d requests", got)
	}
}
