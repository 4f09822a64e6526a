package proxy

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"pingap/arena"
	words "pingap/arena/backend"
	"pingap/config"
	"pingap/plugins"
	"pingap/worker/upstream"
	"pingap/worker/websocket"
)

// endpoint is a backend as control tells of it.
func endpoint(t testing.TB, addr string) upstream.Endpoint {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	must(t, err)
	n, err := strconv.Atoi(port)
	must(t, err)
	return upstream.Endpoint{Address: config.Address{Network: "tcp", Host: host, Port: n}, Weight: 1}
}

// watched gives the backends of a rig records, and returns them in the order of their addresses.
func (r *rig) watched() (records []*arena.Record) {
	var list []upstream.Endpoint
	for _, a := range r.up.Config.Addrs {
		e := endpoint(r.t, a)
		e.Record = arena.NewRecord()
		records, list = append(records, e.Record), append(list, e)
	}
	r.up.SetEndpoints(list, nil)
	return records
}

// counts waits until a backend is at rest and returns how many requests it was told of, and how many failed.
func (r *rig) counts(rec *arena.Record) (requests, failures uint64) {
	r.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		s := words.Read(rec, words.Now())
		if s.InFlight == 0 && r.p.Stats().InFlight == 0 {
			return s.Requests, s.Failures
		}
		if time.Now().After(end) {
			r.t.Fatalf("%d requests stay in flight at the backend", s.InFlight)
		}
	}
}

func counting(u *config.Upstream) {
	u.EnableBackendStats, u.BackendStatsInterval = true, config.Duration(time.Minute)
	u.ReadTimeout, u.RetryBudget = config.Duration(400*time.Millisecond), 20
}

