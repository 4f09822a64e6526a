package upstream

import (
	"context"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"pingap/config"
	"pingap/message"
)

// newDialer sets up what every connection to the upstream has in common.
func (u *Upstream) newDialer(cfg *config.Upstream) *net.Dialer {
	d := &net.Dialer{
		Timeout:   connectTimeout(cfg),
		KeepAlive: -1, // off unless asked for
		Control:   u.control,
		Resolver:  &net.Resolver{PreferGo: true}, // for hosts of a transparent upstream; else there are only addresses
	}
	if cfg.TCPIdle > 0 && cfg.TCPInterval > 0 && cfg.TCPProbeCount > 0 {
		d.KeepAliveConfig = net.KeepAliveConfig{
			Enable: true, Idle: cfg.TCPIdle.Std(), Interval: cfg.TCPInterval.Std(), Count: cfg.TCPProbeCount,
		}
	}
	return d
}

// connectTimeout is the shorter of the two limits that are set.
func connectTimeout(cfg *config.Upstream) time.Duration {
	connect, total := cfg.ConnectionTimeout.Std(), cfg.TotalConnectionTimeout.Std()
	if connect == 0 || total > 0 && total < connect {
		return total
	}
	return connect
}

// dial connects to a backend for a target; h2 tells whether HTTP/2 is wanted, if the upstream has it.
func (u *Upstream) dial(ctx context.Context, b *Backend, t *Target, h2 bool) (*Conn, error) {
	started := u.now()
	c, err := u.connect(ctx, b, started)
	if err != nil {
		return nil, err
	}
	if t != nil {
		c.key = string(t.key)
	}
	if u.proxyVersion != 0 {
		if err := u.introduce(ctx, c, t, started); err != nil {
			c.Discard()
			return nil, err
		}
	}
	if u.tls == nil {
		c.H2 = h2 && u.Multiplexed()
		return c, nil
	}
	if err := u.tls.handshake(ctx, c, t, started, u.protocols.offers(h2)); err != nil {
		c.Discard()
		return nil, err
	}
	return c, nil
}

// connect makes the connection below TLS.
func (u *Upstream) connect(ctx context.Context, b *Backend, started int64) (*Conn, error) {
	network := b.address.Network
	if u.Config.IPv4Only && network == "tcp" && u.transparent != nil {
		network = "tcp4"
	}
	nc, err := u.dialer.DialContext(ctx, network, b.address.String())
	if err != nil {
		return nil, connectError(b.Addr, err)
	}
	if u.transparent != nil && u.transparent.isSelf(nc.LocalAddr(), nc.RemoteAddr()) {
		_ = nc.Close() // nothing was sent
		return nil, &ConnectError{Kind: Other, Addr: b.Addr, Err: ErrForbidden}
	}
	raw, err := nc.(syscall.Conn).SyscallConn()
	if err != nil {
		_ = nc.Close() // the error below is the one to tell
		return nil, connectError(b.Addr, err)
	}
	now := u.now()
	c := &Conn{Conn: nc, Raw: raw, Opened: now, Connect: now - started, Handshake: message.Unset, Backend: b}
	c.look = c.peek
	u.opened(1)
	return c, nil
}

// control sets socket options before connecting. Those that only tune are left when the kernel
// refuses them.
func (u *Upstream) control(network, address string, raw syscall.RawConn) error {
	if u.transparent != nil && !u.transparent.allowed(address) {
		return ErrForbidden
	}
	if network == "unix" {
		return nil
	}
	return raw.Control(func(fd uintptr) { u.socketOptions(int(fd)) })
}

func (u *Upstream) socketOptions(fd int) {
	cfg := u.Config
	if cfg.TCPRecvBuf > 0 {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, int(min(cfg.TCPRecvBuf, maxRecvBuf)))
	}
	if cfg.TCPUserTimeout > 0 {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(cfg.TCPUserTimeout.Std().Milliseconds()))
	}
	if cfg.TCPFastOpen {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_FASTOPEN_CONNECT, 1)
	}
}

// maxRecvBuf is the most the kernel's option can hold, in bytes.
const maxRecvBuf = 1 << 30

// addrOf returns the address of an endpoint without its port.
func addrOf(a net.Addr) netip.Addr {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return tcp.AddrPort().Addr().Unmap()
}
