package supervisor

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"pingap/ipc"
)

// maxBacklog is cut to net.core.somaxconn by the kernel. Asking for more than that needs no /proc/sys, without
// which package net falls back to 128.
const maxBacklog = 65535

// listener is a bound socket. Its descriptor is shared by all workers: nothing here or there may change its flags.
type listener struct {
	ipc.Listener
	fd int
}

// bind makes the socket of a wanted listener, non-blocking and close-on-exec from birth.
func bind(l ipc.Listener) (*listener, error) {
	l.ID, l.FD = ipc.ListenerID(l), 0
	var fd int
	var err error
	if l.Network == "unix" {
		mode := l.Mode
		if mode == 0 {
			mode = 0o666
		}
		fd, err = listenUnix(l.Address, unix.SOCK_STREAM, mode, maxBacklog)
	} else {
		fd, err = listenTCP(l)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s for server %s: %w", l.Address, l.Server, err)
	}
	return &listener{Listener: l, fd: fd}, nil
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
	return os.NewSyscallError("listen", unix.Listen(fd, maxBacklog))
}

// bindMissing binds what is wanted and not there yet; on an error nothing stays bound.
func (s *supervisor) bindMissing(wanted []ipc.Listener) ([]*listener, error) {
	var added []*listener
	for _, w := range wanted {
		if s.listeners[ipc.ListenerID(w)] != nil {
			continue
		}
		l, err := bind(w)
		if err != nil {
			closeListeners(added)
			return nil, err
		}
		added = append(added, l)
	}
	return added, nil
}

// keepListeners closes the listeners that a version does not want any more.
func (s *supervisor) keepListeners(v *version) {
	wanted := map[string]bool{}
	for _, l := range v.listeners {
		wanted[l.ID] = true
	}
	for id, l := range s.listeners {
		if !wanted[id] {
			closeListeners([]*listener{l})
			delete(s.listeners, id)
		}
	}
}

func (s *supervisor) closeListeners() {
	for _, l := range s.listeners {
		closeListeners([]*listener{l})
	}
	clear(s.listeners)
}

// closeListeners closes our copies; a unix path is ours to remove. Never shutdown(2): it would end the others' copies.
func closeListeners(all []*listener) {
	for _, l := range all {
		unix.Close(l.fd)
		if l.Network == "unix" {
			os.Remove(l.Address)
		}
	}
}

// sameListeners reports whether a proposal wants just what is bound.
func (s *supervisor) sameListeners(wanted []ipc.Listener) bool {
	for _, w := range wanted {
		if s.listeners[ipc.ListenerID(w)] == nil {
			return false
		}
	}
	return len(wanted) == len(s.listeners)
}
