package socket

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"pingap/ipc"
)

// MaxBacklog is cut to net.core.somaxconn by the kernel. Asking for more than that needs no /proc/sys, without
// which package net falls back to 128.
const MaxBacklog = 65535

// Listen makes the socket of a wanted listener.
func Listen(l ipc.Listener) (fd int, err error) {
	if l.Network == "unix" {
		fd, err = ListenUnix(l.Address, unix.SOCK_STREAM, modeOf(l), MaxBacklog)
	} else {
		fd, err = listenTCP(l)
	}
	if err != nil {
		return -1, fmt.Errorf("listen on %s for server %s: %w", l.Address, l.Server, err)
	}
	return fd, nil
}

func modeOf(l ipc.Listener) uint32 {
	if l.Mode == 0 {
		return 0o666
	}
	return l.Mode
}

func listenTCP(l ipc.Listener) (int, error) {
	addr, family, err := tcpAddr(l)
	if err != nil {
		return -1, err
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err := setUpTCP(fd, family, addr, l); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// tcpAddr reads IP:port. Names are control's business: looking one up could hang.
func tcpAddr(l ipc.Listener) (unix.Sockaddr, int, error) {
	ap, err := netip.ParseAddrPort(l.Address)
	if err != nil {
		return nil, 0, fmt.Errorf("not IP:port: %w", err)
	}
	is4 := ap.Addr().Is4()
	if l.Network != "tcp" && (l.Network != "tcp4" || !is4) && (l.Network != "tcp6" || is4) {
		return nil, 0, fmt.Errorf("network %q does not fit", l.Network)
	}
	if ap.Addr().Zone() != "" {
		return nil, 0, errors.New("addresses with a zone are not supported")
	}
	if is4 {
		return &unix.SockaddrInet4{Port: int(ap.Port()), Addr: ap.Addr().As4()}, unix.AF_INET, nil
	}
	return &unix.SockaddrInet6{Port: int(ap.Port()), Addr: ap.Addr().As16()}, unix.AF_INET6, nil
}

func setUpTCP(fd, family int, addr unix.Sockaddr, l ipc.Listener) error {
	options := []struct {
		name              string
		want              bool
		level, opt, value int
	}{
		{"SO_REUSEADDR", true, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1},
		{"SO_REUSEPORT", l.ReusePort, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1},
		// "tcp" on [::] takes IPv4 too, tcp6 does not.
		{"IPV6_V6ONLY", family == unix.AF_INET6 && l.Network == "tcp6", unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1},
		{"IPV6_V6ONLY", family == unix.AF_INET6 && l.Network != "tcp6", unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0},
		{"TCP_FASTOPEN", l.FastOpen > 0, unix.IPPROTO_TCP, unix.TCP_FASTOPEN, l.FastOpen},
	}
	for _, o := range options {
		if !o.want {
			continue
		}
		if err := unix.SetsockoptInt(fd, o.level, o.opt, o.value); err != nil {
			return os.NewSyscallError(o.name, err)
		}
	}
	if err := unix.Bind(fd, addr); err != nil {
		return os.NewSyscallError("bind", err)
	}
	return os.NewSyscallError("listen", unix.Listen(fd, MaxBacklog))
}
