package proxyproto

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/netip"
)

const (
	// MaxV1 is the longest header of version 1 in bytes, CRLF included (section 2.1).
	MaxV1 = 107
	// MaxV2 is the longest header of version 2 that is taken: the addresses of unix sockets, and 3,864 bytes of further values.
	MaxV2 = 4096

	signature = "\r\n\r\n\x00\r\nQUIT\n"
	prefixV1  = "PROXY "
	fixedV2   = 16 // bytes in front of the addresses
)

// What is wrong with a header. The connection has to be closed.
var (
	ErrAbsent   = errors.New("proxy protocol: connection does not begin with a header")
	ErrLine     = errors.New("proxy protocol: malformed line")
	ErrVersion  = errors.New("proxy protocol: unknown version or command")
	ErrFamily   = errors.New("proxy protocol: unknown family or protocol")
	ErrLength   = errors.New("proxy protocol: too long, or shorter than its addresses")
	ErrValues   = errors.New("proxy protocol: malformed values behind the addresses")
	ErrChecksum = errors.New("proxy protocol: wrong checksum")
)

// Version is that of a header.
type Version uint8

// The versions.
const (
	V1 Version = 1 // a line of text
	V2 Version = 2 // binary
)

// Header is what a header says.
type Header struct {
	// Version it is written in.
	Version Version
	// Local says that it names no addresses that we could use: those of the connection itself hold. So it is for health checks of the proxy
	// in front, for unix sockets, and for what that proxy does not know.
	Local bool
	// Source is the client, Destination what it connected to; invalid when Local. IPv4 addresses mapped into IPv6 are IPv4 here.
	Source, Destination netip.AddrPort
	// ALPN, Authority (the server name, in UTF-8) and UniqueID (at most 128 bytes) are values of version 2; nil if absent. Views, and anybody's bytes.
	ALPN, Authority, UniqueID []byte
}

// Parse reads the header at the front of buf. n is how many bytes it takes, 0 while it is not complete. What cannot become a header is an
// error as soon as it shows.
func Parse(buf []byte) (h Header, n int, err error) {
	switch {
	case begins(buf, signature):
		if len(buf) < fixedV2 {
			return Header{}, 0, nil
		}
		return parseV2(buf)
	case begins(buf, prefixV1):
		return parseV1(buf)
	}
	return Header{}, 0, ErrAbsent
}

// begins reports whether buf begins with prefix as far as it goes.
func begins(buf []byte, prefix string) bool {
	n := min(len(buf), len(prefix))
	return string(buf[:n]) == prefix[:n]
}

// parseV1 reads a line (section 2.1).
func parseV1(buf []byte) (Header, int, error) {
	end := bytes.IndexByte(buf[:min(len(buf), MaxV1)], '\n')
	if end < 0 {
		if len(buf) >= MaxV1 {
			return Header{}, 0, ErrLine
		}
		return Header{}, 0, nil
	}
	if end <= len(prefixV1) || buf[end-1] != '\r' {
		return Header{}, 0, ErrLine
	}
	h := Header{Version: V1}
	line := buf[len(prefixV1) : end-1]
	family, rest, more := bytes.Cut(line, []byte{' '})
	if string(family) == "UNKNOWN" { // whatever stands behind
		h.Local = true
		return h, end + 1, nil
	}
	four := string(family) == "TCP4"
	if !more || !four && string(family) != "TCP6" || !h.addresses(rest, four) {
		return Header{}, 0, ErrLine
	}
	return h, end + 1, nil
}

// addresses reads "source destination port port".
func (h *Header) addresses(text []byte, four bool) bool {
	var parts [4][]byte
	for i := range parts {
		var more bool
		parts[i], text, more = bytes.Cut(text, []byte{' '})
		if more != (i < len(parts)-1) {
			return false
		}
	}
	source, ok1 := parseAddr(parts[0], four)
	destination, ok2 := parseAddr(parts[1], four)
	from, ok3 := parsePort(parts[2])
	to, ok4 := parsePort(parts[3])
	h.Source, h.Destination = netip.AddrPortFrom(source, from), netip.AddrPortFrom(destination, to)
	return ok1 && ok2 && ok3 && ok4
}

func parseAddr(text []byte, four bool) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(string(text))
	return addr.Unmap(), err == nil && addr.Is4() == four && addr.Zone() == ""
}

