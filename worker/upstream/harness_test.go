package upstream

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"pingap/config"
	"pingap/message"
)

// bound is how long a test waits for what should happen at once.
const bound = 10 * time.Second

// echo is a backend that sends back what it gets, and remembers its connections.
type echo struct {
	net.Listener
	wrap   func(net.Conn) io.ReadWriteCloser
	mu     sync.Mutex
	conns  []net.Conn
	closed bool // guarded by mu, as conns
	wait   sync.WaitGroup
}

func listen(t testing.TB, network, address string) *echo {
	t.Helper()
	return listenWith(t, network, address, func(nc net.Conn) io.ReadWriteCloser { return nc })
}

// listenWith is listen with something in front of the echo.
func listenWith(t testing.TB, network, address string, wrap func(net.Conn) io.ReadWriteCloser) *echo {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	e := &echo{Listener: l, wrap: wrap}
	e.wait.Go(e.accept)
	t.Cleanup(func() {
		_ = l.Close()
		e.mu.Lock()
		e.closed = true
		e.mu.Unlock()
		e.closeAll()
		e.wait.Wait()
	})
	return e
}

func (e *echo) accept() {
	for {
		c, err := e.Accept()
		if err != nil {
			return
		}
		e.mu.Lock()
		e.conns = append(e.conns, c)
		if e.closed { // it was accepted in the last moment
			_ = c.Close()
		}
		e.mu.Unlock()
		e.wait.Go(func() {
			w := e.wrap(c)
			_, _ = io.Copy(w, w)
			_ = c.Close()
		})
	}
}

func (e *echo) closeAll() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.conns {
		_ = c.Close()
	}
}

func (e *echo) address() string {
	if e.Addr().Network() == "unix" {
		return "unix:" + e.Addr().String()
	}
	return e.Addr().String()
}

func build(t testing.TB, cfg *config.Upstream, opt Options) *Upstream {
	t.Helper()
	u, err := New(cfg, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.Close)
	return u
}

func request(target string) *message.Record {
	rec := &message.Record{Conn: &message.Conn{}}
	rec.Request.SetTarget([]byte(target))
	return rec
}

// dial connects and shows that the connection works.
func dial(t testing.TB, b *Backend) *Conn {
	t.Helper()
	c, err := b.Dial(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ping(t, c)
	return c
}

func ping(t testing.TB, c *Conn) {
	t.Helper()
	buf := []byte("ping")
	if _, err := c.Write(buf); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, buf); err != nil || string(buf) != "ping" {
		t.Fatalf("%q %v", buf, err)
	}
}

// readable waits until there is something to read on a connection, or its end.
func readable(t testing.TB, c *Conn) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(bound))
	calls := 0
	if err := c.Raw.Read(func(uintptr) bool { calls++; return calls > 1 || !c.Alive() }); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Time{})
}

// listed is the list of backends as it was told last.
func listed(u *Upstream) []Endpoint {
	var list []Endpoint
	for _, e := range u.set.Load().entries {
		told := Endpoint{Address: e.backend.address, Weight: e.weight, Backup: e.backup, Health: e.health, Admin: e.admin, Since: e.backend.told}
		if l := e.backend.lease.Load(); l.shared {
			told.Record = l.rec
		}
		list = append(list, told)
	}
	return list
}

// tell changes what control says of one backend.
func tell(u *Upstream, b *Backend, change func(*Endpoint)) {
	list := listed(u)
	for i := range list {
		if list[i].Address == b.address {
			change(&list[i])
		}
	}
	u.SetEndpoints(list, u.own.Load())
}

func setDown(u *Upstream, b *Backend, down bool) {
	tell(u, b, func(e *Endpoint) {
		e.Health = Healthy
		if down {
			e.Health = Unhealthy
		}
	})
}
