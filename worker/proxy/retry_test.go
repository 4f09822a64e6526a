package proxy

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pingap/config"
)

// fate is how a backend treats a request.
type fate string

const (
	fateReset   fate = "reset before the head"
	fateClose   fate = "close before the head"
	fateSilence fate = "silence"
	fateHead    fate = "reset within the head"
	fateBody    fate = "reset within the body"
	fateHints   fate = "reset behind an interim response"
	fateUp      fate = "reset before the whole request came" // what was sent may be lost
)

// fated is a backend that does so to every request, and counts what came.
func fated(t testing.TB, f fate) (*backend, *atomic.Int64) {
	came := new(atomic.Int64)
	return newBackend(t, func(p *scripted) {
		head, ok := p.request()
		if !ok {
			return
		}
		came.Add(1)
		if f != fateUp {
			p.readBody(head)
		}
		switch f {
		case fateClose:
			return
		case fateSilence:
			p.request()
			return
		case fateHead:
			p.reply("HTTP/1.1 200 OK\r\nContent-Le")
		case fateBody:
			p.reply("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")
		case fateHints:
			p.reply("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
		}
		if f != fateReset && f != fateUp {
			time.Sleep(20 * time.Millisecond) // a reset destroys what has not been read yet
		}
		_ = p.Conn.(*net.TCPConn).SetLinger(0)
	}), came
}

// counted answers "hello" to every request and counts them.
func counted(t testing.TB) (*backend, *atomic.Int64) {
	came := new(atomic.Int64)
	return newBackend(t, func(p *scripted) {
		for {
			head, ok := p.request()
			if !ok {
				return
			}
			p.readBody(head)
			came.Add(1)
			p.reply(ok5)
		}
	}), came
}

func TestRequestsAreRetriedByRule(t *testing.T) {
	put := "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi"
	post := "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi"
	upload := "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 50000\r\n\r\n"
	ws := "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
	for _, tc := range []struct {
		name, request string
		fate          fate
		retries       int
		change        func(*config.Upstream)
		retried       bool
	}{
		{"GET", get, fateReset, 1, nil, true},
		{"GET", get, fateClose, 1, nil, true},
		{"GET", get, fateSilence, 1, nil, true},
		{"GET", get, fateHead, 1, nil, false},
		{"GET", get, fateBody, 1, nil, false},
		{"GET", get, fateHints, 1, nil, false},
		{"GET without retries", get, fateReset, 0, nil, false},
		{"PUT", put, fateReset, 1, nil, true},
		{"POST", post, fateReset, 1, nil, false},
		{"POST", post, fateClose, 1, nil, false},
		{"POST", post, fateSilence, 1, nil, false},
		{"POST by leave", post, fateReset, 1, func(u *config.Upstream) { u.RetryNonIdempotent = true }, true},
		{"POST by leave", post, fateSilence, 1, func(u *config.Upstream) { u.RetryNonIdempotent = true }, true},
		{"an uploaded body", upload, fateUp, 1, nil, false},
		{"an uploaded body by leave", upload, fateUp, 1, func(u *config.Upstream) { u.RetryNonIdempotent = true }, false},
		{"Upgrade", ws, fateReset, 1, nil, false},
		{"without a budget", get, fateReset, 1, func(u *config.Upstream) { u.RetryBudget = 0 }, false},
	} {
		t.Run(tc.name+", "+string(tc.fate), func(t *testing.T) {
			bad, came := fated(t, tc.fate)
			good, served := counted(t)
			r := newRig(t, rigOptions{addrs: []string{bad.addr(), good.addr()}, location: config.Location{MaxRetries: tc.retries},
				upstream: func(u *config.Upstream) {
					u.ReadTimeout, u.RetryBudget = config.Duration(300*time.Millisecond), 20
					if tc.change != nil {
						tc.change(u)
					}
				}})
			n := 0
			for came.Load() == 0 && n < 20 {
				c := r.dial().send(tc.request)
				if strings.Contains(tc.request, "50000") {
					_, _ = io.WriteString(c.Conn, strings.Repeat("x", 50_000)) // it may be gone
				}
				_, _ = io.Copy(io.Discard, io.LimitReader(c.r, 15))
				c.Close()
				n++
			}
			line := r.log.wait(t, n-1)
			if want := map[bool]int{true: 2, false: 1}[tc.retried]; line.attempts != want || came.Load() != 1 {
				t.Errorf("%d attempts, want %d; %d came; log %+v", line.attempts, want, came.Load(), line)
			}
			if ok := line.status == 200 && line.kind == ""; ok != tc.retried {
				t.Errorf("log %+v", line)
			}
			want := int64(n - 1)
			if tc.retried {
				want++
			}
			if served.Load() != want {
				t.Errorf("the other backend got %d requests, want %d", served.Load(), want)
			}
		})
	}
}

// aborting is a server over a transport whose answers are cut off before their head.
func aborting(t *testing.T, transport string) (addr string, came *atomic.Int64) {
	came = new(atomic.Int64)
	return serving(t, transport, func(http.ResponseWriter, *http.Request) {
		came.Add(1)
		panic(http.ErrAbortHandler)
	}), came
}

// serving is a server over a transport.
func serving(t testing.TB, transport string, h http.HandlerFunc) (addr string) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	t.Cleanup(s.Close)
	var protocols http.Protocols
	protocols.SetHTTP1(strings.HasPrefix(transport, "h1"))
	protocols.SetHTTP2(transport == "h2 tls")
	protocols.SetUnencryptedHTTP2(transport == "h2c")
	s.Config.Protocols = &protocols
	if strings.HasSuffix(transport, "tls") {
		s.EnableHTTP2 = transport == "h2 tls"
		s.StartTLS()
	} else {
		s.Start()
	}
	return s.Listener.Addr().String()
}