// parsePort reads a decimal number without leading zeros.
func parsePort(text []byte) (uint16, bool) {
	if len(text) == 0 || len(text) > 5 || text[0] == '0' && len(text) > 1 {
		return 0, false
	}
	port := uint32(0)
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		port = port*10 + uint32(c-'0')
	}
	return uint16(port), port <= 0xffff
}

// Commands, families and protocols of version 2 (section 2.2).
const (
	commandLocal = 0x20
	commandProxy = 0x21

	familyUnspec = 0x0
	familyINET   = 0x1
	familyINET6  = 0x2
	familyUnix   = 0x3

	protocolStream = 0x1
	protocolMax    = 0x2
)

// addressLen is the length of both addresses and ports, by family.
var addressLen = [...]int{familyUnspec: 0, familyINET: 12, familyINET6: 36, familyUnix: 216}

// parseV2 reads a header of which at least the fixed part is there.
func parseV2(buf []byte) (Header, int, error) {
	command, family, protocol := buf[12], int(buf[13]>>4), buf[13]&0xf
	if command != commandLocal && command != commandProxy {
		return Header{}, 0, ErrVersion
	}
	n := fixedV2 + int(binary.BigEndian.Uint16(buf[14:]))
	if n > MaxV2 {
		return Header{}, 0, ErrLength
	}
	h := Header{Version: V2, Local: true}
	if command == commandProxy && (family >= len(addressLen) || protocol > protocolMax) {
		return Header{}, 0, ErrFamily
	}
	if len(buf) < n {
		return Header{}, 0, nil
	}
	if command == commandLocal || family == familyUnspec { // what follows is to be ignored, whatever it is
		return h, n, nil
	}
	block := buf[fixedV2:n]
	if len(block) < addressLen[family] {
		return Header{}, 0, ErrLength
	}
	if protocol == protocolStream {
		h.binaryAddresses(block, family)
	}
	if err := h.values(buf[:n], fixedV2+addressLen[family]); err != nil {
		return Header{}, 0, err
	}
	return h, n, nil
}

func (h *Header) binaryAddresses(b []byte, family int) {
	var source, destination netip.Addr
	var ports []byte
	switch family {
	case familyINET:
		source, destination, ports = netip.AddrFrom4([4]byte(b)), netip.AddrFrom4([4]byte(b[4:])), b[8:]
	case familyINET6:
		source, destination, ports = netip.AddrFrom16([16]byte(b)).Unmap(), netip.AddrFrom16([16]byte(b[16:])).Unmap(), b[32:]
	default:
		return
	}
	h.Local = false
	h.Source = netip.AddrPortFrom(source, binary.BigEndian.Uint16(ports))
	h.Destination = netip.AddrPortFrom(destination, binary.BigEndian.Uint16(ports[2:]))
}

// Types of the values behind the addresses.
const (
	typeALPN      = 0x01
	typeAuthority = 0x02
	typeCRC32C    = 0x03
	typeUniqueID  = 0x05

	maxUniqueID = 128
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	noChecksum = make([]byte, 4)
)

// values reads types, lengths and values from at to the end of the header, and verifies the checksum if there is one.
func (h *Header) values(header []byte, at int) error {
	checksum := 0
	for at < len(header) {
		if len(header)-at < 3 {
			return ErrValues
		}
		kind, n := header[at], int(binary.BigEndian.Uint16(header[at+1:]))
		at += 3
		if n > len(header)-at {
			return ErrValues
		}
		value := header[at : at+n : at+n]
		switch kind {
		case typeALPN:
			h.ALPN = value
		case typeAuthority:
			h.Authority = value
		case typeUniqueID:
			if n > maxUniqueID {
				return ErrValues
			}
			h.UniqueID = value
		case typeCRC32C:
			if n != 4 || checksum > 0 {
				return ErrValues
			}
			checksum = at
		}
		at += n
	}
	if checksum > 0 && binary.BigEndian.Uint32(header[checksum:]) != sum(header, checksum) {
		return ErrChecksum
	}
	return nil
}

// sum is the checksum of a header whose own place counts as zeros (section 2.2.3).
func sum(header []byte, at int) uint32 {
	crc := crc32.Update(0, castagnoli, header[:at])
	crc = crc32.Update(crc, castagnoli, noChecksum)
	return crc32.Update(crc, castagnoli, header[at+4:])
}
