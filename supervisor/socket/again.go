package socket

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"pingap/ipc"
)

// SameAddress says whether two listeners are the same place, whatever their options: one socket can serve both.
func SameAddress(a, b ipc.Listener) bool {
	return a.Address == b.Address && (a.Network == "unix") == (b.Network == "unix") && only6(a) == only6(b)
}

func only6(l ipc.Listener) bool { return l.Network == "tcp6" }

// Again returns a second descriptor of a listening socket with the options of l, which is at the same address. What waits in its queue stays. The
// options hold for the one socket there is.
func Again(fd int, l ipc.Listener) (int, error) {
	again, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		err = Adjust(again, l)
	}
	if err != nil {
		if again >= 0 {
			unix.Close(again)
		}
		return -1, fmt.Errorf("listen on %s for server %s: %w", l.Address, l.Server, err)
	}
	return again, nil
}

// Adjust gives a listening socket the options of l.
func Adjust(fd int, l ipc.Listener) error {
	if l.Network == "unix" {
		return unix.Chmod(l.Address, modeOf(l))
	}
	reuse := 0
	if l.ReusePort {
		reuse = 1
	}
	return errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, reuse),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_FASTOPEN, l.FastOpen))
}

// Overlaps says whether the kernel would refuse the one address while the other is listened on: one of them is every address of the
// same port.
func Overlaps(a, b ipc.Listener) bool {
	x, errX := netip.ParseAddrPort(a.Address)
	y, errY := netip.ParseAddrPort(b.Address)
	return errX == nil && errY == nil && a.Network != "unix" && b.Network != "unix" && x.Port() == y.Port() &&
		(x.Addr().IsUnspecified() || y.Addr().IsUnspecified())
}

// Beside is Listen while sockets of ours listen on addresses that overlap. For the moment of the bind all of them share the port
// (SO_REUSEPORT), which only processes of this user could make use of.
func Beside(l ipc.Listener, others []int) (int, error) {
	fd, err := Listen(l)
	if err == nil || !errors.Is(err, unix.EADDRINUSE) || len(others) == 0 {
		return fd, err
	}
	for _, other := range others {
		old, err := unix.GetsockoptInt(other, unix.SOL_SOCKET, unix.SO_REUSEPORT)
		if err == nil && old == 0 && unix.SetsockoptInt(other, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) == nil {
			// What cannot be set back stays shared.
			defer func() { _ = unix.SetsockoptInt(other, unix.SOL_SOCKET, unix.SO_REUSEPORT, 0) }()
		}
	}
	shared := l
	shared.ReusePort = true
	if fd, err = Listen(shared); err == nil && !l.ReusePort {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 0) // as above
	}
	return fd, err
}
