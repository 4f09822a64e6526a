package proxyproto

import (
	"encoding/binary"
	"net/netip"
	"strconv"
)

// Append appends the header for a connection that is made for a client. source is the client, destination what it connected to; if one of them is
// not valid, as with unix sockets, the header says that they are unknown.
func Append(dst []byte, version Version, source, destination netip.AddrPort) []byte {
	from, to := source.Addr().Unmap(), destination.Addr().Unmap()
	known := from.IsValid() && to.IsValid()
	four := from.Is4() && to.Is4()
	if known && !four { // one family for both (::ffff:192.0.2.1)
		from, to = netip.AddrFrom16(from.As16()), netip.AddrFrom16(to.As16())
	}
	if version == V2 {
		return appendV2(dst, known, netip.AddrPortFrom(from, source.Port()), netip.AddrPortFrom(to, destination.Port()))
	}
	if !known {
		return append(dst, "PROXY UNKNOWN\r\n"...)
	}
	family := "PROXY TCP6 "
	if four {
		family = "PROXY TCP4 "
	}
	dst = append(from.AppendTo(append(dst, family...)), ' ')
	dst = append(to.AppendTo(dst), ' ')
	dst = append(strconv.AppendUint(dst, uint64(source.Port()), 10), ' ')
	return append(strconv.AppendUint(dst, uint64(destination.Port()), 10), "\r\n"...)
}

// AppendLocal appends the header for a connection of our own, such as a health check: the receiver takes the real addresses. Version 1 has no
// better word for that than UNKNOWN, which some receivers refuse; there Append with the addresses of the socket does it.
func AppendLocal(dst []byte, version Version) []byte {
	if version == V2 {
		return append(append(dst, signature...), commandLocal, 0, 0, 0)
	}
	return append(dst, "PROXY UNKNOWN\r\n"...)
}

// appendV2 appends the binary header; both addresses are of one family.
func appendV2(dst []byte, known bool, source, destination netip.AddrPort) []byte {
	dst = append(append(dst, signature...), commandProxy)
	if !known {
		return append(dst, 0, 0, 0)
	}
	if source.Addr().Is4() {
		from, to := source.Addr().As4(), destination.Addr().As4()
		dst = append(dst, familyINET<<4|protocolStream, 0, byte(addressLen[familyINET]))
		dst = append(append(dst, from[:]...), to[:]...)
	} else {
		from, to := source.Addr().As16(), destination.Addr().As16()
		dst = append(dst, familyINET6<<4|protocolStream, 0, byte(addressLen[familyINET6]))
		dst = append(append(dst, from[:]...), to[:]...)
	}
	dst = binary.BigEndian.AppendUint16(dst, source.Port())
	return binary.BigEndian.AppendUint16(dst, destination.Port())
}
