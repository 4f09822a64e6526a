package worker

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pingap/config"
	"pingap/ipc"
)

// silentDNS is a name server that answers nothing.
func silentDNS(t *testing.T) string {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.LocalAddr().String()
}

func TestAcceptingPausesAtTheLimit(t *testing.T) {
	b := hire(t, config1("127.0.0.1:1")+"[basic]\nmax_connections = 2\n", nil)
	first, second := b.dial(), b.dial()
	first.get("/a")
	second.get("/a")
	third := b.dial() // in the backlog
	third.send("/a")
	for range 3 { // control stays reachable
		b.send(ipc.StatusRequest{})
		if s := receive[*ipc.Status](b); s.Accepted != 2 {
			t.Fatalf("accepted %d connections, want 2", s.Accepted)
		}
	}
	first.Close()
	if status, body, _ := third.answer(); status != 200 || body != "one" {
		t.Errorf("after one has left: %d %s", status, body)
	}
	// A higher limit is hot.
	fourth := b.dial()
	fourth.send("/a")
	b.apply(b.load(config1("127.0.0.1:1") + "[basic]\nmax_connections = 3\n"))
	if status, _, _ := fourth.answer(); status != 200 {
		t.Errorf("after the limit was raised: %d", status)
	}
}

// starved is a listener that has no descriptors for a while.
type starved struct {
	mu    sync.Mutex
	calls int
	fail  int // so many calls fail
	ok    chan net.Conn
	end   chan struct{}
}

func (s *starved) Accept() (net.Conn, error) {
	s.mu.Lock()
	s.calls++
	fail := s.calls <= s.fail
	s.mu.Unlock()
	if fail {
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	select {
	case c := <-s.ok:
		return c, nil
	case <-s.end:
		return nil, net.ErrClosed
	}
}

func (s *starved) Close() error   { close(s.end); return nil }
func (s *starved) Addr() net.Addr { return &net.TCPAddr{} }

func TestAcceptingPausesWithoutDescriptors(t *testing.T) {
	const pause = 20 * time.Millisecond
	w := bareWorker(t, config1("127.0.0.1:1"), Timings{AcceptPause: pause})
	ln := &starved{fail: 3, ok: make(chan net.Conn), end: make(chan struct{})}
	l := &listener{index: 1, net: ln, closing: make(chan struct{})}
	w.listeners = append(w.listeners, l)
	began := time.Now()
	w.accepts.Go(func() { w.accept(l) })
	ours, theirs := tcpPair(t)
	ln.ok <- theirs
	if took := time.Since(began); took < 3*pause {
		t.Errorf("three failures took %v, want at least %v: it spins", took, 3*pause)
	}
	c := newClient(t, ours)
	if got := c.get("/a"); got != "200 one" {
		t.Errorf("afterwards: %s", got)
	}
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if ln.calls > 5 {
		t.Errorf("%d calls of accept, want 5", ln.calls)
	}
}

// A burst must not slip past the limit before the goroutines of its connections run.
func TestGateCountsFromAccept(t *testing.T) {
	w := bareWorker(t, config1("127.0.0.1:1"), Timings{})
	w.gate.accepted.Add(5)
	if got := w.gate.open(); got != 5 {
		t.Errorf("%d open, want 5", got)
	}
}

func TestLimitFollowsDescriptors(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	g := &gate{}
	g.setMax(0, 4)
	if got, want := g.max.Load(), (int64(min(limit.Cur, 1<<30))-reserve-4)/2; got != want {
		t.Errorf("limit %d, want %d", got, want)
	}
	g.setMax(7, 4)
	if got := g.max.Load(); got != 7 {
		t.Errorf("limit %d, want 7", got)
	}
}

func TestSocketOptionsOfAcceptedConnections(t *testing.T) {
	second := config.Duration(time.Second)
	for name, c := range map[string]struct {
		cfg                    config.Server
		alive, idle, user, cnt int
	}{
		"nothing set":        {},
		"not all of three":   {cfg: config.Server{TCPIdle: 9 * second, TCPInterval: second}},
		"all three":          {config.Server{TCPIdle: 9 * second, TCPInterval: second, TCPProbeCount: 4}, 1, 9, 0, 4},
		"user time-out only": {cfg: config.Server{TCPUserTimeout: 7 * second}, alive: 1, user: 7000},
	} {
		t.Run(name, func(t *testing.T) {
			_, served := tcpPair(t)
			sockets{{}, optionsOf(&c.cfg)}.set(served, 1)
			wantOption(t, served, unix.SOL_SOCKET, unix.SO_KEEPALIVE, c.alive)
			wantOption(t, served, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, c.user)
			if c.idle > 0 {
				wantOption(t, served, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, c.idle)
				wantOption(t, served, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, c.cnt)
			}
		})
	}
}

func wantOption(t *testing.T, c net.Conn, level, opt, want int) {
	t.Helper()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var got int
	cerr := raw.Control(func(fd uintptr) { got, err = unix.GetsockoptInt(int(fd), level, opt) })
	if cerr != nil || err != nil || got != want {
		t.Errorf("option %d/%d is %d (%v, %v), want %d", level, opt, got, cerr, err, want)
	}
}

func TestUnixListenerKeepsItsPath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	ours, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	raw, err := ours.(*net.UnixListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	fd := -1
	if err := raw.Control(func(s uintptr) { fd, err = unix.FcntlInt(s, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		t.Fatal(err)
	}
	ln, err := listenerOf(fd, path)
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("closing a copy removed the socket: %v", err)
	}
}

func TestBlockingListenerIsRefused(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := listenerOf(fd, "x"); err == nil || !strings.Contains(err.Error(), "non-blocking") {
		t.Errorf("taken: %v", err)
	}
}
