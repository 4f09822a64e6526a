package accesslog

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// escaped are the bytes that text formats write as \xHH; built once and never changed.
var escaped = buildEscaped()

func buildEscaped() (table [256]bool) {
	for c := range table {
		table[c] = c < ' ' || c >= 0x7f || c == '"' || c == '\\'
	}
	return table
}

// appendText appends value with what could forge a line escaped.
func appendText(dst, value []byte) []byte {
	start := 0
	for i := clean(value); i < len(value); i++ {
		c := value[i]
		if !escaped[c] {
			continue
		}
		dst = append(dst, value[start:i]...)
		dst = append(dst, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
		start = i + 1
	}
	return append(dst, value[start:]...)
}

// clean returns how many of the first bytes of b need no escape, by eights: among the next there is one that does, or they are fewer.
func clean(b []byte) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		quote, backslash := x^ones*'"', x^ones*'\\' // zero where there is one
		// The lowest high bit marks a byte below 0x20 or from 0x7f on, a quote or a backslash.
		if (x|(x+ones)|(x-ones*0x20)|(quote-ones)|(backslash-ones))&highs != 0 {
			break
		}
	}
	return i
}

// escapeTail escapes what was appended to dst since start. Values that come this way need it only if
// a configuration names something oddly, so the copy it may cost does not matter.
func escapeTail(dst []byte, start int) []byte {
	for _, c := range dst[start:] {
		if escaped[c] {
			return appendText(dst[:start], bytes.Clone(dst[start:]))
		}
	}
	return dst
}

// appendJSON appends value as a JSON string. Valid UTF-8 stays, but for controls and separators; a byte
// that is none becomes the replacement character.
func appendJSON[T []byte | string](dst []byte, value T) []byte {
	return append(appendJSONInner(append(dst, '"'), value), '"')
}

// appendJSONInner is appendJSON without the quotes.
func appendJSONInner[T []byte | string](dst []byte, value T) []byte {
	start := 0
	for i := 0; i < len(value); {
		c := value[i]
		if c < utf8.RuneSelf && !escaped[c] {
			i++
			continue
		}
		dst = append(dst, value[start:i]...)
		r, size := rune(c), 1
		if c >= utf8.RuneSelf {
			r, size = decodeRune(value[i:])
		}
		dst = appendJSONRune(dst, r)
		i += size
		start = i
	}
	return append(dst, value[start:]...)
}

// decodeRune decodes the rune at the start of value without converting all of it.
func decodeRune[T []byte | string](value T) (rune, int) {
	var first [utf8.UTFMax]byte
	return utf8.DecodeRune(first[:copy(first[:], value)])
}

func appendJSONRune(dst []byte, r rune) []byte {
	switch {
	case r == '"' || r == '\\':
		return append(dst, '\\', byte(r))
	case r < ' ', r >= 0x7f && r < 0xa0, r >= 0x2028 && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
		return append(dst, '\\', 'u', hexDigits[r>>12], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
	}
	return utf8.AppendRune(dst, r)
}
