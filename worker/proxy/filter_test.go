package proxy

import (
	"bytes"
	"errors"
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
	"pingap/message"
	"pingap/plugins"
)

// marking adds a letter behind each line, and one more at the end.
type marking struct {
	*ends
	mark byte
}

func (m *marking) Filter(dst, piece []byte, last bool) ([]byte, error) {
	dst = append(dst, piece...)
	if last {
		dst = append(dst, m.mark)
	}
	return dst, nil
}

// storing is a location's chain with filters before, at and behind a Storer, and its Storer's filter.
func storing(store *storer) *plugins.Chain {
	mark := func(name string, step plugins.Step) *plugins.Instance {
		return &plugins.Instance{Name: name, Step: step, UpstreamResponder: responds(func(*plugins.Exchange) {}),
			BodyFilterer: filters(func(*plugins.Exchange) plugins.Filter { return &marking{mark: name[0], ends: newEnds()} })}
	}
	return plugins.NewChain([]*plugins.Instance{mark("behind", plugins.Response), {Name: "store", Step: plugins.Request, Storer: store},
		mark("upstream", plugins.UpstreamResponse)})
}

func TestTheStorerSeesTheBodyBehindUpstreamFiltersAndBeforeOthers(t *testing.T) {
	for _, behind := range transports() {
		for _, front := range transports() {
			up := originSaying(t, behind, "hello")
			kept := newReading(false)
			var length, fields atomic.Int64
			store := &storer{store: func(e *plugins.Exchange) (plugins.Filter, *plugins.Answer) {
				length.Store(e.Response.BodyLength)
				fields.Store(int64(len(e.Response.Fields.Get(message.ContentLength))))
				return kept, nil
			}}
			r := newRig(t, rigOptions{addrs: []string{up}, server: speaks(t, front), upstream: reaches(behind), plugins: storing(store)})
			client, base := r.user(front)
			resp, body := ask(t, client, "GET", base+"/")
			if string(body) != "helloub" || resp.ContentLength != -1 {
				t.Errorf("%s to %s: got %q, length %d", front, behind, body, resp.ContentLength)
			}
			kept.wait(t, true)
			if kept.text() != "hellou" || !kept.last || length.Load() != message.LengthUnknown || fields.Load() != 0 {
				t.Errorf("%s to %s: stored %q, last %t, length %d", front, behind, kept.text(), kept.last, length.Load())
			}
		}
	}
}

// originSaying is an upstream over a transport that answers everything with a text.
func originSaying(t testing.TB, transport, text string) string {
	s := originWith(t, transport, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }))
	return s.Listener.Addr().String()
}

func TestAStorersFilterLeavesTheResponseAsItIs(t *testing.T) {
	for _, tc := range []struct{ name, request, response, want, stored string }{
		{"length", get, ok5, "HTTP/1.1 200 OK\r\nX-Up: yes\r\nContent-Length: 5\r\n\r\nhello", "hello"},
		{"empty", get, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""},
		{"chunks and trailers", get, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Sum: 7\r\n\r\n",
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Sum: 7\r\n\r\n", "x"},
		{"HEAD", "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n", ""},
		{"304", get, "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			kept := newReading(false)
			b := newBackend(t, answer(tc.response))
			r := newRig(t, rigOptions{addrs: []string{b.addr()}, plugins: plugins.NewChain([]*plugins.Instance{{Storer: &storer{
				store: func(*plugins.Exchange) (plugins.Filter, *plugins.Answer) { return kept, nil }}}})})
			c := r.dial().send(tc.request)
			if got := c.body(len(tc.want)); got != tc.want {
				t.Errorf("got %q", got)
			}
			kept.wait(t, true)
			if kept.text() != tc.stored {
				t.Errorf("stored %q", kept.text())
			}
		})
	}
}

