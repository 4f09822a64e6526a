package proxy

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pingap/config"
	"pingap/message"
	"pingap/plugins"
)

// stale is a stored answer, of one request.
func stale() *plugins.Answer {
	a := &plugins.Answer{Status: 200, Content: true, Body: []byte("stored")}
	a.AddField("Date", "Mon, 02 Jan 2006 15:04:05 GMT")
	return a
}

func TestAnAnswerOfTheStorerTakesThePlaceOfTheUpstreams(t *testing.T) {
	for _, behind := range transports() {
		for _, front := range transports() {
			t.Run(front+" to "+behind, func(t *testing.T) {
				var peers sync.Map
				s := originWith(t, behind, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					peers.Store(r.RemoteAddr, true)
					if r.Header.Get("If-None-Match") != `"e"` {
						t.Errorf("the validator did not arrive: %v", r.Header)
					}
					w.Header().Set("Etag", `"e"`)
					w.WriteHeader(304)
				}))
				before, behindIt := newEnds(), newEnds()
				var status atomic.Int64
				chain := plugins.NewChain([]*plugins.Instance{
					{Step: plugins.Request, Decider: decides(func(e *plugins.Exchange) plugins.Decision {
						e.Request.Fields.Set("If-None-Match", []byte(`"e"`))
						return plugins.Continue
					}), Storer: &storer{store: func(e *plugins.Exchange) (plugins.Filter, *plugins.Answer) {
						status.Store(int64(e.Response.Status))
						return nil, stale()
					}}},
					{Step: plugins.UpstreamResponse, BodyFilterer: filters(func(*plugins.Exchange) plugins.Filter { return &marking{ends: before} })},
					{Step: plugins.Response, Responder: responds(func(e *plugins.Exchange) { e.Response.Fields.Set("X-Seen", []byte("yes")) }),
						BodyFilterer: filters(func(*plugins.Exchange) plugins.Filter { return &marking{ends: behindIt, mark: '!'} })},
				})
				r := newRig(t, rigOptions{addrs: []string{s.Listener.Addr().String()}, server: speaks(t, front), upstream: reaches(behind), plugins: chain})
				client, base := r.user(front)
				resp, body := ask(t, client, "GET", base+"/")
				if resp.StatusCode != 200 || string(body) != "stored!" || resp.Header.Get("X-Seen") != "yes" || status.Load() != 304 ||
					len(resp.Header["Date"]) != 1 || resp.Header.Get("Cache-Control") != "" || resp.Header.Get("Etag") != "" {
					t.Errorf("got %d %q %v; the storer saw %d", resp.StatusCode, body, resp.Header, status.Load())
				}
				behindIt.wait(t, true)
				if before.told.Load() != 0 {
					t.Error("a filter was asked for a body that is not there")
				}
				for range 3 {
					ask(t, client, "GET", base+"/")
				}
				connections := 0
				peers.Range(func(_, _ any) bool { connections++; return true })
				if connections != 1 {
					t.Errorf("%d connections to the upstream", connections)
				}
			})
		}
	}
}

func TestALargeBodyThatTheStorerReplacesIsNotReadAndNotMixedUp(t *testing.T) {
	b := newBackend(t, func(p *scripted) {
		for {
			if _, ok := p.request(); !ok {
				return
			}
			p.reply("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 10000000\r\n\r\n" + strings.Repeat("x", 100_000))
		}
	})
	kept := newReading(true)
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, plugins: plugins.NewChain([]*plugins.Instance{{Storer: &storer{
		store: func(e *plugins.Exchange) (plugins.Filter, *plugins.Answer) { return kept, stale() }}}})})
	c := r.dial()
	for range 3 {
		c.send(get)
		if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 200 OK\r\n") {
			t.Fatalf("head %q", head)
		}
		if body := c.body(6); body != "stored" {
			t.Fatalf("body %q", body)
		}
		<-kept.seen
	}
	if kept.complete.Load() {
		t.Error("the filter takes the body for complete")
	}
}

