package mirror

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"pingap/arena"
	words "pingap/arena/backend"
	"pingap/config"
	"pingap/message"
	"pingap/worker/http1"
	"pingap/worker/http2/client"
	"pingap/worker/upstream"
)

// patience bounds every wait of a test; it is never waited for in full unless something is broken.
const patience = 20 * time.Second

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newSender(t testing.TB) *Sender {
	pools := new(client.Pools)
	s := New(Options{Logger: zap.NewNop(), Mount: func(conn *upstream.Conn) (upstream.Mux, error) {
		var transport net.Conn = conn
		if conn.Secure != nil {
			transport = conn.Secure
		}
		return client.New(transport, client.Options{MaxStreams: 10, Pools: pools, WriteTimeout: patience,
			Closed: func(*client.Conn) { conn.Discard() }}), nil
	}})
	t.Cleanup(func() { s.Close(patience) })
	return s
}

func targetOf(t testing.TB, change func(*config.Upstream), addrs ...string) *Target {
	t.Helper()
	cfg := &config.Upstream{Name: "mirror", Addrs: addrs, Algo: "round_robin", ConnectionTimeout: config.Duration(2 * time.Second),
		ReadTimeout: config.Duration(patience), WriteTimeout: config.Duration(patience), IdleTimeout: config.Duration(time.Minute),
		EnableBackendStats: true, BackendStatsInterval: config.Duration(time.Minute)}
	if change != nil {
		change(cfg)
	}
	u, err := upstream.New(cfg, upstream.Options{})
	must(t, err)
	t.Cleanup(u.Close)
	return &Target{Upstream: u, Percent: 100, MaxBody: 1 << 20}
}

// recordOf parses a request; with the body that follows the head.
func recordOf(t testing.TB, raw string) (*message.Record, string) {
	t.Helper()
	rec := &message.Record{Conn: &message.Conn{Remote: netip.MustParseAddrPort("192.0.2.1:1000"), RemoteText: []byte("192.0.2.1")}}
	rec.ClientIPText = rec.Conn.RemoteText
	n, _, err := http1.ParseRequest([]byte(raw), &rec.Request, &http1.Limits{Head: 1 << 16, Fields: 100, Target: 1 << 12})
	if err != nil || n == 0 {
		t.Fatalf("%q: %v", raw, err)
	}
	return rec, raw[n:]
}

// mirror sends a copy of a raw request, in the way proxies do.
func mirrorOf(t testing.TB, s *Sender, to *Target, raw string, chunked bool) {
	t.Helper()
	rec, body := recordOf(t, raw)
	f := Framing{Length: int64(len(body)), Chunked: chunked, Announced: rec.Request.Fields.Has(message.ContentLength)}
	if chunked {
		f.Length = message.LengthUnknown
	}
	c := s.Begin(to, rec, &rec.Request.Fields, f)
	if c == nil {
		return
	}
	for _, p := range []string{body[:len(body)/2], body[len(body)/2:]} {
		c.Body([]byte(p))
	}
	clear([]byte(raw)) // a copy shows nothing of it
	c.Send()
}

// watched gives the one backend of a target a record.
func (to *Target) watched(t testing.TB) *arena.Record {
	t.Helper()
	host, port, err := net.SplitHostPort(to.Upstream.Config.Addrs[0])
	must(t, err)
	n, err := strconv.Atoi(port)
	must(t, err)
	rec := arena.NewRecord()
	to.Upstream.SetEndpoints([]upstream.Endpoint{{Address: config.Address{Network: "tcp", Host: host, Port: n}, Weight: 1, Record: rec}}, nil)
	return rec
}

func (s *Sender) until(t testing.TB, what string, f func(Stats) bool) {
	t.Helper()
	for end := time.Now().Add(patience); !f(s.Stats()); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: %+v", what, s.Stats())
		}
	}
}

// seen are the requests that a server got, as text.
type seen struct {
	mu   sync.Mutex
	list []string
}

func (l *seen) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	l.mu.Lock()
	l.list = append(l.list, fmt.Sprintf("%s %s %s %s %d %s", r.Proto, r.Method, r.Host, r.URL, r.ContentLength, body))
	l.mu.Unlock()
	w.Header().Set("X-Conn", r.RemoteAddr)
	_, _ = io.WriteString(w, strings.Repeat("x", 10_000))
}

func (l *seen) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.list...)
}

func serve(t testing.TB, h http.Handler, transport string) *httptest.Server {
	s := httptest.NewUnstartedServer(h)
	t.Cleanup(s.Close)
	var p http.Protocols
	p.SetHTTP1(strings.HasPrefix(transport, "h1"))
	p.SetHTTP2(transport == "h2 tls")
	p.SetUnencryptedHTTP2(transport == "h2c")
	s.Config.Protocols = &p
	if strings.HasSuffix(transport, "tls") {
		s.EnableHTTP2 = transport == "h2 tls"
		s.StartTLS()
	} else {
		s.Start()
	}
	return s
}

