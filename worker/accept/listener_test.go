package accept

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"pingap/config"
)

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
	r := newRig(t, 10)
	r.acceptor.Pause = pause
	ln := &starved{fail: 3, ok: make(chan net.Conn), end: make(chan struct{})}
	began := time.Now()
	r.accept(wrap(ln, "starved"))
	_, theirs := tcpPair(t)
	ln.ok <- theirs
	if took := time.Since(began); took < 3*pause {
		t.Errorf("three failures took %v, want at least %v: it spins", took, 3*pause)
	}
	if got := <-r.served; got.c != theirs {
		t.Error("another connection was served")
	}
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if ln.calls > 5 {
		t.Errorf("%d calls of accept, want 5", ln.calls)
	}
}

// A burst must not slip past the limit before the goroutines of its connections run.
func TestGateCountsFromAccept(t *testing.T) {
	r := newRig(t, 10)
	for range 5 {
		r.acceptor.Gate.Count()
	}
	if got := r.acceptor.Gate.Open(); got != 5 {
		t.Errorf("%d open, want 5", got)
	}
}

func TestLimitFollowsDescriptors(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	open, resting := int64(0), int64(0)
	g := NewGate(func() int64 { return -open }, func() int64 { return resting })
	g.SetMax(0, 4)
	if got, want := g.Max(), (int64(min(limit.Cur, 1<<30))-reserve-4)/2; got != want {
		t.Errorf("limit %d, want %d", got, want)
	}
	g.SetMax(1<<40, 4)
	left := int64(min(limit.Cur, 1<<30)) - reserve - 4
	for _, c := range []struct {
		open, resting int64
		full          bool
	}{{left/2 - 1, 0, false}, {left/2 + 1, 0, true}, {left/2 + 1, 4, false}, {left - 2, left - 2, false}, {left, left, true}} {
		if open, resting = c.open, c.resting; g.full() != c.full {
			t.Errorf("%d open, %d of them rest: full is not %t", open, resting, c.full)
		}
	}
	if got, want := g.Max(), left; got != want {
		t.Errorf("more than there can be: limit %d, want %d", got, want)
	}
	g.SetMax(7, 4)
	if got := g.Max(); got != 7 {
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
			Sockets{{}, OptionsOf(&c.cfg)}.Set(served, 1)
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
	l, err := FromFD(fd, path)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("closing a copy removed the socket: %v", err)
	}
}

func TestBlockingListenerIsRefused(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := FromFD(fd, "x"); err == nil || !strings.Contains(err.Error(), "non-blocking") {
		t.Errorf("taken: %v", err)
	}
}

// rig is an acceptor whose engine keeps the connections.
type rig struct {
	acceptor *Acceptor
	served   chan taken
	ended    atomic.Int64
	wg       sync.WaitGroup
	closers  []func()
}

type taken struct {
	c     net.Conn
	index int
}

func newRig(t *testing.T, max int) *rig {
	t.Helper()
	r := &rig{served: make(chan taken, 100)}
	done := make(chan struct{})
	r.acceptor = &Acceptor{Gate: NewGate(r.ended.Load, func() int64 { return 0 }), Pause: time.Millisecond, Rest: patience, Done: done, Log: zap.NewNop()}
	r.acceptor.Serve = func(c net.Conn, index int) {
		r.acceptor.Gate.Count()
		r.served <- taken{c, index}
	}
	r.acceptor.Gate.SetMax(max, 0)
	t.Cleanup(func() {
		close(done)
		for _, end := range r.closers {
			end()
		}
		r.wg.Wait()
	})
	return r
}

// accept accepts on a listener until the test ends.
func (r *rig) accept(l *Listener) {
	r.closers = append(r.closers, l.Close)
	r.wg.Go(func() { r.acceptor.Accept(l) })
}

// front is a listening socket as the supervisor has it, and a worker's copy.
func front(t *testing.T) (addr string, l *Listener) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	own := wrap(ln, "front")
	fd, err := own.FD()
	if err != nil {
		t.Fatal(err)
	}
	if l, err = FromFD(fd, "copy"); err != nil {
		t.Fatal(err)
	}
	return ln.Addr().String(), l
}

