package proxy

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"pingap/config"
	"pingap/message"
	"pingap/plugins"
	"pingap/worker/errorpage"
	"pingap/worker/http1"
	"pingap/worker/route"
	"pingap/worker/upstream"
)

// patience bounds every wait of a test; it is never waited for in full unless something is broken.
const patience = 20 * time.Second

// rig is a proxy with one server, one location and one scripted upstream, over real sockets.
type rig struct {
	t        testing.TB
	p        *Proxy
	front    net.Listener
	server   *Server
	location *Location
	up       *upstream.Upstream
	log      *recorder
	conns    sync.WaitGroup
}

// recorder keeps what the proxy logs.
type recorder struct {
	mu    sync.Mutex
	lines []logLine
	seen  chan struct{}
}

type logLine struct {
	status, attempts int
	kind             string
	sent, received   int64
	reused           bool
	remote           string
	method, path     string
}

func (r *recorder) Log(rec *message.Record) {
	r.mu.Lock()
	r.lines = append(r.lines, logLine{
		status: rec.Status, kind: rec.ErrorType, sent: rec.ResponseBody, received: rec.RequestBody,
		attempts: rec.UpstreamAttempts, reused: rec.UpstreamReused,
		remote: string(rec.Conn.RemoteText), method: string(rec.Request.Method), path: string(rec.Request.Path),
	})
	r.mu.Unlock()
	select {
	case r.seen <- struct{}{}:
	default:
	}
}

// wait returns the n-th line (from 0) once it is there.
func (r *recorder) wait(t testing.TB, n int) logLine {
	t.Helper()
	deadline := time.After(patience)
	for {
		r.mu.Lock()
		if len(r.lines) > n {
			line := r.lines[n]
			r.mu.Unlock()
			return line
		}
		r.mu.Unlock()
		select {
		case <-r.seen:
		case <-deadline:
			t.Fatalf("log line %d did not come", n)
		}
	}
}

// rigOptions change what a rig is built from.
type rigOptions struct {
	addrs    []string // backends; none means no upstream
	location config.Location
	server   func(*Server)
	upstream func(*config.Upstream)
	bind     func(*Location) // changes what the location is bound to
	plugins  *plugins.Chain
	quiet    bool // no log
	logger   *zap.Logger
	park     time.Duration
	unix     bool
}

func newRig(t testing.TB, o rigOptions) *rig {
	t.Helper()
	if o.logger == nil {
		o.logger = zap.NewNop()
	}
	p, err := New(Options{Logger: o.logger, ParkAfter: o.park})
	must(t, err)
	r := &rig{t: t, p: p, log: &recorder{seen: make(chan struct{}, 1)}}
	o.location.Name = "loc"
	compiled, err := route.Compile(&o.location, nil)
	must(t, err)
	r.location = &Location{
		Route: compiled, Plugins: o.plugins, MaxBody: int64(o.location.ClientMaxBodySize),
		MaxRetries: int(o.location.MaxRetries), TunnelIdle: patience,
		ChangesHeaders: len(o.location.ProxySetHeaders)+len(o.location.ProxyAddHeaders) > 0 || o.location.EnableReverseProxyHeaders,
	}
	if len(o.addrs) > 0 {
		cfg := &config.Upstream{Name: "up", Addrs: o.addrs, Algo: "round_robin",
			ConnectionTimeout: config.Duration(2 * time.Second), ReadTimeout: config.Duration(patience),
			WriteTimeout: config.Duration(patience), IdleTimeout: config.Duration(time.Minute)}
		if o.upstream != nil {
			o.upstream(cfg)
		}
		r.up, err = upstream.New(cfg, upstream.Options{})
		must(t, err)
		r.location.Upstream = r.up
	}
	r.server = &Server{
		Name: "web", Table: route.NewTable([]*route.Location{compiled}, route.Options{}),
		Locations: map[*route.Location]*Location{compiled: r.location}, Log: r.log,
		Limits:        http1.Limits{Head: 64 << 10, Fields: 128, Target: 8 << 10},
		HeaderTimeout: patience, KeepAliveTimeout: patience, ReadTimeout: patience, WriteTimeout: patience,
		Processing: new(atomic.Int64),
	}
	if o.bind != nil {
		o.bind(r.location)
	}
	if o.quiet {
		r.server.Log = nil
	}
	if o.server != nil {
		o.server(r.server)
	}
	site := &Site{Version: 1, Servers: []*Server{r.server}, ErrorPage: errorpage.New("", "test"), Upstreams: map[string]*upstream.Upstream{}}
	if r.up != nil {
		site.Upstreams["up"] = r.up
	}
	p.SetSite(site)
	network, addr := "tcp", "127.0.0.1:0"
	if o.unix {
		network, addr = "unix", t.TempDir()+"/front"
	}
	r.front, err = net.Listen(network, addr)
	must(t, err)
	r.run()
	return r
}

