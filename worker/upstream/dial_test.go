package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pingap/config"
)

// option reads a socket option of a connection.
func option(t *testing.T, c *Conn, level, name int) int {
	t.Helper()
	value, err := 0, error(nil)
	if cerr := c.Raw.Control(func(fd uintptr) { value, err = unix.GetsockoptInt(int(fd), level, name) }); cerr != nil || err != nil {
		t.Fatal(cerr, err)
	}
	return value
}

func TestSocketOptionsAreSet(t *testing.T) {
	address := listen(t, "tcp", "127.0.0.1:0").address()
	seconds := func(n int) config.Duration { return config.Duration(time.Duration(n) * time.Second) }
	full := config.Upstream{TCPIdle: seconds(30), TCPInterval: seconds(5), TCPProbeCount: 4,
		TCPUserTimeout: seconds(9), TCPRecvBuf: 64 << 10, TCPFastOpen: true}
	cases := []struct {
		name                          string
		cfg                           config.Upstream
		alive, idle, count, user, buf int // 0: not looked at, but for alive
	}{
		{"none", config.Upstream{}, 0, 0, 0, 0, 0},
		{"two of three", config.Upstream{TCPIdle: seconds(30), TCPProbeCount: 4}, 0, 0, 0, 0, 0},
		{"three", config.Upstream{TCPIdle: seconds(30), TCPInterval: seconds(5), TCPProbeCount: 4}, 1, 30, 4, 0, 0},
		{"user time-out", config.Upstream{TCPUserTimeout: seconds(9)}, 1, 0, 0, 9000, 0},
		{"all", full, 1, 30, 4, 9000, 128 << 10}, // the kernel doubles the buffer
	}
	for _, c := range cases {
		c.cfg.Addrs = []string{address}
		conn := dial(t, build(t, &c.cfg, Options{}).Backends()[0])
		check := func(what string, got, want int) {
			if want != 0 && got != want {
				t.Errorf("%s: %s is %d, want %d", c.name, what, got, want)
			}
		}
		if got := option(t, conn, unix.SOL_SOCKET, unix.SO_KEEPALIVE); got != c.alive {
			t.Errorf("%s: keep-alive is %d, want %d", c.name, got, c.alive)
		}
		check("no delay", option(t, conn, unix.IPPROTO_TCP, unix.TCP_NODELAY), 1)
		check("idle", option(t, conn, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE), c.idle)
		check("probes", option(t, conn, unix.IPPROTO_TCP, unix.TCP_KEEPCNT), c.count)
		check("user time-out", option(t, conn, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT), c.user)
		check("receive buffer", option(t, conn, unix.SOL_SOCKET, unix.SO_RCVBUF), c.buf)
		if c.cfg.TCPFastOpen {
			check("fast open", option(t, conn, unix.IPPROTO_TCP, unix.TCP_FASTOPEN_CONNECT), 1)
		}
		conn.Discard()
	}
}

// closedPort returns an address where nothing listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// fullBacklog returns a listening address that takes no connection any more.
func fullBacklog(t *testing.T) string {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if err = errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", name.(*unix.SockaddrInet4).Port)
	for range 4 { // the first fills it, the others time out
		c, err := net.DialTimeout("tcp", address, 200*time.Millisecond)
		if err != nil {
			return address
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	t.Fatal("the backlog does not fill")
	return ""
}

func TestFailuresToConnectAreClassified(t *testing.T) {
	limit := config.Duration(100 * time.Millisecond)
	full := fullBacklog(t)
	cases := []struct {
		name  string
		cfg   config.Upstream
		kind  Kind
		etype string
	}{
		{"refused", config.Upstream{Addrs: []string{closedPort(t)}}, Refused, "ConnectRefused"},
		{"no socket", config.Upstream{Addrs: []string{"unix:" + filepath.Join(t.TempDir(), "none")}}, Refused, "ConnectRefused"},
		{"time-out", config.Upstream{Addrs: []string{full}, ConnectionTimeout: limit}, Timeout, "ConnectTimedout"},
		{"total time-out", config.Upstream{Addrs: []string{full}, ConnectionTimeout: config.Duration(time.Hour), TotalConnectionTimeout: limit}, Timeout, "ConnectTimedout"},
	}
	for _, c := range cases {
		u := build(t, &c.cfg, Options{})
		b := u.Backends()[0]
		conn, err := b.Dial(context.Background(), nil)
		var failure *ConnectError
		if conn != nil || !errors.As(err, &failure) {
			t.Errorf("%s: %v %v", c.name, conn, err)
			continue
		}
		if failure.Kind != c.kind || failure.EType() != c.etype || failure.Addr != b.Addr || failure.Unwrap() == nil {
			t.Errorf("%s: %+v, %s", c.name, failure, failure.EType())
		}
		if u.OpenConnections() != 0 {
			t.Errorf("%s: %d open", c.name, u.OpenConnections())
		}
	}
}

func TestCausesThatAreHardToMakeAreClassified(t *testing.T) {
	for errno, want := range map[syscall.Errno]Kind{
		syscall.EHOSTUNREACH: Unreachable, syscall.ENETUNREACH: Unreachable, syscall.EHOSTDOWN: Unreachable,
		syscall.ETIMEDOUT: Timeout, syscall.EAGAIN: Refused, syscall.EMFILE: Other,
	} {
		err := connectError("a", &net.OpError{Op: "dial", Err: errno})
		if err.Kind != want {
			t.Errorf("%v: %v, want %v", errno, err.Kind, want)
		}
	}
	if got := (&ConnectError{Kind: Unreachable}).EType(); got != "ConnectNoRoute" {
		t.Error(got)
	}
}

func TestDialEndsWithItsContext(t *testing.T) {
	b := build(t, &config.Upstream{Addrs: []string{fullBacklog(t)}}, Options{}).Backends()[0]
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := b.Dial(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	ctx, cancel = context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	var failure *ConnectError
	if _, err := b.Dial(ctx, nil); !errors.As(err, &failure) || failure.Kind != Timeout {
		t.Errorf("deadline: %v", err)
	}
}
