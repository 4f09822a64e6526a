package proxy

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"pingap/config"
	"pingap/worker/mirror"
)

// unruly is a script that does what the path of each request says, good and bad.
func unruly(p *scripted) {
	for {
		head, ok := p.request()
		if !ok {
			return
		}
		path := strings.Fields(head)[1]
		if path != "/early" {
			p.readBody(head)
		}
		switch path {
		case "/early":
			p.reply("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
			return
		case "/fin":
			return
		case "/rst":
			_ = p.Conn.(*net.TCPConn).SetLinger(0)
			return
		case "/half-head":
			p.reply("HTTP/1.1 200 OK\r\nContent-Le")
			return
		case "/short":
			p.reply("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nshort")
			return
		case "/garbage":
			p.reply("garbage\r\n\r\n")
		case "/extra":
			p.reply(ok5 + ok5)
		case "/chunked":
			p.reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n")
		case "/bad-chunk":
			p.reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
			p.reply("0x\r\n")
		case "/until-close":
			p.reply("HTTP/1.1 200 OK\r\n\r\nhello")
			return
		case "/hints":
			p.reply("HTTP/1.1 103 Early Hints\r\n\r\n" + ok5)
		case "/large":
			p.reply("HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n" + strings.Repeat("x", 400_000))
		case "/tunnel":
			p.reply("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			_, _ = io.Copy(p.Conn, p.r)
			return
		default:
			p.reply(ok5)
		}
	}
}

// mischief makes random requests, valid, invalid and cut.
type mischief struct {
	*rand.Rand
	paths, rows []string
}

func newMischief(t testing.TB, seed uint64) *mischief {
	m := &mischief{Rand: rand.New(rand.NewPCG(seed, 0)), paths: strings.Fields(`/ /early /fin /rst /half-head /short
		/garbage /extra /chunked /bad-chunk /until-close /hints /large`)}
	for _, row := range table(t, "bad_requests.txt", 4) {
		m.rows = append(m.rows, row[3])
	}
	for _, row := range table(t, "good_requests.txt", 3) {
		m.rows = append(m.rows, row[1])
	}
	for _, row := range table(t, "bad_chunks.txt", 3) {
		m.rows = append(m.rows, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"+row[2])
	}
	return m
}

// request is one request, perhaps the beginning of one.
func (m *mischief) request() string {
	path := m.paths[m.IntN(len(m.paths))]
	body := strings.Repeat("b", 1<<m.IntN(18))
	raw := ""
	switch m.IntN(6) {
	case 0:
		raw = m.rows[m.IntN(len(m.rows))]
	case 1:
		raw = fmt.Sprintf("POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
	case 2:
		raw = fmt.Sprintf("POST %s HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", path, len(body), body)
	case 3:
		raw = "GET /tunnel HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nping"
	default:
		raw = fmt.Sprintf("GET %s HTTP/1.%d\r\nHost: h\r\n\r\n", path, m.IntN(2))
	}
	if m.IntN(4) == 0 {
		raw = raw[:m.IntN(len(raw)+1)]
	}
	return raw
}

// exchange sends some requests on a connection and leaves, in one of several ways.
func (m *mischief) exchange(c net.Conn) {
	defer c.Close()
	for range 1 + m.IntN(3) {
		_ = c.SetDeadline(time.Now().Add(time.Duration(1+m.IntN(20)) * time.Millisecond))
		if _, err := io.WriteString(c, m.request()); err != nil {
			break // refused already, or the proxy has enough to do
		}
		if m.IntN(3) > 0 {
			_, _ = io.CopyN(io.Discard, c, int64(m.IntN(500)))
		}
	}
	switch m.IntN(4) {
	case 0:
		_ = c.(*net.TCPConn).SetLinger(0)
	case 1:
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, c)
	}
}

// makeMischief runs many exchanges over one rig, and checks that nothing of them is left.
func makeMischief(t *testing.T, seed uint64, clients, exchanges int, rules bool) {
	o := rigOptions{addrs: []string{newBackend(t, unruly).addr()}, quiet: true, park: 50 * time.Millisecond}
	if rules {
		o.addrs = append(o.addrs, newBackend(t, unruly).addr(), newBackend(t, unruly).addr())
		o.location.MaxRetries = 2
		o.bind = mirrors(t, 64<<10, newBackend(t, unruly).addr(), nil)
		o.upstream = func(u *config.Upstream) {
			u.RetryStatus, u.RetryNonIdempotent, u.RetryBudget, u.Sticky = "403", true, 100, "cookie:lb"
			u.MaxRequestsPerBackend, u.QueueSize, u.QueueTimeout = 1, 4, config.Duration(5*time.Millisecond)
		}
	}
	r := newRig(t, o)
	var wg sync.WaitGroup
	for i := range clients {
		m := newMischief(t, seed+uint64(i))
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range exchanges {
				c, err := net.Dial("tcp", r.front.Addr().String())
				if err != nil {
					t.Error(err)
					return
				}
				m.exchange(c)
			}
		}()
	}
	wg.Wait()
	r.until("at rest", func(s Stats) bool { return s.InFlight == 0 })
	if head, body := r.dial().send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").page(); !strings.HasPrefix(head, "HTTP/1.1 200 ") || body != "hello" {
		t.Errorf("afterwards a request gets %q %q", head, body)
	}
	r.until("at rest", func(s Stats) bool { return s.Connections == 0 && s.InFlight == 0 && s.Tunnels == 0 && s.Parked == 0 })
	if s := r.p.Stats(); s.Panics != 0 {
		t.Errorf("%+v", s)
	}
	if rules {
		r.untilMirrored("at rest", func(st mirror.Stats) bool { return st.InFlight == 0 && st.Held == 0 })
	}
	if open, idle := r.up.OpenConnections(), int64(r.up.IdleConnections()); open != idle {
		t.Errorf("%d connections to the upstream are open, %d of them in the pool", open, idle)
	}
}

func openFiles(t *testing.T) int {
	list, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(list)
}

func TestNothingIsLeftOfThousandsOfExchanges(t *testing.T) {
	for name, rules := range map[string]bool{"plain": false, "with retries, a queue and a mirror": true} {
		t.Run(name, func(t *testing.T) { nothingIsLeft(t, rules) })
	}
}

func nothingIsLeft(t *testing.T, rules bool) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	t.Run("first", func(t *testing.T) { makeMischief(t, seed, 2, 10, rules) }) // what is made once and kept
	files, routines := openFiles(t), runtime.NumGoroutine()
	t.Run("many", func(t *testing.T) { makeMischief(t, seed, 8, 400, rules) })
	deadline := time.Now().Add(patience)
	for (runtime.NumGoroutine() > routines || openFiles(t) > files) && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
		runtime.GC() // the runtime keeps pipes for splice until then
	}
	if n := runtime.NumGoroutine(); n > routines {
		buf := make([]byte, 1<<20)
		t.Errorf("%d goroutines, before %d:\n%s", n, routines, buf[:runtime.Stack(buf, true)])
	}
	if n := openFiles(t); n > files {
		t.Errorf("%d open files, before %d", n, files)
	}
}

// The end of a stream that comes with the bytes before it may raise no edge of its own.
func TestClientsThatLeaveWithHalfAHeadAreNoticed(t *testing.T) {
	r := newRig(t, rigOptions{server: func(s *Server) { s.HeaderTimeout = 10 * patience }})
	for range 100 {
		r.dial().send("GET / HT").Close()
	}
	r.until("all closed", func(s Stats) bool { return s.Accepted == 100 && s.Connections == 0 })
}
