package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// fleet is backends whose troubles a test chooses.
type fleet []*member

// member is a backend in the test process. It keeps its address for life, dead or alive, and counts what arrives.
type member struct {
	t          *testing.T
	name, addr string
	tls        *tls.Config

	total    atomic.Int64 // requests, without probes
	probes   atomic.Int64 // requests of health checks
	now, max atomic.Int64 // in process: at present, and the most at once

	mu       sync.Mutex // guards all below
	server   *http.Server
	trouble  trouble
	released chan struct{} // closed when the present trouble is over
	ids      map[string]int
	last     time.Time // when the last request arrived
}

// trouble is what a backend does wrong; the zero value is nothing.
type trouble struct {
	status int           // answered instead of 200
	sick   int           // answered to health checks instead of 200
	mute   bool          // nothing is answered, to nobody
	deaf   bool          // nothing is answered to health checks
	hang   bool          // nothing is answered to requests; probes are answered
	cut    bool          // the connection ends in place of an answer
	delay  time.Duration // before an answer
}

// newFleet starts n backends named b0, b1 and so on.
func newFleet(t *testing.T, n int) fleet {
	t.Helper()
	return newFleetTLS(t, n, nil)
}

func newFleetTLS(t *testing.T, n int, cfg *tls.Config) fleet {
	t.Helper()
	var f fleet
	for i := range n {
		m := &member{t: t, name: fmt.Sprintf("b%d", i), addr: freePort(t), tls: cfg, ids: map[string]int{}, released: make(chan struct{})}
		m.back()
		t.Cleanup(m.die)
		f = append(f, m)
	}
	return f
}

// back listens at the address, without any trouble.
func (m *member) back() {
	m.t.Helper()
	var l net.Listener
	err := within(patience, func() (err error) { // another test may try the port for a moment
		l, err = net.Listen("tcp", m.addr)
		return err
	})
	if err != nil {
		m.t.Fatal(err)
	}
	if m.tls != nil {
		l = tls.NewListener(l, m.tls)
	}
	server := &http.Server{Handler: m, Protocols: &http.Protocols{}}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.server = server
	m.setLocked(trouble{})
	go server.Serve(l) // ends with die
}

// die ends as a process does that is killed: nothing listens any more, all connections are closed as they are.
func (m *member) die() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.server != nil {
		_ = m.server.Close() // what was open is closed, whatever it says
		m.server = nil
	}
	m.setLocked(trouble{})
}

// has lets a trouble begin, or end. Requests that hang are answered when it does.
func (m *member) has(tr trouble) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.setLocked(tr)
}

func (m *member) setLocked(tr trouble) {
	close(m.released)
	m.trouble, m.released = tr, make(chan struct{})
}

const (
	idField    = "X-Id"      // of a request: numbered
	nameField  = "X-Backend" // of an answer: who gave it
	healthPath = "/health"
	grpcHealth = "/grpc.health.v1.Health/Check"
)

func (m *member) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	tr, released := m.trouble, m.released
	m.mu.Unlock()
	if strings.HasPrefix(r.URL.Path, healthPath) || r.URL.Path == grpcHealth {
		m.probes.Add(1)
		m.answerProbe(w, r, tr, released)
		return
	}
	m.arrive(r)
	now := m.now.Add(1)
	defer m.now.Add(-1)
	for most := m.max.Load(); now > most && !m.max.CompareAndSwap(most, now); {
		most = m.max.Load()
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return
	}
	if tr.mute || tr.hang {
		waitFor(r.Context(), released)
		m.mu.Lock()
		tr = m.trouble // what came after it
		m.mu.Unlock()
	}
	if tr.cut {
		panic(http.ErrAbortHandler)
	}
	time.Sleep(tr.delay) // the slowness is the trouble
	w.Header().Set(nameField, m.name)
	if tr.status != 0 {
		w.WriteHeader(tr.status)
	}
	fmt.Fprintln(w, m.name)
}

func waitFor(ctx context.Context, released <-chan struct{}) {
	select {
	case <-released:
	case <-ctx.Done():
	}
}

// answerProbe answers a health check over HTTP or gRPC.
func (m *member) answerProbe(w http.ResponseWriter, r *http.Request, tr trouble, released <-chan struct{}) {
	if tr.mute || tr.deaf {
		waitFor(r.Context(), released)
	}
	if r.URL.Path != grpcHealth {
		if tr.sick != 0 {
			w.WriteHeader(tr.sick)
		}
		fmt.Fprintln(w, "health")
		return
	}
	_, _ = io.Copy(io.Discard, r.Body) // what it asks does not matter
	serving := byte(1)
	if tr.sick != 0 {
		serving = 2 // NOT_SERVING
	}
	w.Header().Set("Content-Type", "application/grpc")
	w.Header().Set("Trailer", "Grpc-Status")
	_, _ = w.Write([]byte{0, 0, 0, 0, 2, 1 << 3, serving}) // the client notices
	w.Header().Set("Grpc-Status", "0")
}

func (m *member) arrive(r *http.Request) {
	m.total.Add(1)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last = time.Now()
	if id := r.Header.Get(idField); id != "" {
		m.ids[id]++
	}
}

// lastArrival is when the last request came.
func (m *member) lastArrival() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last
}

