package refererrestriction

import "bytes"

// maxHost is the longest name of a host (RFC 1035 section 2.3.4), with room for a final dot.
const maxHost = 254

// appendHost appends the host of a URL in lower case, without port and final dot; nothing if it has none that is plain. The authority
// ends where a browser has it end: at a slash of either kind, "?" or "#". What comes before "@" in it is no host.
func appendHost(dst, url []byte) []byte {
	_, rest, ok := bytes.Cut(url, []byte("://"))
	if !ok {
		return dst
	}
	if end := bytes.IndexAny(rest, `/\?#`); end >= 0 {
		rest = rest[:end]
	}
	rest = rest[bytes.LastIndexByte(rest, '@')+1:]
	host := withoutPort(rest)
	host = bytes.TrimSuffix(host, []byte("."))
	if len(host) > maxHost || !plain(host) {
		return dst
	}
	for _, c := range host {
		dst = append(dst, lower(c))
	}
	return dst
}

// withoutPort cuts a port off; an address of IPv6 keeps its brackets.
func withoutPort(authority []byte) []byte {
	if end := bytes.LastIndexByte(authority, ']'); end >= 0 {
		return authority[:end+1]
	}
	host, _, _ := bytes.Cut(authority, []byte(":"))
	return host
}

// plain reports whether these are letters of names and addresses. Names in other scripts come as punycode.
func plain[T []byte | string](host T) bool {
	for i := range len(host) {
		switch c := lower(host[i]); {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '.', c == '-', c == '_':
		case c == '[', c == ']', c == ':':
		default:
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c | 0x20
	}
	return c
}