func TestTheStorerRescuesWhatWouldBeAnError(t *testing.T) {
	nobodyHome, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, nobodyHome.Close())
	for _, tc := range []struct {
		name, request, response string
		addrs                   []string
		max                     config.Size
		asked                   int // status that Rescue is asked for; 0 for not asked
		kind                    string
	}{
		{name: "refused", addrs: []string{nobodyHome.Addr().String()}, asked: 502, kind: "ConnectRefused"},
		{name: "silent", response: "", asked: 504, kind: "ReadTimedout"},
		{name: "bad head", response: "nonsense\r\n\r\n", asked: 502, kind: "InvalidHTTPHeader"},
		{name: "bad body with the head", response: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nX\r\n", asked: 502, kind: "InvalidBody"},
		{name: "half a head", response: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n", asked: 502, kind: "ConnectionClosed"},
		{name: "no upstream", addrs: []string{}, asked: 503, kind: "HTTPStatus"},
		{name: "too large a body is no failure of the upstream's", request: "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", max: 2},
		{name: "short body", response: "HTTP/1.1 200 OK\r\nContent-Length: 500\r\nConnection: close\r\n\r\nhello"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBackend(t, func(p *scripted) {
				if _, ok := p.request(); ok {
					p.reply(tc.response)
					if tc.response == "" {
						_, _ = p.request()
					}
				}
			})
			if tc.addrs == nil {
				tc.addrs = []string{b.addr()}
			}
			var asked atomic.Int64
			r := newRig(t, rigOptions{addrs: tc.addrs, location: config.Location{ClientMaxBodySize: tc.max},
				upstream: func(u *config.Upstream) { u.ReadTimeout = config.Duration(300 * time.Millisecond) },
				plugins: plugins.NewChain([]*plugins.Instance{{Storer: &storer{rescue: func(_ *plugins.Exchange, status int) *plugins.Answer {
					asked.Store(int64(status))
					return stale()
				}}}})})
			if tc.request == "" {
				tc.request = get
			}
			c := r.dial().send(tc.request)
			must(t, c.Conn.(*net.TCPConn).CloseWrite())
			head := c.head()
			if tc.asked > 0 && (!strings.HasPrefix(head, "HTTP/1.1 200 OK") || c.rest() != "stored") {
				t.Errorf("head %q", head)
			}
			if line := r.log.wait(t, 0); int(asked.Load()) != tc.asked || tc.asked > 0 && (line.kind != tc.kind || line.status != 200) {
				t.Errorf("asked for %d, log %+v", asked.Load(), line)
			}
		})
	}
}

// background is a rig whose requests are answered at once and refreshed in the background.
type background struct {
	*rig
	store   *storer
	states  chan *ends // of each request in the background
	decided atomic.Int64
	order   []string // what ran in the background; guarded by mu
	mu      sync.Mutex
}

func newBackground(t *testing.T, addr string, step plugins.Step, store *storer) *background {
	k := &background{store: store, states: make(chan *ends, 1000)}
	note := func(what string) responds {
		return func(*plugins.Exchange) {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.order = append(k.order, what)
		}
	}
	chain := plugins.NewChain([]*plugins.Instance{
		{Step: step, Storer: k.store, Decider: decides(func(e *plugins.Exchange) plugins.Decision {
			k.decided.Add(1)
			e.Request.Fields.Set("If-None-Match", []byte(`"e"`))
			state := newEnds()
			k.states <- state
			e.State = state
			return plugins.Decision{Answer: stale(), Refresh: true, Reason: "stale"}
		})},
		{Step: plugins.UpstreamResponse, UpstreamResponder: note("upstream")},
		{Step: plugins.Response, Responder: note("client"), BodyFilterer: filters(func(*plugins.Exchange) plugins.Filter {
			return &marking{ends: newEnds(), mark: '!'}
		})},
	})
	k.rig = newRig(t, rigOptions{addrs: []string{addr}, plugins: chain, location: config.Location{Rewrite: "^/old/ /new/"},
		upstream: func(u *config.Upstream) { u.ReadTimeout = config.Duration(patience) }})
	return k
}