// addrs are the addresses, as proxyConf takes them.
func (f fleet) addrs() string {
	var list []string
	for _, m := range f {
		list = append(list, m.addr)
	}
	return strings.Join(list, ",")
}

// arrived counts how often each request that carries an id came to any of them.
func (f fleet) arrived() map[string]int {
	all := map[string]int{}
	for _, m := range f {
		m.mu.Lock()
		for id, n := range m.ids {
			all[id] += n
		}
		m.mu.Unlock()
	}
	return all
}

// mustArriveOnce fails when a request with an id of the method came more than once.
func (f fleet) mustArriveOnce(t *testing.T, method string) {
	t.Helper()
	some := false
	for id, n := range f.arrived() {
		if !strings.HasPrefix(id, method+" ") {
			continue
		}
		some = true
		if n > 1 {
			t.Errorf("%s arrived %d times", id, n)
		}
	}
	if !some {
		t.Errorf("no %s has arrived", method)
	}
}

// totals are the requests that each had so far.
func (f fleet) totals() []int64 {
	var list []int64
	for _, m := range f {
		list = append(list, m.total.Load())
	}
	return list
}

// all waits until each of some backends has had another n requests.
func (f fleet) all(t *testing.T, n int64) {
	t.Helper()
	before := f.totals()
	err := within(patience, func() error {
		for i, m := range f {
			if had := m.total.Load() - before[i]; had < n {
				return fmt.Errorf("%s has had %d requests of %d", m.name, had, n)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// quiet fails when one of some backends gets a request while the others get n each.
func (f fleet) quiet(t *testing.T, others fleet, n int64) {
	t.Helper()
	before := f.totals()
	others.all(t, n)
	for i, now := range f.totals() {
		if now > before[i] {
			t.Errorf("%s has had %d requests, it should have none", f[i].name, now-before[i])
		}
	}
}

// numbered makes requests that each carry an id of their own.
func numbered(method, target string) func(uint64) string {
	var count atomic.Uint64
	body := ""
	if method == "POST" {
		body = "some text"
	}
	return func(uint64) string {
		return send(method, target, body, fmt.Sprintf("%s: %s %s %d", idField, method, target, count.Add(1)))
	}
}

// healConf is a proxy to backends with keys of the upstream and of the location, a line each.
func healConf(addr string, f fleet, upstream, location string, more ...string) string {
	return insert(insert(proxyConf(addr, f.addrs(), more...), "upstreams.app", upstream), "locations.all", location)
}

// gets is load of GET, on connections that are kept and on such of their own, in both workers.
func gets(n int) []mix {
	return []mix{
		{clients: n, pause: 2 * time.Millisecond, request: numbered("GET", "/kept")},
		{clients: n, fresh: true, pause: 5 * time.Millisecond, request: numbered("GET", "/fresh")},
	}
}

// becomes waits for the log to say of a backend that it is healthy, unhealthy and so on after an offset, and returns when that was.
func (i *instance) becomes(from int, addr, state string) time.Time {
	i.t.Helper()
	var at time.Time
	i.eventually(fmt.Sprintf("%s to become %s in the log", addr, state), func() error {
		for line := range strings.Lines(i.printed()[from:]) {
			stamp, rest, _ := strings.Cut(line, " ")
			if strings.Contains(rest, addr) && strings.Contains(" "+strings.NewReplacer("=", " ", "\"", " ", ",", " ").Replace(rest)+" ", " "+state+" ") {
				var err error
				at, err = time.Parse(time.RFC3339Nano, stamp)
				return err
			}
		}
		return fmt.Errorf("no such line")
	})
	return at
}

// logged is how long the log is.
func (i *instance) logged() int { return len(i.printed()) }

// asked counts which backends answer n requests, each on a connection of its own; the status of other answers than 200 is the name then.
func asked(t *testing.T, addr, target string, n int, fields ...string) map[string]int {
	t.Helper()
	by := map[string]int{}
	for range n {
		a, err := fetch(addr, get(target, fields...))
		switch {
		case err != nil:
			t.Errorf("GET %s: %v", target, err)
		case a.status != 200:
			by[fmt.Sprint(a.status)]++
		default:
			by[a.header.Get(nameField)]++
		}
	}
	return by
}

// route is a location /name to an upstream of its own.
type route struct {
	name, addrs        string
	upstream, location string // further keys
}

// routesConf is a proxy with routes.
func routesConf(addr string, routes ...route) string {
	var names []string
	var b strings.Builder
	for _, r := range routes {
		names = append(names, fmt.Sprintf("%q", r.name))
		fmt.Fprintf(&b, "\n[locations.%s]\npath = \"/%s\"\nupstream = %q\n%s\n\n[upstreams.%s]\naddrs = [\"%s\"]\n%s\n",
			r.name, r.name, r.name, r.location, r.name, strings.ReplaceAll(r.addrs, ",", `", "`), r.upstream)
	}
	return fmt.Sprintf("[servers.web]\naddr = %q\nlocations = [%s]\n", addr, strings.Join(names, ", ")) + b.String()
}

// getsOf is gets for a route.
func getsOf(name string, n int, pause time.Duration) []mix {
	return []mix{
		{clients: n, pause: pause, request: numbered("GET", "/"+name+"/kept")},
		{clients: n, fresh: true, pause: pause, request: numbered("GET", "/"+name+"/fresh")},
	}
}