// TestFiltersGiveOutWhatTheyHoldWhenTheUpstreamPauses has an upstream that says more only after the client has what came before.
func TestFiltersGiveOutWhatTheyHoldWhenTheUpstreamPauses(t *testing.T) {
	for _, behind := range transports() {
		for _, front := range transports() {
			t.Run(front+" to "+behind, func(t *testing.T) {
				more := make(chan struct{})
				s := originWith(t, behind, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					_, _ = io.WriteString(w, "first")
					w.(http.Flusher).Flush()
					<-more
					_, _ = io.WriteString(w, "second")
				}))
				over := newEnds()
				chain := plugins.NewChain([]*plugins.Instance{
					{BodyFilterer: filters(func(*plugins.Exchange) plugins.Filter { return &shouting{ends: over} })},
					{BodyFilterer: filters(func(*plugins.Exchange) plugins.Filter { return &marking{ends: newEnds(), mark: '.'} })},
				})
				r := newRig(t, rigOptions{addrs: []string{s.Listener.Addr().String()}, server: speaks(t, front), upstream: reaches(behind), plugins: chain})
				client, base := r.user(front)
				resp, err := client.Get(base + "/")
				must(t, err)
				defer resp.Body.Close()
				buf := make([]byte, 5)
				_, err = io.ReadFull(resp.Body, buf)
				must(t, err)
				close(more)
				rest, err := io.ReadAll(resp.Body)
				must(t, err)
				if string(buf)+string(rest) != "FIRSTSECOND." {
					t.Errorf("got %q, %q", buf, rest)
				}
				over.wait(t, true)
			})
		}
	}
}

// ending is what a test of ends works with.
type ending struct {
	t      *testing.T
	r      *rig
	filter *ends // of a filter of the body
	over   *ends // of the exchange
}

// broken filters fail or panic with the first piece.
type failing struct {
	*ends
	panics bool
	late   bool // only with the last piece
}

func (f *failing) Filter(_, _ []byte, last bool) ([]byte, error) {
	if f.late && !last {
		return nil, nil
	}
	if f.panics {
		panic("a bug in a filter")
	}
	return nil, errors.New("failed")
}

