package acceptencoding

import (
	"bytes"

	"pingap/message"
)

// accepted returns which of the encodings a value of Accept-Encoding accepts, as bits (RFC 9110 section 12.5.3). One with a weight of 0 is not accepted,
// and neither is one with a weight that cannot be read. "*" stands for none: it was not asked for by name.
func (n *narrowing) accepted(value []byte) uint {
	var set uint
	for len(value) > 0 {
		var item []byte
		item, value, _ = bytes.Cut(value, []byte(","))
		name, parameters, _ := bytes.Cut(item, []byte(";"))
		name = trim(name)
		for i, encoding := range n.encodings {
			if message.EqualFold(name, encoding) {
				if weighs(parameters) {
					set |= 1 << i
				}
				break
			}
		}
	}
	return set
}

// weighs reports whether the weight among parameters is above 0; without one it is 1.
func weighs(parameters []byte) bool {
	for len(parameters) > 0 {
		var parameter []byte
		parameter, parameters, _ = bytes.Cut(parameters, []byte(";"))
		name, weight, _ := bytes.Cut(parameter, []byte("="))
		if message.EqualFold(trim(name), "q") {
			return aboveZero(trim(weight))
		}
	}
	return true
}

// aboveZero reads a weight: 0 or 1, and digits after a point.
func aboveZero(weight []byte) bool {
	whole, fraction, _ := bytes.Cut(weight, []byte("."))
	if len(whole) != 1 || whole[0] != '0' && whole[0] != '1' {
		return false
	}
	above := whole[0] == '1'
	for _, c := range fraction {
		if c < '0' || c > '9' {
			return false
		}
		above = above || c != '0'
	}
	return above
}

func trim(b []byte) []byte { return bytes.Trim(b, " \t") }
