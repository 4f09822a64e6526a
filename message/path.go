package message

// isNormal reports whether a path has no repeated slash, no segment that begins with a dot, and no
// percent sign: then it is its own normal form. (A segment such as ".git" is sent the long way and
// comes back unchanged.)
func isNormal(path []byte) bool {
	for i, c := range path {
		if c == '%' {
			return false
		}
		if (c == '/' || c == '.') && i > 0 && path[i-1] == '/' {
			return false
		}
	}
	return true
}

// appendNormal appends the normal form of path to dst. A path that does not begin with "/" ("*")
// is appended unchanged. A "%" that begins no escape stays, and so do escapes right behind it: decoded
// they would make it one ("%%32e" must not become "%2e"), and the normal form would not be final.
func appendNormal(dst, path []byte) []byte {
	if len(path) == 0 || path[0] != '/' {
		return append(dst, path...)
	}
	start := len(dst)
	dst = append(dst, '/')
	segment := len(dst) // where the present segment begins
	stray := -1         // where in dst the segment's last "%" that begins no escape is
	for i := 1; i < len(path); i++ {
		c := path[i]
		if c == '%' {
			decoded, ok := unescape(path[i:])
			switch {
			case !ok:
				stray = len(dst)
			case isUnreserved(decoded) && (stray < 0 || len(dst)-stray > 2):
				c = decoded
				i += 2
			}
		}
		if c != '/' {
			dst = append(dst, c)
			continue
		}
		stray = -1
		if dst = closeSegment(dst, start, segment); dst[len(dst)-1] != '/' {
			dst = append(dst, '/')
		}
		segment = len(dst)
	}
	return closeSegment(dst, start, segment)
}

// closeSegment removes a "." segment, and a ".." segment with its parent; dst then ends in "/".
func closeSegment(dst []byte, start, segment int) []byte {
	switch string(dst[segment:]) {
	case ".":
		return dst[:segment]
	case "..":
		parent := segment - 1 // the slash before ".."
		for parent > start && dst[parent-1] != '/' {
			parent--
		}
		if parent <= start {
			return dst[:start+1]
		}
		return dst[:parent]
	}
	return dst
}

// unescape decodes "%XX" at the start of b; false if there is none.
func unescape(b []byte) (byte, bool) {
	if len(b) < 3 {
		return 0, false
	}
	high, low := Unhex(b[1]), Unhex(b[2])
	return byte(high<<4 | low), high >= 0 && low >= 0
}

// isUnreserved reports whether c means the same escaped and not (RFC 3986 section 2.3).
func isUnreserved(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.', c == '_', c == '~':
		return true
	}
	return false
}

// Unhex returns the value of a hexadecimal digit, -1 for anything else.
func Unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