// TestEverythingIsToldOfItsEndOnce ends exchanges in every way.
func TestEverythingIsToldOfItsEndOnce(t *testing.T) {
	long := "HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n" + strings.Repeat("x", 1000)
	for _, tc := range []struct {
		name, request, response string
		filter                  func(*ends) plugins.Filter // nil for one that passes everything
		act                     func(*ending, *rawClient)
		filterEnds              bool // it is there
		filterWhole, whole      bool
	}{
		{name: "complete", response: ok5, filterEnds: true, filterWhole: true, whole: true},
		{name: "no body", response: "HTTP/1.1 204 No Content\r\n\r\n", whole: true},
		{name: "nothing in the body", response: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", whole: true},
		{name: "HEAD", request: "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", response: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", filterEnds: true, filterWhole: true, whole: true},
		{name: "bad head", response: "nonsense\r\n\r\n", whole: true},
		{name: "short body", response: "HTTP/1.1 200 OK\r\nContent-Length: 50\r\nConnection: close\r\n\r\nhello", filterEnds: true},
		{name: "bad chunk with the head", response: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX", filterEnds: true},
		{name: "filter that fails", response: ok5, filterEnds: true, whole: true, filter: func(e *ends) plugins.Filter { return &failing{ends: e} }},
		{name: "filter that panics", response: ok5, filterEnds: true, whole: true, filter: func(e *ends) plugins.Filter { return &failing{ends: e, panics: true} }},
		{name: "filter that fails at the end", response: ok5, filterEnds: true, whole: true, filter: func(e *ends) plugins.Filter { return &failing{ends: e, late: true} }},
		{name: "filter whose end panics", response: ok5, filterEnds: true, filterWhole: true, whole: true, filter: func(e *ends) plugins.Filter { return &rude{marking{ends: e}} }},
		{name: "client gone in the body", response: long, filterEnds: true, act: func(_ *ending, c *rawClient) { c.head(); c.Close() }},
		{name: "client gone before the head", response: "", act: func(e *ending, c *rawClient) {
			for e.r.p.Stats().InFlight == 0 {
				time.Sleep(time.Millisecond)
			}
			c.Close()
		}},
		{name: "cut", response: long, filterEnds: true, act: func(e *ending, c *rawClient) { c.head(); e.r.closeProxy() }},
		{name: "tunnel", request: "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
			response: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n", whole: true,
			act: func(_ *ending, c *rawClient) { c.head(); c.Close() }},
		{name: "answered here", whole: true, request: "GET /here HTTP/1.1\r\nHost: h\r\n\r\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := &ending{t: t, filter: newEnds(), over: newEnds()}
			b := newBackend(t, func(p *scripted) {
				if _, ok := p.request(); ok {
					p.reply(tc.response)
					if !strings.Contains(tc.response, "close") && !strings.HasSuffix(tc.response, "X") {
						_, _ = p.request() // until the proxy has enough
					}
				}
			})
			if tc.filter == nil {
				tc.filter = func(e *ends) plugins.Filter { return &marking{ends: e} }
			}
			e.r = newRig(t, rigOptions{addrs: []string{b.addr()}, plugins: plugins.NewChain([]*plugins.Instance{
				{Step: plugins.Request, Decider: decides(func(ex *plugins.Exchange) plugins.Decision {
					ex.AtEnd(e.over)
					if string(ex.Request.Path) == "/here" {
						return plugins.Respond(plugins.Text(200, "here"), "test")
					}
					return plugins.Continue
				})},
				{BodyFilterer: filters(func(*plugins.Exchange) plugins.Filter { return tc.filter(e.filter) })},
			})})
			if tc.request == "" {
				tc.request = get
			}
			c := e.r.dial().send(tc.request)
			if tc.act != nil {
				tc.act(e, c)
			}
			e.over.wait(t, tc.whole)
			if tc.filterEnds {
				e.filter.wait(t, tc.filterWhole)
			} else if e.filter.told.Load() != 0 {
				t.Error("a filter was told")
			}
		})
	}
}

// rude is told of its end and panics.
type rude struct{ marking }

func (r *rude) End(complete bool) {
	r.marking.End(complete)
	panic("a bug at the end")
}

// TestARetryThatReplacesAResponseHasOneEnd holds the response of a backend back for that of another.
func TestARetryThatReplacesAResponseHasOneEnd(t *testing.T) {
	no := answer("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nno")
	bad, worse := newBackend(t, no), newBackend(t, no)
	over := newEnds()
	var made atomic.Int64
	r := newRig(t, rigOptions{addrs: []string{bad.addr(), worse.addr()}, location: config.Location{MaxRetries: 1},
		upstream: func(u *config.Upstream) { u.RetryStatus, u.RetryBudget = "503", 20 },
		plugins: plugins.NewChain([]*plugins.Instance{{BodyFilterer: filters(func(*plugins.Exchange) plugins.Filter {
			made.Add(1)
			return &marking{ends: over, mark: '.'}
		})}})})
	c := r.dial().send(get)
	if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 503 ") {
		t.Errorf("head %q", head)
	}
	over.wait(t, true)
	if line := r.log.wait(t, 0); made.Load() != 1 || line.attempts != 2 {
		t.Errorf("%d filters, log %+v", made.Load(), line)
	}
}

// TestAFilterSeesEveryByteOnceInOrder also has bodies that come in many pieces.
func TestAFilterSeesEveryByteOnceInOrder(t *testing.T) {
	data := pattern(1 << 20)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/length" {
			w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		}
		for _, p := range cut(data) {
			_, _ = w.Write(p)
		}
	}))
	defer s.Close()
	var mu sync.Mutex
	var kept *reading
	r := newRig(t, rigOptions{addrs: []string{s.Listener.Addr().String()}, plugins: plugins.NewChain([]*plugins.Instance{{Storer: &storer{
		store: func(*plugins.Exchange) (plugins.Filter, *plugins.Answer) {
			mu.Lock()
			defer mu.Unlock()
			kept = newReading(true)
			return kept, nil
		}}}})})
	client, base := r.user("h1")
	for _, path := range []string{"/length", "/chunks"} {
		if _, body := ask(t, client, "GET", base+path); !bytes.Equal(body, data) {
			t.Errorf("%s: the client got %d bytes", path, len(body))
		}
		mu.Lock()
		f := kept
		mu.Unlock()
		f.wait(t, true)
		if f.text() != string(data) {
			t.Errorf("%s: the filter saw %d bytes", path, len(f.text()))
		}
	}
}