func reaches(transport string) func(*config.Upstream) {
	return func(u *config.Upstream) {
		if strings.HasSuffix(transport, "tls") {
			u.SNI = "example.com"
		}
		if strings.HasPrefix(transport, "h2") {
			u.ALPN, u.MaxH2Streams = "H2", 10
		}
	}
}

func TestCopiesAreWhatTheUpstreamGets(t *testing.T) {
	for _, tc := range []struct {
		name, raw string
		chunked   bool
		want      string // after the protocol
	}{
		{"no body", "GET /a?b=c HTTP/1.1\r\nHost: site.test\r\nX: y\r\n\r\n", false, "GET site.test /a?b=c 0 "},
		{"a body", "POST /p HTTP/1.1\r\nHost: site.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello", false, "POST site.test /p 5 hello"},
		{"an empty body", "POST /p HTTP/1.1\r\nHost: site.test\r\nContent-Length: 0\r\n\r\n", false, "POST site.test /p 0 "},
		{"chunks", "PUT /p HTTP/1.1\r\nHost: site.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\nA: b\r\n\r\n", true, "PUT site.test /p 6 hello!"},
		{"a large body", "POST /l HTTP/1.1\r\nHost: site.test\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("z", 100_000), false,
			"POST site.test /l 100000 " + strings.Repeat("z", 100_000)},
	} {
		for _, transport := range []string{"h1", "h1 tls", "h2c", "h2 tls"} {
			t.Run(tc.name+" "+transport, func(t *testing.T) {
				var got seen
				up := serve(t, &got, transport)
				s := newSender(t)
				to := targetOf(t, func(u *config.Upstream) { reaches(transport)(u); u.VerifyCert = false }, up.Listener.Addr().String())
				rec := to.watched(t)
				for range 3 {
					mirrorOf(t, s, to, tc.raw, tc.chunked)
					s.until(t, "at rest", func(st Stats) bool { return st.InFlight == 0 })
				}
				list := got.all()
				for _, line := range list {
					if _, rest, _ := strings.Cut(line, " "); rest != tc.want {
						t.Errorf("got %.200q, want %.200q", rest, tc.want)
					}
				}
				if st := s.Stats(); st.Sent != 3 || len(list) != 3 || st.Held != 0 {
					t.Errorf("%d came, %+v", len(list), st)
				}
				if is := words.Read(rec, words.Now()); is.Requests != 3 || is.Failures != 0 || is.InFlight != 0 {
					t.Errorf("the backend was told %+v", is)
				}
				if n := to.Upstream.OpenConnections(); n != 1 {
					t.Errorf("%d connections are open, want the one that was used again", n)
				}
			})
		}
	}
}

func TestARequestWithoutHostGetsThatOfItsBackend(t *testing.T) {
	var got seen
	up := serve(t, &got, "h1")
	s := newSender(t)
	addr := up.Listener.Addr().String()
	mirrorOf(t, s, targetOf(t, nil, addr), "GET / HTTP/1.0\r\n\r\n", false)
	s.until(t, "sent", func(st Stats) bool { return st.Sent == 1 })
	if list := got.all(); len(list) != 1 || !strings.Contains(list[0], " "+addr+" ") {
		t.Errorf("got %q", list)
	}
}

func TestBodiesThatAreTooLongAreNotMirrored(t *testing.T) {
	var got seen
	up := serve(t, &got, "h1")
	s := newSender(t)
	to := targetOf(t, nil, up.Listener.Addr().String())
	to.MaxBody = 10
	post := func(n int) string {
		return fmt.Sprintf("POST /%d HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", n, n, strings.Repeat("b", n))
	}
	chunk := func(n int) string {
		return fmt.Sprintf("POST /%d HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", n, n, strings.Repeat("b", n))
	}
	for _, n := range []int{9, 10, 11, 10_000} {
		mirrorOf(t, s, to, post(n), false)
		mirrorOf(t, s, to, chunk(n), true)
	}
	s.until(t, "sent", func(st Stats) bool { return st.Sent == 4 && st.InFlight == 0 })
	for _, line := range got.all() {
		if !strings.Contains(line, " /9 ") && !strings.Contains(line, " /10 ") {
			t.Errorf("%q was mirrored", line)
		}
	}
	if st := s.Stats(); st.Dropped != 0 || st.Held != 0 {
		t.Errorf("%+v", st)
	}
}

