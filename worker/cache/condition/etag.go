package condition

import "bytes"

// Matches reports whether a list of entity tags, or "*", has one that equals tag in the weak comparison (RFC 9110 section 8.8.3.2).
func Matches(list, tag []byte) bool {
	tag = opaque(bytes.TrimSpace(tag))
	if len(tag) == 0 {
		return false
	}
	for len(list) > 0 {
		list = bytes.TrimLeft(list, " \t,")
		if len(list) > 0 && list[0] == '*' {
			return true
		}
		var each []byte
		each, list = nextTag(list)
		if bytes.Equal(opaque(each), tag) {
			return true
		}
	}
	return false
}

// nextTag takes the first tag of a list. One without quotes, which some servers write, ends at a comma.
func nextTag(list []byte) (tag, rest []byte) {
	start := 0
	if bytes.HasPrefix(list, []byte("W/")) {
		start = 2
	}
	if start < len(list) && list[start] == '"' {
		if end := bytes.IndexByte(list[start+1:], '"'); end >= 0 {
			end += start + 2
			return list[:end], list[end:]
		}
		return nil, nil
	}
	if end := bytes.IndexByte(list, ','); end >= 0 {
		return bytes.TrimSpace(list[:end]), list[end:]
	}
	return bytes.TrimSpace(list), nil
}

func opaque(tag []byte) []byte { return bytes.TrimPrefix(tag, []byte("W/")) }

// Strong reports whether two tags are equal in the strong comparison.
func Strong(a, b []byte) bool {
	return len(a) > 1 && a[0] == '"' && bytes.Equal(a, b)
}
