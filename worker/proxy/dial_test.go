package proxy

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pingap/config"
)

// deaf returns the address of a listener whose queue is full: to connect there hangs.
func deaf(t *testing.T) string {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	must(t, unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	must(t, unix.Listen(fd, 0))
	name, err := unix.Getsockname(fd)
	must(t, err)
	addr := fmt.Sprintf("127.0.0.1:%d", name.(*unix.SockaddrInet4).Port)
	for {
		c, err := net.DialTimeout("tcp", addr, 300*time.Millisecond)
		if err != nil {
			return addr
		}
		t.Cleanup(func() { c.Close() })
	}
}

func TestConnectTimeoutIs504(t *testing.T) {
	r := newRig(t, rigOptions{addrs: []string{deaf(t)}, upstream: func(u *config.Upstream) {
		u.ConnectionTimeout = config.Duration(200 * time.Millisecond)
	}})
	c := r.dial().send(get)
	if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 504") || !strings.Contains(head, "ConnectTimedout") {
		t.Errorf("head %q", head)
	}
}

func TestClientThatLeavesDuringAConnectIsNoticed(t *testing.T) {
	r := newRig(t, rigOptions{addrs: []string{deaf(t)}, upstream: func(u *config.Upstream) {
		u.ConnectionTimeout = config.Duration(10 * patience)
	}})
	c := r.dial().send(get)
	r.until("connecting", func(s Stats) bool { return s.InFlight == 1 })
	c.Close()
	if line := r.log.wait(t, 0); line.status != 499 {
		t.Errorf("log %+v", line)
	}
}
