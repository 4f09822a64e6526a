package head

import (
	"bytes"
	"net/netip"

	"pingap/message"
)

// settle checks what a request needs to be served: scheme, target and host.
func (h *Head) settle(limits *Limits) {
	switch {
	case h.scheme == nil: // of a plain CONNECT, which is refused already
	case message.EqualFold(h.scheme, "https"):
		h.Secure = true
	case !message.EqualFold(h.scheme, "http"):
		h.refuse(400, invalidHeader, ":scheme is neither http nor https")
	}
	if h.Path != nil {
		h.checkPath(limits.Target)
	}
	h.settleHost()
}

// checkPath checks the target (RFC 9113 section 8.3.1): origin-form, or "*" for OPTIONS.
func (h *Head) checkPath(limit int) {
	path := h.Path
	valid := len(path) <= limit && message.ValidTarget(path)
	switch {
	case len(path) > limit:
		h.refuse(414, "URITooLong", "request-target is longer than target_max_length")
	case !valid:
		h.refuse(400, invalidHeader, "request-target has bytes outside the grammar")
	case path[0] == '/':
		if !validEscapes(path) {
			h.refuse(400, invalidHeader, "request-target has bytes outside the grammar")
			valid = false
		}
	case len(path) != 1 || path[0] != '*' || string(h.Method) != "OPTIONS":
		h.refuse(400, invalidHeader, "request-target has a form that this method does not allow")
		valid = false
	}
	if !valid {
		h.Path = nil // nobody is to see it
	}
}

// validEscapes checks the percent-encoding of the path in front of a query (RFC 3986 section 2.1): peers disagree about
// what a stray "%" means, and an encoded NUL ends the path for some.
func validEscapes(path []byte) bool {
	if end := bytes.IndexByte(path, '?'); end >= 0 {
		path = path[:end]
	}
	for at := bytes.IndexByte(path, '%'); at >= 0; at = bytes.IndexByte(path, '%') {
		if at+2 >= len(path) || message.Unhex(path[at+1]) < 0 || message.Unhex(path[at+2]) < 0 ||
			path[at+1] == '0' && path[at+2] == '0' {
			return false
		}
		path = path[at+3:]
	}
	return true
}

// settleHost finds the authority of the request. Where both :authority and Host are there they must be the same, for one
// hop could route by the one and the next by the other.
func (h *Head) settleHost() {
	switch {
	case h.Authority == nil && h.host == nil:
		h.refuse(400, invalidHeader, "missing Host")
		return
	case h.Authority == nil:
		h.Authority = h.host
	case h.host != nil && !bytes.EqualFold(h.Authority, h.host):
		h.refuse(400, invalidHeader, "Host is not :authority")
	}
	if !ValidHost(h.Authority) {
		h.refuse(400, invalidHeader, "invalid Host")
		h.Authority = nil
	}
}

// maxHost is the longest authority in bytes: a name of 253, a colon and a port.
const maxHost = 260

// ValidHost reports whether host is "uri-host [ : port ]" (RFC 9110 section 7.2): a registered name, an IPv4 address or
// an IP literal in brackets. Percent-encoding, user information, an empty host and commas are refused.
func ValidHost(host []byte) bool {
	if len(host) == 0 || len(host) > maxHost {
		return false
	}
	if host[0] == '[' {
		end := bytes.IndexByte(host, ']')
		return end > 0 && validIPv6(host[1:end]) && validPort(host[end+1:])
	}
	i := 0
	for i < len(host) && isHostByte(host[i]) {
		i++
	}
	return i > 0 && validPort(host[i:])
}

func isHostByte(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return true
	}
	switch c {
	case '-', '.', '_', '~', '!', '$', '&', '\'', '(', ')', '*', '+', ';', '=':
		return true
	}
	return false
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
		if c < '0' || c > '9' {
			return false
		}
		n = n*10 + int(c-'0')
	}
	return n <= 65535
}

// parseLength reads a content-length of at most 18 digits; -1 is none.
func parseLength(value []byte) int64 {
	if len(value) == 0 || len(value) > 18 {
		return -1
	}
	n := int64(0)
	for _, c := range value {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int64(c-'0')
	}
	return n
}
