package socket

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"pingap/ipc"
)

// Bound says whether fd is a listening stream socket at the address of l: how sockets that a socket unit of systemd gives are told
// apart. Options other than the address are whoever made it's business.
func Bound(fd int, l ipc.Listener) bool {
	if listening, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil || listening != 1 {
		return false
	}
	if typ, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE); err != nil || typ != unix.SOCK_STREAM {
		return false
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return false
	}
	switch a := name.(type) {
	case *unix.SockaddrUnix:
		return l.Network == "unix" && a.Name == l.Address
	case *unix.SockaddrInet4:
		return sameAddress(l, netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port)))
	case *unix.SockaddrInet6:
		return sameAddress(l, netip.AddrPortFrom(netip.AddrFrom16(a.Addr), uint16(a.Port)))
	}
	return false
}

func sameAddress(l ipc.Listener, bound netip.AddrPort) bool {
	want, err := netip.ParseAddrPort(l.Address)
	if err != nil || l.Network == "unix" || want.Port() != bound.Port() {
		return false
	}
	// A socket on [::] that takes both serves a wanted 0.0.0.0 as well.
	return want.Addr() == bound.Addr() || want.Addr().IsUnspecified() && bound.Addr() == netip.IPv6Unspecified()
}