func TestARefreshGoesUpInTheBackgroundForTheStorerAlone(t *testing.T) {
	for _, step := range []plugins.Step{plugins.EarlyRequest, plugins.Request} {
		release := make(chan struct{})
		b := newBackend(t, func(p *scripted) {
			for {
				if _, ok := p.request(); !ok {
					return
				}
				<-release
				p.reply(ok5)
			}
		})
		all := make(chan *reading, 2)
		k := newBackground(t, b.addr(), step, &storer{store: func(e *plugins.Exchange) (plugins.Filter, *plugins.Answer) {
			if path, _ := e.Request.Fields.Lookup("if-none-match"); string(path) != `"e"` || e.State == nil {
				t.Errorf("the storer saw %q and the state %v", path, e.State)
			}
			kept := newReading(true)
			all <- kept
			return kept, nil
		}})
		c := k.dial().send("GET /old/x?q HTTP/1.1\r\nHost: h\r\nX-Mine: yes\r\n\r\n")
		c.head()
		if got := c.body(14); got != "6\r\nstored\r\n1\r\n" {
			t.Errorf("body %q", got)
		}
		c.send("GET /" + strings.Repeat("y", 8000) + " HTTP/1.1\r\nHost: other\r\nX-Not-Mine: yes\r\n\r\n") // the memory of the first request is used again
		close(release)
		state := <-k.states
		state.wait(t, true)
		(<-k.states).wait(t, true)
		for range 2 {
			(<-all).wait(t, true)
		}
		got := b.received()
		if !strings.HasPrefix(got, "GET /new/x?q HTTP/1.1\r\nHost: h\r\nX-Mine: yes\r\nIf-None-Match: \"e\"\r\n\r\n") && !strings.Contains(got, "\r\n\r\nGET /new/x?q HTTP/1.1\r\nHost: h\r\nX-Mine: yes\r\nIf-None-Match: \"e\"\r\n\r\n") {
			t.Errorf("the upstream got %.300q", got)
		}
		k.mu.Lock()
		if order := strings.Join(k.order, " "); strings.Count(order, "client") != 2 || strings.Count(order, "upstream") != 2 {
			t.Errorf("ran: %s", order)
		}
		k.mu.Unlock()
		k.log.wait(t, 1)
		k.log.mu.Lock()
		if len(k.log.lines) != 2 || k.decided.Load() != 2 {
			t.Errorf("%d lines in the log, decided %d times", len(k.log.lines), k.decided.Load())
		}
		k.log.mu.Unlock()
	}
}

func TestARefreshThatFailsEndsIncomplete(t *testing.T) {
	for name, response := range map[string]string{"bad head": "nonsense\r\n\r\n", "short": "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", "nothing": ""} {
		t.Run(name, func(t *testing.T) {
			b := newBackend(t, func(p *scripted) { p.request(); p.reply(response) })
			kept := newReading(true)
			var rescued atomic.Int64
			k := newBackground(t, b.addr(), plugins.Request, &storer{
				store: func(*plugins.Exchange) (plugins.Filter, *plugins.Answer) { return kept, nil },
				rescue: func(_ *plugins.Exchange, status int) *plugins.Answer {
					rescued.Store(int64(status))
					return stale()
				}})
			c := k.dial().send(get)
			c.head()
			(<-k.states).wait(t, false)
			if name == "short" {
				kept.wait(t, false)
			} else if rescued.Load() != 502 {
				t.Errorf("rescue was asked for %d", rescued.Load())
			}
		})
	}
}

func TestAPanicInARefreshEndsIt(t *testing.T) {
	b := newBackend(t, answer(ok5))
	k := newBackground(t, b.addr(), plugins.Request, &storer{store: func(*plugins.Exchange) (plugins.Filter, *plugins.Answer) { panic("a bug") }})
	for range 3 {
		k.dial().send(get).head()
		(<-k.states).wait(t, false)
	}
	if n := k.p.Stats().Panics; n != 3 {
		t.Errorf("%d panics", n)
	}
}