func TestBackendsAreToldHowRequestsEnd(t *testing.T) {
	reply := func(s string) func(*scripted) { return answer(s) }
	fate := func(f fate) func(*scripted) {
		return func(p *scripted) {
			head, ok := p.request()
			if !ok {
				return
			}
			p.readBody(head)
			switch f {
			case fateSilence:
				p.request()
			case fateHead:
				p.reply("HTTP/1.1 200 OK\r\nContent-Le")
			case fateBody:
				p.reply("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")
			}
		}
	}
	type counts struct{ requests, failures uint64 }
	fine, failed, nothing := counts{1, 0}, counts{1, 1}, counts{0, 0}
	for _, tc := range []struct {
		name    string
		script  func(*scripted)
		request string
		leave   bool // the client leaves when the backend has the request, or the first bytes have come
		want    counts
	}{
		{"200", reply(ok5), get, false, fine},
		{"404", reply("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), get, false, fine},
		{"500", reply("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"), get, false, failed},
		{"close before the head", fate(fateClose), get, false, failed},
		{"silence", fate(fateSilence), get, false, failed},
		{"half a head", fate(fateHead), get, false, failed},
		{"half a body", fate(fateBody), get, false, failed},
		{"garbage", reply("garbage\r\n\r\n"), get, false, failed},
		{"bad chunks", reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), get, false, failed},
		{"101 unasked", reply("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"), get, false, failed},
		{"the client leaves before the head", func(p *scripted) { p.request(); p.request() }, get, true, nothing},
		{"the client leaves in the body", func(p *scripted) {
			p.request()
			p.reply("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nhello")
			p.request()
		}, get, true, fine},
		{"early answer", func(p *scripted) {
			p.request()
			p.reply("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		}, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n", false, fine},
		{"bad chunks from the client", func(p *scripted) { p.request(); _, _ = io.Copy(io.Discard, p.r) },
			"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n", false, nothing},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBackend(t, tc.script)
			r := newRig(t, rigOptions{addrs: []string{b.addr()}, upstream: counting, server: func(s *Server) { s.ReadTimeout = 200 * time.Millisecond }})
			if tc.leave {
				r.up.ReadTimeout = patience
			}
			rec := r.watched()[0]
			c := r.dial().send(tc.request)
			if strings.HasSuffix(tc.request, "1\r\n") {
				time.Sleep(20 * time.Millisecond) // so that it is an upload
				c.send("xyz\r\n")
			}
			switch {
			case tc.leave && tc.want == nothing:
				for b.received() == "" {
					time.Sleep(time.Millisecond)
				}
			case tc.leave:
				c.head()
			default:
				_, _ = io.Copy(io.Discard, io.LimitReader(c.r, 20))
			}
			c.Close()
			r.log.wait(t, 0)
			if n, f := r.counts(rec); (counts{n, f}) != tc.want {
				t.Errorf("told of %d requests, %d failed; want %+v", n, f, tc.want)
			}
		})
	}
}

func TestABackendThatRefusesIsToldOnceForEachAttempt(t *testing.T) {
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	dead.Close()
	good, _ := counted(t)
	r := newRig(t, rigOptions{addrs: []string{dead.Addr().String(), good.addr()}, location: config.Location{MaxRetries: 3}, upstream: counting})
	recs := r.watched()
	refused := 0
	for i := range 10 {
		r.dial().send(get).expect("200", "hello")
		refused += r.log.wait(t, i).attempts - 1
	}
	if n, f := r.counts(recs[0]); refused == 0 || n != uint64(refused) || f != uint64(refused) {
		t.Errorf("the dead one was told of %d, %d failed; it was tried %d times", n, f, refused)
	}
	if n, f := r.counts(recs[1]); n != 10 || f != 0 {
		t.Errorf("the other was told of %d, %d failed", n, f)
	}
}

func TestATunnelIsToldAtItsBeginningAndCountsUntilItsEnd(t *testing.T) {
	for _, front := range []string{"h1", "h2c"} {
		t.Run(front, func(t *testing.T) {
			b := newBackend(t, func(p *scripted) {
				head, _ := p.request()
				key := ""
				for line := range strings.Lines(head) {
					if k, v, _ := strings.Cut(line, ":"); strings.EqualFold(k, "sec-websocket-key") {
						key = strings.TrimSpace(v)
					}
				}
				p.reply("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " + string(websocket.AppendAccept(nil, []byte(key))) + "\r\n\r\n")
				_, _ = io.Copy(p.Conn, p.r)
			})
			r := newRig(t, rigOptions{addrs: []string{b.addr()}, upstream: counting, server: speaks(t, front)})
			rec := r.watched()[0]
			var end func()
			if front == "h1" {
				c := r.dial().send("GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n")
				c.head()
				end = func() { c.Close() }
			} else {
				a := r.attack()
				a.write(a.frames(false, connect()))
				end = func() { a.Close() }
			}
			r.until("a tunnel", func(s Stats) bool { return s.Tunnels == 1 })
			if s := words.Read(rec, words.Now()); s.Requests != 1 || s.Failures != 0 || s.InFlight != 1 {
				t.Errorf("while it is open: %+v", s)
			}
			end()
			if n, f := r.counts(rec); n != 1 || f != 0 {
				t.Errorf("after its end: %d requests, %d failed", n, f)
			}
		})
	}
}

func TestAPanicOfOursIsNoFaultOfTheBackend(t *testing.T) {
	back := newBackend(t, answer(ok5))
	chain := plugins.NewChain([]*plugins.Instance{{Name: "broken", Responder: broken{}, BodyFilterer: broken{}}})
	r := newRig(t, rigOptions{addrs: []string{back.addr()}, plugins: chain, upstream: counting})
	rec := r.watched()[0]
	r.dial().send(get).head()
	if n, f := r.counts(rec); n != 1 || f != 0 {
		t.Errorf("told of %d requests, %d failed", n, f)
	}
}

func TestOutcomesOfSharedConnections(t *testing.T) {
	for _, behind := range []string{"h2c", "h2 tls"} {
		t.Run(behind, func(t *testing.T) {
			addr := serving(t, behind, func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/abort":
					panic(http.ErrAbortHandler)
				case "/half":
					w.Header().Set("Content-Length", "100")
					_, _ = io.WriteString(w, "hello")
					_ = http.NewResponseController(w).Flush()
					panic(http.ErrAbortHandler)
				case "/500":
					w.WriteHeader(500)
				case "/silent":
					<-r.Context().Done()
				}
			})
			r := newRig(t, rigOptions{addrs: []string{addr}, upstream: func(u *config.Upstream) { reaches(behind)(u); counting(u) }})
			rec := r.watched()[0]
			var want, bad uint64
			for i, path := range strings.Fields("/ /abort / /half /500 / /silent /") {
				c := r.dial().send(fmt.Sprintf("GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", path))
				_, _ = io.Copy(io.Discard, c.r)
				r.log.wait(t, i)
				want++
				if path != "/" {
					bad++
				}
				if n, f := r.counts(rec); n != want || f != bad {
					t.Errorf("after %s: told of %d requests, %d failed; want %d, %d", path, n, f, want, bad)
				}
			}
		})
	}
}

