package upstream

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pingap/config"
	"pingap/message"
)

func TestAddressesThatAreLiteralsAreReadyAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b.sock")
	u := build(t, &config.Upstream{Addrs: []string{"127.0.0.1:81", "127.0.0.2 5", "[::1]:82", "unix:" + path, "127.0.0.1:81 9"}}, Options{})
	var got []string
	for _, b := range u.Backends() {
		got = append(got, b.Addr)
	}
	want := "127.0.0.1:81 127.0.0.2:80 [::1]:82 unix:" + path
	if strings.Join(got, " ") != want {
		t.Errorf("%v, want %s", got, want)
	}
}

func TestPoolSizeComesFromUpstreamThenOptions(t *testing.T) {
	for _, c := range []struct{ upstream, option, want int }{{0, 0, 128}, {0, 7, 7}, {3, 7, 3}} {
		u := build(t, &config.Upstream{Addrs: []string{"127.0.0.1:1"}, MaxIdleConnections: c.upstream}, Options{KeepalivePool: c.option})
		if u.pool.max != c.want {
			t.Errorf("%+v: %d", c, u.pool.max)
		}
	}
}

func TestConnectionsAreReusedNewestFirst(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		address := "127.0.0.1:0"
		if network == "unix" {
			dir, err := os.MkdirTemp("", "up") // t.TempDir may be too long for a socket
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(dir)
			address = filepath.Join(dir, "s")
		}
		u := build(t, &config.Upstream{Addrs: []string{listen(t, network, address).address()}}, Options{})
		b := u.Pick(request("/"), nil)
		if b.Take(&Target{}) != nil {
			t.Fatal("a connection out of nowhere")
		}
		first, second := dial(t, b), dial(t, b)
		if first.Uses != 0 || first.Backend != b || first.Opened == 0 || u.OpenConnections() != 2 {
			t.Errorf("new connection: %+v, %d open", first, u.OpenConnections())
		}
		b.Put(first)
		b.Put(second)
		if u.IdleConnections() != 2 {
			t.Errorf("%d idle", u.IdleConnections())
		}
		if c := b.Take(&Target{}); c != second || c.Uses != 1 || !c.Alive() {
			t.Errorf("took %p, want the newest %p", c, second)
		}
		if c := b.Take(&Target{}); c != first || b.Take(&Target{}) != nil {
			t.Errorf("took %p, want %p and then none", c, first)
		}
		ping(t, first)
		first.Discard()
		first.Discard()
		if err := second.Close(); err != nil || u.OpenConnections() != 0 {
			t.Errorf("%v, %d open", err, u.OpenConnections())
		}
	}
}

func TestPoolClosesTheOldestBeyondItsBound(t *testing.T) {
	one, two := listen(t, "tcp", "127.0.0.1:0"), listen(t, "tcp", "127.0.0.1:0")
	u := build(t, &config.Upstream{Addrs: []string{one.address(), two.address()}}, Options{KeepalivePool: 3})
	a, b := u.Backends()[0], u.Backends()[1]
	conns := []*Conn{dial(t, a), dial(t, b), dial(t, a), dial(t, b), dial(t, b)}
	for _, c := range conns {
		c.Backend.Put(c)
	}
	if u.IdleConnections() != 3 || u.OpenConnections() != 3 {
		t.Fatalf("%d idle, %d open", u.IdleConnections(), u.OpenConnections())
	}
	for i, want := range []*Conn{conns[4], conns[3]} {
		if got := b.Take(&Target{}); got != want {
			t.Errorf("%d: took another", i)
		}
	}
	if a.Take(&Target{}) != conns[2] || a.Take(&Target{}) != nil || b.Take(&Target{}) != nil {
		t.Error("the oldest are still there")
	}
}

func TestSweepClosesWhatIsIdleTooLong(t *testing.T) {
	var now int64 = 1
	cfg := &config.Upstream{Addrs: []string{listen(t, "tcp", "127.0.0.1:0").address()}, IdleTimeout: config.Duration(time.Minute)}
	u := build(t, cfg, Options{Now: func() int64 { return now }})
	b := u.Backends()[0]
	old, young := dial(t, b), dial(t, b)
	b.Put(old)
	now += int64(30 * time.Second)
	b.Put(young)
	now += int64(30*time.Second) - 1
	if u.Sweep(now); u.IdleConnections() != 2 {
		t.Error("closed too early")
	}
	if u.Sweep(now + 1); u.IdleConnections() != 1 || b.Take(&Target{}) != young {
		t.Error("the old one is still there")
	}
	b.Put(young)
	if u.Sweep(now + int64(time.Hour)); u.OpenConnections() != 0 {
		t.Errorf("%d open", u.OpenConnections())
	}
}

