package http1

import (
	"bytes"
	"net/netip"
)

// maxHost is the longest authority in bytes: a name of 253, a colon and a port.
const maxHost = 260

// ValidHost reports whether host is "uri-host [ : port ]" (RFC 9110 section 7.2): a registered name,
// an IPv4 address or an IP literal in brackets. Percent-encoding, user information, an empty host and
// commas are refused; repeated Host fields that somebody has joined have commas.
func ValidHost(host []byte) bool {
	if len(host) == 0 || len(host) > maxHost {
		return false
	}
	if host[0] == '[' {
		end := bytes.IndexByte(host, ']')
		return end > 0 && validIPv6(host[1:end]) && validPort(host[end+1:])
	}
	i := 0
	for i < len(host) && hostBytes[host[i]] {
		i++
	}
	return i > 0 && validPort(host[i:])
}

// hostBytes are the characters of a registered name or an IPv4 address; built once and never changed.
var hostBytes = buildHostBytes()

func buildHostBytes() (table [256]bool) {
	for c := range table {
		table[c] = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
	}
	for _, c := range "-._~!$&'()*+;=" {
		table[c] = true
	}
	return table
}

func validIPv6(b []byte) bool {
	addr, err := netip.ParseAddr(string(b))
	return err == nil && addr.Is6() && addr.Zone() == ""
}

// validPort takes nothing, ":" or ":" and up to five digits that make a port number.
func validPort(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	if b[0] != ':' || len(b) > 6 {
		return false
	}
	n := 0
	for _, c := range b[1:] {
		if !isDigit(c) {
			return false
		}
		n = n*10 + int(c-'0')
	}
	return n <= 65535
}
