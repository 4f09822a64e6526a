package condition

import "bytes"

// Span says which bytes of a body a request wants.
type Span struct {
	From, Length int64
	How          Kind
}

// Kind says what is to be answered.
type Kind uint8

// The kinds.
const (
	Whole       Kind = iota // no range, several, or one that is not understood
	Part                    //
	Unsatisfied             // nothing of it is there: 416
)

// ParseRange reads a Range of bytes for a body of this length (RFC 9110 section 14.1.2). More than one range is answered with the whole, which is allowed and cannot be
// abused.
func ParseRange(text []byte, length int64) Span {
	const unit = "bytes="
	if len(text) <= len(unit) || !bytes.EqualFold(text[:len(unit)], []byte(unit)) {
		return Span{}
	}
	first, last, ok := bytes.Cut(bytes.Trim(text[len(unit):], " \t"), []byte{'-'})
	if !ok {
		return Span{}
	}
	if len(first) == 0 {
		n, ok := parseBytes(last)
		switch {
		case !ok:
			return Span{}
		case n == 0 || length == 0:
			return Span{How: Unsatisfied}
		}
		n = min(n, length)
		return Span{From: length - n, Length: n, How: Part}
	}
	from, ok := parseBytes(first)
	to := length - 1
	if ok && len(last) > 0 {
		to, ok = parseBytes(last)
	}
	switch {
	case !ok || len(last) > 0 && to < from:
		return Span{}
	case from >= length:
		return Span{How: Unsatisfied}
	}
	to = min(to, length-1)
	return Span{From: from, Length: to - from + 1, How: Part}
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