func TestRefreshesAreBoundedAndDrainsWaitForThem(t *testing.T) {
	release := make(chan struct{})
	b := newBackend(t, func(p *scripted) {
		if _, ok := p.request(); ok {
			<-release
			p.reply(ok5)
		}
	})
	k := newBackground(t, b.addr(), plugins.Request, &storer{})
	c := k.dial()
	const all = maxRefreshes + 10
	for range all {
		c.send(get).head()
		if !strings.HasSuffix(c.body(len("6\r\nstored\r\n1\r\n!\r\n0\r\n\r\n")), "0\r\n\r\n") {
			t.Fatal("not answered")
		}
	}
	must(t, c.Close())
	dropped := 0
	var running []*ends
	for range all {
		if state := <-k.states; state.told.Load() == 1 {
			dropped++
		} else {
			running = append(running, state)
		}
	}
	if dropped != 10 || k.p.Stats().InFlight < maxRefreshes {
		t.Errorf("%d were dropped; in flight %d", dropped, k.p.Stats().InFlight)
	}
	stop, drained := make(chan struct{}), make(chan struct{})
	go func() { k.p.Drained(stop); close(drained) }()
	select {
	case <-drained:
		t.Error("the drain did not wait")
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	<-drained
	close(stop)
	for _, state := range running {
		state.wait(t, true)
	}
}

func TestClosingCutsRefreshes(t *testing.T) {
	b := newBackend(t, func(p *scripted) { p.request(); p.request() }) // says nothing
	k := newBackground(t, b.addr(), plugins.Request, &storer{})
	k.dial().send(get).head()
	state := <-k.states
	for k.p.Stats().InFlight == 0 {
		time.Sleep(time.Millisecond)
	}
	k.closeProxy()
	state.wait(t, false)
}

func TestTheStorerIsAskedOverUpgradesAndCallsNeverForTunnels(t *testing.T) {
	b := newBackend(t, func(p *scripted) {
		p.request()
		p.reply("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_, _ = io.Copy(p.Conn, p.r)
	})
	var decided, responded, upstream atomic.Int64
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, plugins: plugins.NewChain([]*plugins.Instance{
		{Step: plugins.Request, Storer: &storer{store: func(*plugins.Exchange) (plugins.Filter, *plugins.Answer) {
			t.Error("the storer was asked")
			return nil, nil
		}}, Decider: decides(func(e *plugins.Exchange) plugins.Decision {
			decided.Add(1)
			if e.Request.Fields.Has(message.Upgrade) && strings.HasPrefix(string(e.Request.Path), "/no") {
				return plugins.Respond(plugins.Text(403, "no"), "test")
			}
			return plugins.Continue
		})},
		{Step: plugins.Response, Responder: responds(func(e *plugins.Exchange) { responded.Add(1); e.Response.Fields.Set("X-Seen", []byte("1")) })},
		{Step: plugins.UpstreamResponse, UpstreamResponder: responds(func(*plugins.Exchange) { upstream.Add(1) })},
	})})
	ask := func(path string) *rawClient {
		return r.dial().send(fmt.Sprintf("GET %s HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n", path))
	}
	c := ask("/")
	if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 101") || !strings.Contains(head, "X-Seen: 1") {
		t.Errorf("head %q", head)
	}
	if got := c.send("ping").body(4); got != "ping" {
		t.Errorf("got %q", got)
	}
	c.Close()
	if head := ask("/no").head(); !strings.HasPrefix(head, "HTTP/1.1 403") {
		t.Errorf("head %q", head)
	}
	if decided.Load() != 2 || responded.Load() != 1 || upstream.Load() != 1 {
		t.Errorf("decided %d, responded %d, upstream %d", decided.Load(), responded.Load(), upstream.Load())
	}
}
