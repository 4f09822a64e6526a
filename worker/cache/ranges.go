package cache

import "bytes"

// span says which bytes of a body a request wants.
type span struct {
	from, length int64
	how          rangeKind
}

type rangeKind uint8

const (
	whole       rangeKind = iota // no range, several, or one that is not understood
	part                         //
	unsatisfied                  // nothing of it is there: 416
)

// parseRange reads a Range of bytes for a body of this length (RFC 9110 section 14.1.2). More than one range is answered with the whole, which is allowed and cannot be
// abused.
func parseRange(text []byte, length int64) span {
	const unit = "bytes="
	if len(text) <= len(unit) || !bytes.EqualFold(text[:len(unit)], []byte(unit)) {
		return span{}
	}
	first, last, ok := bytes.Cut(bytes.Trim(text[len(unit):], " \t"), []byte{'-'})
	if !ok {
		return span{}
	}
	if len(first) == 0 {
		n, ok := parseBytes(last)
		switch {
		case !ok:
			return span{}
		case n == 0 || length == 0:
			return span{how: unsatisfied}
		}
		n = min(n, length)
		return span{from: length - n, length: n, how: part}
	}
	from, ok := parseBytes(first)
	to := length - 1
	if ok && len(last) > 0 {
		to, ok = parseBytes(last)
	}
	switch {
	case !ok || len(last) > 0 && to < from:
		return span{}
	case from >= length:
		return span{how: unsatisfied}
	}
	to = min(to, length-1)
	return span{from: from, length: to - from + 1, how: part}
}

// parseBytes reads a number of at most 18 digits.
func parseBytes(text []byte) (n int64, ok bool) {
	if len(text) == 0 || len(text) > 18 {
		return 0, false
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}
