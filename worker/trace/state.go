package trace

import (
	"bytes"

	"pingap/message"
)

// Limits of W3C Trace Context section 3.3.1 and W3C Baggage section 3.3.2, and bounds of our own on what is copied.
const (
	maxStateMembers = 32
	maxStateKey     = 256
	maxStateValue   = 256
	maxStateLength  = 4 << 10
	maxBaggage      = 8 << 10
	maxMembers      = 64
)

// validState reports whether a list of a tracestate can be read; a bad one is not sent on (W3C Trace Context section 3.3.1).
// n counts its members, over all fields.
func validState(text []byte, n *int) bool {
	if len(text) > maxStateLength {
		return false
	}
	for member := range bytes.SplitSeq(text, comma) {
		member = bytes.Trim(member, " \t")
		if len(member) == 0 {
			continue
		}
		if *n++; *n > maxStateMembers {
			return false
		}
		key, value, found := bytes.Cut(member, equals)
		if !found || !validStateKey(key) || !validStateValue(value) {
			return false
		}
	}
	return true
}

var (
	comma  = []byte{','}
	equals = []byte{'='}
)

// validStateKey takes level 2, which allows what level 1 does.
func validStateKey(key []byte) bool {
	if len(key) == 0 || len(key) > maxStateKey || !isLowerDigit(key[0]) {
		return false
	}
	for _, b := range key[1:] {
		if !isLowerDigit(b) && b != '_' && b != '-' && b != '*' && b != '/' && b != '@' {
			return false
		}
	}
	return true
}

func isLowerDigit(b byte) bool { return b >= 'a' && b <= 'z' || b >= '0' && b <= '9' }

func validStateValue(value []byte) bool {
	if len(value) == 0 || len(value) > maxStateValue {
		return false
	}
	for _, b := range value {
		if b < 0x20 || b > 0x7e || b == ',' || b == '=' {
			return false
		}
	}
	return true
}

// walkBaggage gives the members of one baggage field to each, without their properties and as they were encoded, and reports
// whether all can be read (W3C Baggage section 3.2.1). n counts members over all fields.
func walkBaggage(text []byte, n *int, each func(key, value []byte)) bool {
	for member := range bytes.SplitSeq(text, comma) {
		if *n++; *n > maxMembers {
			return false
		}
		member, _, _ = bytes.Cut(member, []byte{';'})
		key, value, found := bytes.Cut(member, equals)
		key, value = bytes.Trim(key, " \t"), bytes.Trim(value, " \t")
		if !found || !message.ValidToken(key) || !validBaggageValue(value) {
			return false
		}
		if each != nil {
			each(key, value)
		}
	}
	return true
}

func validBaggageValue(value []byte) bool {
	for _, b := range value {
		if b <= 0x20 || b >= 0x7f || b == '"' || b == ',' || b == ';' || b == '\\' {
			return false
		}
	}
	return true
}
