package directory

import (
	"bytes"
	"math"

	"pingap/message"
)

// rangeVerdict says what a Range field asks for.
type rangeVerdict uint8

const (
	rangeWhole rangeVerdict = iota // nothing that is served in parts: the whole file
	rangePart
	rangeNone // nothing that is there
)

// parseRange reads the value of a Range field for a file of this size (RFC 9110 section 14.2). One range is served, of several the whole
// file, which section 15.3.7 allows: clients that ask for several are rare, and cheap requests for costly answers are an attack.
// What is no range is answered as one that is not there, as the original does.
func parseRange(value []byte, size int64) (offset, length int64, verdict rangeVerdict) {
	unit, set, ok := bytes.Cut(value, []byte("="))
	if !ok || !message.EqualFold(bytes.TrimSpace(unit), "bytes") {
		return 0, size, rangeWhole
	}
	spec, more := oneOf(set)
	if more {
		return 0, size, rangeWhole
	}
	first, last, ok := bytes.Cut(spec, []byte("-"))
	from, hasFrom := parsePosition(first)
	to, hasTo := parsePosition(last)
	switch {
	case !ok || !hasFrom && len(first) > 0 || !hasTo && len(last) > 0 || !hasFrom && !hasTo:
		return 0, 0, rangeNone
	case !hasFrom:
		return suffix(to, size)
	case !hasTo:
		to = math.MaxInt64
	}
	if to < from || from >= size {
		return 0, 0, rangeNone
	}
	return from, min(to, size-1) - from + 1, rangePart
}

// suffix is the last n bytes; all of a file that is shorter.
func suffix(n, size int64) (int64, int64, rangeVerdict) {
	switch {
	case n == 0:
		return 0, 0, rangeNone
	case size == 0: // there is a part, and no way to name it
		return 0, 0, rangeWhole
	}
	n = min(n, size)
	return size - n, n, rangePart
}

// oneOf returns the element of a list that has one, and whether it has more. Empty elements do not count (RFC 9110 section 5.6.1).
func oneOf(list []byte) (element []byte, more bool) {
	for each := range bytes.SplitSeq(list, []byte(",")) {
		if each = bytes.Trim(each, " \t"); len(each) == 0 {
			continue
		}
		if element != nil {
			return nil, true
		}
		element = each
	}
	return element, false
}

// parsePosition reads digits. What is larger than any file is as large as can be said.
func parsePosition(text []byte) (n int64, ok bool) {
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		if n > (math.MaxInt64-9)/10 {
			n = math.MaxInt64
			continue
		}
		n = n*10 + int64(c-'0')
	}
	return n, len(text) > 0
}