// The time that a client gives a call is its own: to make it short must not take a backend out.
func TestAnImpatientCallIsNoFaultOfTheBackend(t *testing.T) {
	addr := serving(t, "h2c", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	r := newRig(t, rigOptions{addrs: []string{addr}, server: speaks(t, "h2c"),
		upstream: func(u *config.Upstream) { reaches("h2c")(u); counting(u); u.ReadTimeout = config.Duration(patience) }})
	rec := r.watched()[0]
	c, base := r.user("h2c")
	req, err := http.NewRequest("POST", base+"/a/b", http.NoBody)
	must(t, err)
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Grpc-Timeout", "200m")
	resp, err := c.Do(req)
	must(t, err)
	resp.Body.Close()
	if n, f := r.counts(rec); n != 0 || f != 0 {
		t.Errorf("told of %d requests, %d failed", n, f)
	}
}

// A call whose time runs out in the middle of its answer ends with a status: a reset says less, and not every client takes it for the deadline.
// The rest of the request may still be open.
func TestTheDeadlineOfACallThatIsBeingAnsweredIsAStatus(t *testing.T) {
	addr := serving(t, "h2c", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		_, err := w.Write([]byte("\x00\x00\x00\x00\x01x"))
		must(t, err)
		must(t, http.NewResponseController(w).Flush())
		<-r.Context().Done()
	})
	for name, body := range map[string]func() io.Reader{
		"the request is complete": func() io.Reader { return strings.NewReader("\x00\x00\x00\x00\x01a") },
		"the request is open": func() io.Reader {
			r, w := io.Pipe()
			t.Cleanup(func() { w.Close() })
			return r
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, rigOptions{addrs: []string{addr}, server: speaks(t, "h2c"), upstream: func(u *config.Upstream) {
				reaches("h2c")(u)
				counting(u)
				u.ReadTimeout = config.Duration(patience)
			}})
			rec := r.watched()[0]
			c, base := r.user("h2c")
			req, err := http.NewRequest("POST", base+"/a/b", body())
			must(t, err)
			req.Header.Set("Content-Type", "application/grpc")
			req.Header.Set("Grpc-Timeout", "200m")
			resp, err := c.Do(req)
			must(t, err)
			defer resp.Body.Close()
			data, err := io.ReadAll(resp.Body)
			if string(data) != "\x00\x00\x00\x00\x01x" || err != nil || resp.Trailer.Get("grpc-status") != "4" {
				t.Errorf("%q, %v, trailers %v", data, err, resp.Trailer)
			}
			if n, f := r.counts(rec); f != 0 {
				t.Errorf("told of %d requests, %d failed", n, f)
			}
		})
	}
}

// Who hears of a failure may ask again at once, through another worker: by then the backend has been told.
func TestAFailureIsToldBeforeTheClientHearsOfIt(t *testing.T) {
	over := make(chan struct{})
	addr := serving(t, "h1", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(500)
		must(t, http.NewResponseController(w).Flush())
		<-over
	})
	r := newRig(t, rigOptions{addrs: []string{addr}, upstream: counting})
	defer close(over)
	rec := r.watched()[0]
	c := r.dial().send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	if line, err := c.r.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 500") {
		t.Fatal(line, err)
	}
	if n, f := r.counts(rec); n != 1 || f != 1 {
		t.Errorf("told of %d requests, %d failed", n, f)
	}
}
