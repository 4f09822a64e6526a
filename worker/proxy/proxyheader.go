package proxy

import (
	"io"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"pingap/message"
	"pingap/worker/proxyproto"
)

// ProxyProtocol is how a server treats the PROXY protocol.
type ProxyProtocol struct {
	// Required refuses connections without a header, and so those of all whose header would not be believed.
	Required bool
	// Trusts reports whether a peer's header is believed. Who is not trusted must not send one: it would be taken for a request,
	// and refused.
	Trusts func(netip.Addr) bool
}

// readProxyHeader takes the PROXY protocol's header off the front of a new connection. It looks without taking until it knows how
// long the header is, because what follows may be a TLS handshake. It reports whether the connection is to be served.
func (c *conn) readProxyHeader(s *Server) bool {
	pp := s.ProxyProtocol
	if !pp.Trusts(c.info.Remote.Addr().Unmap()) {
		return !pp.Required // who comes past the balancer is not what this server is for
	}
	if c.net.SetReadDeadline(time.Now().Add(s.HeaderTimeout)) != nil {
		return false
	}
	buf := make([]byte, proxyproto.MaxV2)
	var h proxyproto.Header
	size, seen := 0, 0
	var bad error
	err := c.raw.Read(func(fd uintptr) bool {
		for {
			n, _, err := unix.Recvfrom(int(fd), buf, unix.MSG_PEEK|unix.MSG_DONTWAIT)
			switch {
			case err == unix.EINTR:
				continue
			case err != nil || n <= seen && n > 0: // nothing new
				return err != unix.EAGAIN && err != nil
			case n == 0:
				return true
			}
			seen = n
			h, size, bad = proxyproto.Parse(buf[:n])
			if size == 0 && bad == nil {
				continue // an edge may be lost to a look that takes nothing: look again
			}
			return true
		}
	})
	if err != nil || c.net.SetReadDeadline(time.Time{}) != nil {
		return false
	}
	if bad != nil || size == 0 {
		return bad == proxyproto.ErrAbsent && !pp.Required
	}
	if !c.skip(size) {
		return false
	}
	if !h.Local && h.Source.IsValid() {
		c.info.Remote, c.info.Local = h.Source, message.EndpointOf(h.Destination)
		c.info.RemoteText = h.Source.Addr().Unmap().AppendTo(nil)
	}
	return true
}

// skip takes n bytes that have been seen off the connection.
func (c *conn) skip(n int) bool {
	buf := make([]byte, n)
	_, err := io.ReadFull(c.net, buf)
	return err == nil
}