// tcpPair is a connection and its accepted end.
func tcpPair(t *testing.T) (dialled, accepted net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialled = dial(t, l.Addr().String())
	if accepted, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { accepted.Close() })
	return dialled, accepted
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// patience bounds every wait of a test; it is never waited for in full unless something is broken.
const patience = 20 * time.Second

func (r *rig) next(t *testing.T) taken {
	t.Helper()
	select {
	case c := <-r.served:
		c.c.Close()
		return c
	case <-time.After(patience):
		t.Fatal("nothing was accepted")
		return taken{}
	}
}

func TestADroppedListenerServesWhatWaits(t *testing.T) {
	r := newRig(t, 2)
	addr, l := front(t)
	l.Lead(3)
	for range 10 {
		dial(t, addr)
	}
	l.Drop(true)
	ended := make(chan struct{})
	go func() { r.acceptor.Accept(l); close(ended) }()
	for range 10 { // room for two at a time
		if got := r.next(t); got.index != 3 {
			t.Errorf("served as %d, want 3", got.index)
		}
		r.ended.Add(1)
	}
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatal("accepting goes on")
	}
	if _, err := l.FD(); err == nil {
		t.Error("the copy is still open")
	}
	dial(t, addr) // the socket itself is as it was
}

func TestDropInterruptsAWait(t *testing.T) {
	for _, full := range []bool{false, true} {
		r := newRig(t, 1)
		if full {
			r.acceptor.Gate.Count()
		}
		addr, l := front(t)
		ended := make(chan struct{})
		go func() { r.acceptor.Accept(l); close(ended) }()
		if !full { // it is inside accept, or about to be
			dial(t, addr)
			r.next(t)
			r.ended.Add(1)
		}
		l.Drop(false)
		select {
		case <-ended:
		case <-time.After(patience):
			t.Fatalf("full %t: accepting goes on", full)
		}
	}
}

// Without patience what there is no room for stays for the other processes that have the socket.
func TestAnImpatientDropLeavesTheRest(t *testing.T) {
	r := newRig(t, 2)
	addr, l := front(t)
	for range 5 {
		dial(t, addr)
	}
	other, err := l.FD()
	if err != nil {
		t.Fatal(err)
	}
	l.Drop(false)
	r.acceptor.Accept(l)
	if n := len(r.served); n != 2 {
		t.Fatalf("%d accepted, want 2", n)
	}
	sibling, err := FromFD(other, "sibling")
	if err != nil {
		t.Fatal(err)
	}
	r.ended.Add(2)
	r.acceptor.Gate.SetMax(100, 0)
	r.accept(sibling)
	for range 5 {
		r.next(t)
	}
}

func TestAcceptingShowsThatItGoesOn(t *testing.T) {
	r := newRig(t, 1)
	addr, l := front(t)
	if l.Prove(time.Millisecond) {
		t.Error("nobody accepts, and yet it goes on")
	}
	r.accept(l)
	for range 3 {
		if !l.Prove(patience) {
			t.Error("waiting: does not go on")
		}
	}
	dial(t, addr)
	r.next(t)
	if !l.Prove(patience) { // as many connections as there may be
		t.Error("full: does not go on")
	}
	r.ended.Add(1)
	dial(t, addr)
	r.next(t)
	r.ended.Add(1)
	l.Drop(false)
	if !l.Prove(patience) {
		t.Error("dropped: does not go on")
	}
}

func TestAPrivateListenerIsForThisProcess(t *testing.T) {
	r := newRig(t, 1)
	r.acceptor.Gate.Count() // full, which does not matter
	l, addr, err := Private("private")
	if err != nil {
		t.Fatal(err)
	}
	r.accept(l)
	c, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	got := <-r.served
	defer got.c.Close()
	if !Own(got.c) {
		t.Error("an own connection is not taken for one")
	}
	_, tcp := tcpPair(t)
	if Own(tcp) {
		t.Error("a TCP connection is taken for an own one")
	}
}