// TestAFillGoesOnWithoutItsClientWhileItIsWanted has the client leave in the middle of a body.
func TestAFillGoesOnWithoutItsClientWhileItIsWanted(t *testing.T) {
	for _, front := range transports() {
		for _, wanted := range []bool{true, false} {
			for _, pause := range []bool{true, false} { // whether the proxy finds out by looking, or by a write that fails
				t.Run(fmt.Sprintf("%s wanted %t pause %t", front, wanted, pause), func(t *testing.T) { fill(t, front, wanted, pause) })
			}
		}
	}
}

func fill(t *testing.T, front string, wanted, pause bool) {
	half := strings.Repeat("x", 1<<20)
	left, gone := make(chan struct{}), make(chan struct{})
	b := newBackend(t, func(p *scripted) {
		p.request()
		p.reply("HTTP/1.1 200 OK\r\nContent-Length: 4194304\r\n\r\n" + half)
		<-left
		if pause {
			select {
			case <-gone:
			case <-time.After(1500 * time.Millisecond): // the sweeper looks twice a second
			}
		}
		p.reply(half + half + half)
		_, _ = p.request()
	})
	kept := newReading(wanted)
	over := newEnds()
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, server: speaks(t, front), plugins: plugins.NewChain([]*plugins.Instance{
		{Step: plugins.Request, Decider: decides(func(e *plugins.Exchange) plugins.Decision { e.AtEnd(over); return plugins.Continue })},
		{Storer: &storer{store: func(*plugins.Exchange) (plugins.Filter, *plugins.Answer) { return kept, nil }}},
		{BodyFilterer: filters(func(*plugins.Exchange) plugins.Filter { return &marking{ends: newEnds()} })},
	})})
	client, base := r.user(front)
	resp, err := client.Get(base + "/")
	must(t, err)
	_, err = io.CopyN(io.Discard, resp.Body, 1000)
	must(t, err)
	must(t, resp.Body.Close())
	client.CloseIdleConnections()
	close(left)
	over.wait(t, false)
	close(gone)
	kept.wait(t, wanted)
	if wanted && len(kept.text()) != 4<<20 {
		t.Errorf("stored %d bytes", len(kept.text()))
	}
	if line := r.log.wait(t, 0); line.status != 200 {
		t.Errorf("log %+v", line)
	}
}

func TestConnectionsServeOnAfterPlugins(t *testing.T) {
	b := newBackend(t, answer(ok5))
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, plugins: plugins.NewChain([]*plugins.Instance{
		{BodyFilterer: filters(func(*plugins.Exchange) plugins.Filter { return &marking{ends: newEnds(), mark: '.'} })}})})
	c := r.dial()
	for range 5 {
		want := "HTTP/1.1 200 OK\r\nX-Up: yes\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n.\r\n0\r\n\r\n"
		if got := c.send(get).body(len(want)); got != want {
			t.Fatalf("got %q", got)
		}
	}
	if n := b.open.Load(); n != 1 {
		t.Errorf("%d connections to the upstream", n)
	}
	must(t, c.Conn.(*net.TCPConn).CloseWrite())
}
