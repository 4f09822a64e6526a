package health

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// connect makes a connection to the backend, with TLS where the check has it.
func (e *exchange) connect(ctx context.Context) (net.Conn, outcome) {
	limit := e.check.ConnectionTimeout
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	conn, err := e.dial(limited)
	switch {
	case err != nil && (limited.Err() != nil || isTimeout(err)):
		return nil, late("connection", limit)
	case err != nil:
		return nil, outcomeOf(err)
	case conn.LocalAddr().Network() == "tcp" && conn.LocalAddr().String() == conn.RemoteAddr().String(): // see isSelf
		_ = conn.Close()
		return nil, outcomeOf(syscall.ECONNREFUSED)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // no TIME_WAIT
	}
	if e.check.tls == nil {
		return conn, outcome{}
	}
	secure := tls.Client(conn, e.check.tls)
	if err := secure.HandshakeContext(limited); err != nil {
		_ = conn.Close()
		if limited.Err() != nil || isTimeout(err) {
			return nil, late("TLS handshake", limit)
		}
		if o := outcomeOf(err); o.verdict == unmade {
			return nil, o
		}
		return nil, refused("TLS handshake: %s", outcomeOf(err).reason)
	}
	return secure, outcome{}
}

// dial connects.
func (e *exchange) dial(ctx context.Context) (net.Conn, error) {
	if e.address.Network != "unix" {
		if _, err := netip.ParseAddr(e.address.Host); err != nil {
			return nil, errNoAddress
		}
	}
	d := net.Dialer{KeepAlive: -1}
	for {
		conn, err := d.DialContext(ctx, e.address.Network, e.address.String())
		if !errors.Is(err, syscall.EAGAIN) { // the queue of a Unix socket is full
			return conn, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(backlogPause):
		}
	}
}
