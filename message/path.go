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
// is appended unchanged.
func appendNormal(dst, path []byte) []byte {
	if len(path) == 0 || path[0] != '/' {
		return append(dst, path...)
	}
	start := len(dst)
	dst = append(dst, '/')
	segment := len(dst) // where the present segment begins
	for i := 1; i < len(path); i++ {
		c := path[i]
		if c == '%' {
			var width int
			c, width = unreserved(path[i:])
			if width > 0 {
				i += width
			}
		}
		if c != '/' {
			dst = append(dst, c)
			continue
		}
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

// unreserved decodes "%XX" at the start of b if it stands for an unreserved character (RFC 3986
// section 2.3). It returns the character and the number of bytes beyond the first; for anything
// else '%' and 0.
func unreserved(b []byte) (byte, int) {
	if len(b) < 3 {
		return '%', 0
	}
	high, low := unhex(b[1]), unhex(b[2])
	if high < 0 || low < 0 {
		return '%', 0
	}
	c := byte(high<<4 | low)
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.', c == '_', c == '~':
		return c, 2
	}
	return '%', 0
}

func unhex(c byte) int {
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