func TestAShareOfTheRequestsIsMirrored(t *testing.T) {
	var got seen
	up := serve(t, &got, "h1")
	s := newSender(t)
	to := targetOf(t, nil, up.Listener.Addr().String())
	for _, percent := range []int{0, 30} {
		to.Percent = percent
		for range 1000 {
			mirrorOf(t, s, to, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", false)
			s.until(t, "not full", func(st Stats) bool { return st.InFlight < 20 })
		}
		s.until(t, "at rest", func(st Stats) bool { return st.InFlight == 0 })
		if n := len(got.all()); percent == 0 && n != 0 || percent == 30 && (n < 200 || n > 400) {
			t.Errorf("%d of 1000 at %d %%", n, percent)
		}
	}
}

// silent accepts and says nothing, until the test is over.
func silent(t testing.TB) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
		}
	})
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
		for _, c := range conns {
			c.Close()
		}
	})
	return l
}

func TestAHangingUpstreamHoldsABoundedNumberOfCopies(t *testing.T) {
	s := newSender(t)
	to := targetOf(t, nil, silent(t).Addr().String())
	rec := to.watched(t)
	for range 2 * maxInFlight {
		mirrorOf(t, s, to, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", false)
	}
	if st := s.Stats(); st.InFlight != maxInFlight || st.Dropped != maxInFlight {
		t.Errorf("%+v", st)
	}
	begin := time.Now()
	s.Close(50 * time.Millisecond)
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("Close took %v", took)
	}
	if st := s.Stats(); st.InFlight != 0 || st.Held != 0 || st.Failed != maxInFlight {
		t.Errorf("after Close %+v", st)
	}
	if n := to.Upstream.OpenConnections(); n != 0 {
		t.Errorf("%d connections are open", n)
	}
	is := words.Read(rec, words.Now())
	if is.Requests != 0 || is.InFlight != 0 { // what we cut ourselves says nothing
		t.Errorf("the backend was told %+v", is)
	}
	for _, b := range to.Upstream.Backends() {
		if n := b.InFlight(); n != 0 {
			t.Errorf("%d count as in flight", n)
		}
	}
}

func TestCopiesTogetherHoldABoundedAmountOfMemory(t *testing.T) {
	s := newSender(t)
	to := targetOf(t, nil, silent(t).Addr().String())
	to.MaxBody = maxHeld
	rec, _ := recordOf(t, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n")
	piece := make([]byte, 1<<20)
	var list []*Copy
	for range 4 {
		c := s.Begin(to, rec, &rec.Request.Fields, Framing{Length: message.LengthUnknown})
		for range 20 {
			c.Body(piece)
		}
		list = append(list, c)
	}
	over := 0
	for _, c := range list {
		if c.over {
			over++
		}
		c.Drop()
	}
	if over != 1 {
		t.Errorf("%d of 4 copies of 20 MiB were given up, want 1", over)
	}
	if st := s.Stats(); st.Held != 0 {
		t.Errorf("%+v", st)
	}
}

func TestWhatBackendsOfCopiesDoWrongEndsTheCopyAlone(t *testing.T) {
	for name, reply := range map[string]string{
		"nothing":    "",
		"half":       "HTTP/1.1 200 OK\r\nContent-Le",
		"garbage":    "garbage\r\n\r\n",
		"short":      "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
		"switch":     "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
		"bad chunks": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"endless":    "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 2*readSize),
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			must(t, err)
			var wg sync.WaitGroup
			wg.Go(func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					_, _ = http.ReadRequest(bufio.NewReader(c))
					_, _ = io.WriteString(c, reply)
					c.Close()
				}
			})
			t.Cleanup(func() { l.Close(); wg.Wait() })
			s := newSender(t)
			to := targetOf(t, nil, l.Addr().String())
			rec := to.watched(t)
			mirrorOf(t, s, to, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", false)
			s.until(t, "failed", func(st Stats) bool { return st.Failed == 1 && st.InFlight == 0 })
			if is := words.Read(rec, words.Now()); is.Requests != 1 || is.Failures != 1 || is.InFlight != 0 {
				t.Errorf("the backend was told %+v", is)
			}
			if n := to.Upstream.OpenConnections(); n != 0 {
				t.Errorf("%d connections are open", n)
			}
		})
	}
}

func BenchmarkBegin(b *testing.B) {
	s := newSender(b)
	to := targetOf(b, nil, "127.0.0.1:1")
	rec, _ := recordOf(b, "GET /api/items?page=2 HTTP/1.1\r\nHost: example.com\r\nUser-Agent: Mozilla/5.0\r\nAccept: */*\r\nCookie: a=b\r\n\r\n")
	b.ReportAllocs()
	for b.Loop() {
		s.Begin(to, rec, &rec.Request.Fields, Framing{}).Drop()
	}
}