func TestResetsAreRetriedOverEveryTransport(t *testing.T) {
	for _, behind := range transports() {
		for _, front := range transports() {
			t.Run(front+" to "+behind, func(t *testing.T) {
				bad, came := aborting(t, behind)
				good := serving(t, behind, func(w http.ResponseWriter, r *http.Request) {
					b, _ := io.ReadAll(r.Body)
					fmt.Fprintf(w, "%s %s", r.Method, b)
				})
				r := newRig(t, rigOptions{addrs: []string{bad, good}, location: config.Location{MaxRetries: 1}, server: speaks(t, front),
					upstream: func(u *config.Upstream) { reaches(behind)(u); u.RetryBudget = 100 }})
				c, base := r.user(front)
				for range 4 {
					if resp, body := r.fetch(c, "DELETE", base+"/", nil); resp.StatusCode != 200 || string(body) != "DELETE " {
						t.Errorf("%d %q", resp.StatusCode, body)
					}
				}
				if came.Load() == 0 {
					t.Error("nothing came to the backend that resets")
				}
				came.Store(0)
				failed := 0
				for range 4 {
					if resp, _ := r.fetch(c, "POST", base+"/", strings.NewReader("hi")); resp.StatusCode == 502 {
						failed++
					}
				}
				if int64(failed) != came.Load() || failed == 0 {
					t.Errorf("%d POSTs failed, %d came to the backend that resets", failed, came.Load())
				}
			})
		}
	}
}

func TestTheWindowEndsRetries(t *testing.T) {
	bad, came := fated(t, fateSilence)
	good, _ := counted(t)
	r := newRig(t, rigOptions{addrs: []string{bad.addr(), good.addr()}, location: config.Location{MaxRetries: 1},
		bind:     func(l *Location) { l.RetryWindow = 100 * time.Millisecond },
		upstream: func(u *config.Upstream) { u.ReadTimeout, u.RetryBudget = config.Duration(300*time.Millisecond), 20 }})
	for n := 0; came.Load() == 0 && n < 20; n++ {
		c := r.dial().send(get)
		if head := c.head(); came.Load() > 0 && !strings.HasPrefix(head, "HTTP/1.1 504 ") {
			t.Errorf("head %q", head)
		}
	}
}

// dying is a pool of four backends, the first of which can be made to die as a process does.
type dying struct {
	addrs []string
	die   func() (cut int64) // returns how many connections it had
}

func newDying(t *testing.T) *dying {
	d := &dying{}
	for i := range 4 {
		var mu sync.Mutex
		conns := map[net.Conn]bool{}
		s := &http.Server{
			Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				time.Sleep(2 * time.Millisecond)
				_, _ = io.WriteString(w, "hello")
			}),
			ConnState: func(c net.Conn, st http.ConnState) {
				mu.Lock()
				defer mu.Unlock()
				if st == http.StateClosed {
					delete(conns, c)
				} else {
					conns[c] = true
				}
			},
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		var wg sync.WaitGroup
		wg.Go(func() { _ = s.Serve(l) })
		t.Cleanup(func() { s.Close(); wg.Wait() })
		d.addrs = append(d.addrs, l.Addr().String())
		if i == 0 {
			d.die = func() int64 {
				l.Close()
				mu.Lock()
				defer mu.Unlock()
				cut := int64(len(conns))
				for c := range conns {
					_ = c.(*net.TCPConn).SetLinger(0)
					c.Close()
				}
				return cut
			}
		}
	}
	return d
}

func TestABackendThatDiesUnderLoad(t *testing.T) {
	const users = 16
	for _, tc := range []struct {
		name    string
		retries int
	}{{"with retries", 1}, {"without", 0}} {
		t.Run(tc.name, func(t *testing.T) {
			d := newDying(t)
			r := newRig(t, rigOptions{addrs: d.addrs, location: config.Location{MaxRetries: tc.retries}, quiet: true,
				upstream: func(u *config.Upstream) {
					u.RetryBudget, u.EjectConsecutiveFailures, u.EjectStatus = 20, 3, "502,503,504"
					u.EjectDuration, u.EjectMaxPercent = config.Duration(time.Minute), 50
				}})
			c, base := r.user("h1")
			c.Transport.(*http.Transport).MaxIdleConnsPerHost = 32
			var failed, done atomic.Int64
			var wg sync.WaitGroup
			for range users {
				wg.Go(func() {
					for range 150 {
						resp, err := c.Get(base + "/")
						if err != nil {
							t.Error(err)
							return
						}
						_, _ = io.Copy(io.Discard, resp.Body)
						resp.Body.Close()
						if resp.StatusCode != 200 {
							failed.Add(1)
						}
						done.Add(1)
					}
				})
			}
			for done.Load() < 600 {
				time.Sleep(time.Millisecond)
			}
			cut := d.die()
			wg.Wait()
			t.Logf("%d of %d failed, %d connections were cut", failed.Load(), done.Load(), cut)
			if n := failed.Load(); tc.retries > 0 && n > 0 || n > users { // that is how many can be in flight
				t.Errorf("%d requests failed", n)
			}
		})
	}
}
