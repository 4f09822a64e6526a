package socket

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pingap/ipc"
)

// at listens somewhere, and returns as what.
func at(t *testing.T, network, address string) (ipc.Listener, int) {
	t.Helper()
	l := ipc.Listener{Network: network, Address: address, Server: "web"}
	fd, err := Listen(l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if network == "unix" {
		return l, fd
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	a := &net.TCPAddr{}
	switch n := name.(type) {
	case *unix.SockaddrInet4:
		a.IP, a.Port = n.Addr[:], n.Port
	case *unix.SockaddrInet6:
		a.IP, a.Port = n.Addr[:], n.Port
	}
	l.Address = a.String()
	return l, fd
}

// waiting counts the connections in a queue, and closes them.
func waiting(t *testing.T, fd int) int {
	t.Helper()
	for n := 0; ; n++ {
		c, _, err := unix.Accept4(fd, unix.SOCK_CLOEXEC)
		if errors.Is(err, unix.EAGAIN) {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
		unix.Close(c)
	}
}

func TestAQuietSocketKeepsItsQueueAndTakesNobodyMore(t *testing.T) {
	l, fd := at(t, "tcp4", "127.0.0.1:0")
	c, err := net.Dial("tcp4", l.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := Quiet(fd); err != nil {
		t.Fatal(err)
	}
	if d, err := net.DialTimeout("tcp4", l.Address, 10*time.Second); err == nil {
		d.Close()
		t.Error("a connection began")
	} else if !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("a connection was not refused: %v", err)
	}
	if n := waiting(t, fd); n != 1 {
		t.Errorf("%d were waiting, want the one from before", n)
	}
}

// A handshake that is under way stays so, with TCP_DEFER_ACCEPT, until the client sends: for the client it is a connection.
func TestAQuietSocketEndsTheHandshakesThatHaveBegun(t *testing.T) {
	for _, network := range []string{"tcp4", "tcp6"} {
		l, fd := at(t, network, map[string]string{"tcp4": "127.0.0.1:0", "tcp6": "[::1]:0"}[network])
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, 30); err != nil {
			t.Fatal(err)
		}
		c, err := net.Dial(network, l.Address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := Quiet(fd); err != nil {
			t.Fatal(err)
		}
		if _, _, err := unix.Accept4(fd, unix.SOCK_CLOEXEC); !errors.Is(err, unix.EAGAIN) {
			t.Fatalf("%s: the handshake is over: %v", network, err)
		}
		if _, err := c.Write([]byte("ping")); err != nil {
			t.Fatal(err)
		}
		var got int
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			if got, _, err = unix.Accept4(fd, unix.SOCK_CLOEXEC); err == nil || time.Now().After(end) {
				break
			}
		}
		if err != nil {
			t.Fatalf("%s: %v", network, err)
		}
		buf := make([]byte, 8)
		if n, err := unix.Read(got, buf); err != nil || string(buf[:n]) != "ping" {
			t.Errorf("%s: read %q, %v", network, buf[:n], err)
		}
		if _, err := unix.Write(got, []byte("pong")); err != nil {
			t.Errorf("%s: %v", network, err)
		}
		if n, err := c.Read(buf); err != nil || string(buf[:n]) != "pong" {
			t.Errorf("%s: answered %q, %v", network, buf[:n], err)
		}
		unix.Close(got)
	}
}

func TestAnAddressIsTakenAgainWithOtherOptions(t *testing.T) {
	l, fd := at(t, "tcp4", "127.0.0.1:0")
	c, err := net.Dial("tcp4", l.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	l.ReusePort, l.FastOpen = true, 7
	again, err := Again(fd, l)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(again)
	if on, err := unix.GetsockoptInt(again, unix.SOL_SOCKET, unix.SO_REUSEPORT); err != nil || on != 1 {
		t.Errorf("SO_REUSEPORT %d, %v", on, err)
	}
	if n := waiting(t, again); n != 1 {
		t.Errorf("%d were waiting, want the one from before", n)
	}
}

func TestOneAddressBesideAllOfThem(t *testing.T) {
	for _, c := range [][2]string{{"127.0.0.1:0", "0.0.0.0"}, {"0.0.0.0:0", "127.0.0.1"}} {
		first, fd := at(t, "tcp4", c[0])
		_, port, _ := net.SplitHostPort(first.Address)
		second := ipc.Listener{Network: "tcp4", Address: net.JoinHostPort(c[1], port), Server: "web"}
		if !Overlaps(first, second) {
			t.Fatalf("%s and %s do not overlap", first.Address, second.Address)
		}
		if other, err := Beside(second, nil); err == nil {
			unix.Close(other)
			t.Fatalf("the kernel takes %s beside %s: there is nothing to test", second.Address, first.Address)
		}
		beside, err := Beside(second, []int{fd})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []int{fd, beside} {
			if on, err := unix.GetsockoptInt(s, unix.SOL_SOCKET, unix.SO_REUSEPORT); err != nil || on != 0 {
				t.Errorf("the port stays shared: %d, %v", on, err)
			}
		}
		unix.Close(beside)
	}
}

func TestSocketsAreToldApartByTheirAddress(t *testing.T) {
	tcp, fd := at(t, "tcp4", "127.0.0.1:0")
	path := filepath.Join(t.TempDir(), "s")
	local, ufd := at(t, "unix", path)
	other := tcp
	other.Address = "127.0.0.2" + tcp.Address[len("127.0.0.1"):]
	for _, c := range []struct {
		fd   int
		l    ipc.Listener
		want bool
	}{{fd, tcp, true}, {fd, other, false}, {fd, local, false}, {ufd, local, true}, {ufd, tcp, false}, {int(os.Stdin.Fd()), tcp, false}} {
		if got := Bound(c.fd, c.l); got != c.want {
			t.Errorf("descriptor %d at %s: %t", c.fd, c.l.Address, got)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("%v, %v", info, err)
	}
}
