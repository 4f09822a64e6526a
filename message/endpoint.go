package message

import (
	"net/netip"
	"unique"
)

// Endpoint is an address that many connections have in common. It is kept once, so that an idle connection costs less.
// The zero value is that of a unix socket.
type Endpoint struct{ handle unique.Handle[netip.AddrPort] }

// EndpointOf returns the endpoint of an address.
func EndpointOf(a netip.AddrPort) Endpoint { return Endpoint{unique.Make(a)} }

// AddrPort returns the address, invalid for the zero value.
func (e Endpoint) AddrPort() netip.AddrPort {
	if e == (Endpoint{}) {
		return netip.AddrPort{}
	}
	return e.handle.Value()
}