func TestSweepClosesWhatThePeerClosed(t *testing.T) {
	server := listen(t, "tcp", "127.0.0.1:0")
	u := build(t, &config.Upstream{Addrs: []string{server.address()}}, Options{})
	b := u.Backends()[0]
	closed, talks, fine := dial(t, b), dial(t, b), dial(t, b)
	_ = closed.Conn.(*net.TCPConn).CloseWrite() // the echo answers by closing
	readable(t, closed)
	if _, err := talks.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	readable(t, talks)
	if closed.Alive() || talks.Alive() || !fine.Alive() {
		t.Errorf("alive: %v %v %v", closed.Alive(), talks.Alive(), fine.Alive())
	}
	for _, c := range []*Conn{closed, talks, fine} {
		b.Put(c)
	}
	u.Sweep(message.Now())
	if u.IdleConnections() != 1 || b.Take(&Target{}) != fine || u.OpenConnections() != 1 {
		t.Errorf("%d open", u.OpenConnections())
	}
	fine.Discard()
	if fine.Alive() {
		t.Error("a closed connection is alive")
	}
}

func TestTheSweeperLeavesAConnectionThatWasTakenMeanwhile(t *testing.T) {
	u := build(t, &config.Upstream{Addrs: []string{listen(t, "tcp", "127.0.0.1:0").address()}}, Options{})
	b := u.Backends()[0]
	b.Put(dial(t, b))
	seen := u.pool.appendAll(nil) // the sweeper has seen it idle
	c := b.Take(&Target{})
	if _, err := c.Write([]byte("pong")); err != nil {
		t.Fatal(err)
	}
	readable(t, c) // an answer waits, which on an idle connection would be its end
	if u.pool.removeDead(seen[0]) || u.IdleConnections() != 0 || u.OpenConnections() != 1 {
		t.Error("a connection in use was swept")
	}
	buf := make([]byte, 4)
	if _, err := io.ReadFull(c, buf); err != nil || string(buf) != "pong" {
		t.Errorf("%q %v", buf, err)
	}
	c.Discard()
}

func TestConnectionsAreNeverSharedWhileTheSweeperRuns(t *testing.T) {
	server := listen(t, "tcp", "127.0.0.1:0")
	cfg := &config.Upstream{Addrs: []string{server.address()}, IdleTimeout: config.Duration(time.Millisecond)}
	u := build(t, cfg, Options{KeepalivePool: 4})
	b := u.Backends()[0]
	tick := make(chan struct{}, 1)
	var sweeper, users sync.WaitGroup
	sweeper.Go(func() {
		for range tick {
			u.Sweep(message.Now())
		}
	})
	for range 6 {
		users.Go(func() {
			for range 300 {
				c := b.Take(&Target{})
				if c == nil {
					var err error
					if c, err = b.Dial(context.Background(), nil); err != nil {
						t.Error(err)
						return
					}
				}
				buf := []byte("mine")
				_, werr := c.Write(buf)
				_, rerr := io.ReadFull(c, buf)
				if werr != nil || rerr != nil {
					t.Errorf("a connection in use was closed: %v %v", werr, rerr)
					return
				}
				b.Put(c)
				select {
				case tick <- struct{}{}:
				default:
				}
			}
		})
	}
	users.Wait()
	close(tick)
	sweeper.Wait()
	if u.IdleConnections() > 4 || u.OpenConnections() != int64(u.IdleConnections()) {
		t.Errorf("%d open, %d idle", u.OpenConnections(), u.IdleConnections())
	}
}

func TestCloseEmptiesThePoolAndTakesNothingBack(t *testing.T) {
	u := build(t, &config.Upstream{Addrs: []string{listen(t, "tcp", "127.0.0.1:0").address()}}, Options{})
	b := u.Backends()[0]
	idle, used := dial(t, b), dial(t, b)
	b.Put(idle)
	u.Close()
	if u.OpenConnections() != 1 {
		t.Errorf("%d open", u.OpenConnections())
	}
	ping(t, used)
	later := dial(t, u.Pick(request("/"), nil)) // a request that came before the change goes on
	b.Put(used)
	b.Put(later)
	if u.OpenConnections() != 0 || u.IdleConnections() != 0 {
		t.Errorf("%d open, %d idle", u.OpenConnections(), u.IdleConnections())
	}
}

func TestHotPathDoesNotAllocate(t *testing.T) {
	server := listen(t, "tcp", "127.0.0.1:0")
	for _, algo := range []string{"round_robin", "least_conn", "random2", "hash:url", "hash:path", "hash:ip", "hash:header:x-a", "hash:cookie:a", "hash:query:q"} {
		u := build(t, &config.Upstream{Addrs: []string{server.address(), "127.0.0.1:1"}, Algo: algo}, Options{})
		rec := request("/a?q=1")
		rec.Request.Fields.Add("Cookie", []byte("b=1; a=2"))
		b := u.Backends()[0]
		b.Put(dial(t, b))
		tried := []*Backend{u.Backends()[1]}
		n := testing.AllocsPerRun(100, func() {
			if u.Pick(rec, nil) == nil || u.Pick(rec, tried) != b {
				t.Error("no backend")
			}
			b.Begin()
			c := b.Take(&Target{})
			if !c.Alive() {
				t.Error("dead")
			}
			b.Put(c)
			b.End()
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", algo, n)
		}
	}
}

func BenchmarkTakePut(b *testing.B) {
	server := listen(b, "tcp", "127.0.0.1:0")
	u := build(b, &config.Upstream{Addrs: []string{server.address()}}, Options{})
	backend := u.Backends()[0]
	for range 16 {
		backend.Put(dial(b, backend))
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if c := backend.Take(&Target{}); c != nil {
				backend.Put(c)
			}
		}
	})
}