// run serves until the test ends, and then waits for every goroutine.
func (r *rig) run() {
	ran := make(chan struct{})
	go func() { defer close(ran); r.p.Run() }()
	accepting := make(chan struct{})
	go func() {
		defer close(accepting)
		for {
			c, err := r.front.Accept()
			if err != nil {
				return
			}
			r.conns.Add(1)
			go func() { defer r.conns.Done(); r.p.Serve(c, 0) }()
		}
	}()
	r.t.Cleanup(func() {
		r.front.Close()
		<-accepting
		r.closeProxy()
		<-ran
		r.conns.Wait()
		if r.up != nil {
			r.up.Close()
		}
		if n := r.p.Stats().InFlight; n != 0 {
			r.t.Errorf("%d requests are still counted as in flight", n)
		}
		if n := r.server.Processing.Load(); n != 0 {
			r.t.Errorf("%d requests are still counted as processing", n)
		}
		if r.up != nil {
			for _, b := range r.up.Backends() {
				if n := b.InFlight(); n != 0 {
					r.t.Errorf("%d requests are still counted as in flight at %s", n, b.Addr)
				}
			}
		}
	})
}

// closeProxy closes the proxy unless the test has done so.
func (r *rig) closeProxy() {
	select {
	case <-r.p.done:
	default:
		r.p.Close()
	}
}

// rawClient is a connection to the proxy that speaks raw bytes.
type rawClient struct {
	net.Conn
	t testing.TB
	r *bufio.Reader
}

func (r *rig) dial() *rawClient {
	r.t.Helper()
	c, err := net.Dial(r.front.Addr().Network(), r.front.Addr().String())
	must(r.t, err)
	must(r.t, c.SetDeadline(time.Now().Add(patience)))
	r.t.Cleanup(func() { c.Close() })
	return &rawClient{Conn: c, t: r.t, r: bufio.NewReader(c)}
}

func (c *rawClient) send(s string) *rawClient {
	c.t.Helper()
	_, err := io.WriteString(c.Conn, s)
	must(c.t, err)
	return c
}

// head reads a response head, up to and with its empty line.
func (c *rawClient) head() string {
	c.t.Helper()
	var b strings.Builder
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			c.t.Fatalf("reading a head: %v after %q", err, b.String())
		}
		b.WriteString(line)
		if line == "\r\n" {
			return b.String()
		}
	}
}

// body reads n bytes.
func (c *rawClient) body(n int) string {
	c.t.Helper()
	b := make([]byte, n)
	if got, err := io.ReadFull(c.r, b); err != nil {
		c.t.Fatalf("reading a body: %v after %q", err, b[:got])
	}
	return string(b)
}

// rest reads to the end of the connection.
func (c *rawClient) rest() string {
	c.t.Helper()
	b, err := io.ReadAll(c.r)
	if err != nil {
		c.t.Fatalf("reading to the end: %v after %q", err, b)
	}
	return string(b)
}

// backend is a scripted upstream: each connection is handed to the script.
type backend struct {
	t    testing.TB
	ln   net.Listener
	wg   sync.WaitGroup
	mu   sync.Mutex
	got  bytes.Buffer // everything that was received, guarded by mu
	open atomic.Int64 // connections accepted
}

// scripted is one connection at the backend.
type scripted struct {
	net.Conn
	b *backend
	r *bufio.Reader
	n int // the number of the connection, from 1
}

func newBackend(t testing.TB, script func(*scripted)) *backend {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	b := &backend{t: t, ln: ln}
	b.wg.Add(1)
	go func() {
		defer b.wg.Done()
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			n := int(b.open.Add(1))
			b.wg.Add(1)
			go func() {
				defer b.wg.Done()
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(patience))
				p := &scripted{Conn: c, b: b, n: n}
				p.r = bufio.NewReader(io.TeeReader(c, p))
				script(p)
			}()
		}
	}()
	t.Cleanup(func() { ln.Close(); b.wg.Wait() })
	return b
}

// Write of a peer's tee: what was received is kept. (Conn.Write is called through p.Conn.)
func (p *scripted) Write(b []byte) (int, error) {
	p.b.mu.Lock()
	defer p.b.mu.Unlock()
	return p.b.got.Write(b)
}

func (b *backend) addr() string { return b.ln.Addr().String() }

func (b *backend) received() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.got.String()
}

// request reads one request head; ok is false at the end of the stream.
func (p *scripted) request() (string, bool) {
	var s strings.Builder
	for {
		line, err := p.r.ReadString('\n')
		if err != nil {
			return "", false
		}
		s.WriteString(line)
		if line == "\r\n" {
			return s.String(), true
		}
	}
}

func (p *scripted) reply(s string) { _, _ = io.WriteString(p.Conn, s) }

// answer is a script that answers every request with the same bytes.
func answer(response string) func(*scripted) {
	return func(p *scripted) {
		for {
			if _, ok := p.request(); !ok {
				return
			}
			p.reply(response)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
