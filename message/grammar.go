package message

// Character classes of RFC 9110 section 5.6.2 (token) and 5.5 (field value), and of the
// request-target. The target's grammar (RFC 3986) is widened by the characters that browsers send
// as they are, in queries above all ("|", "[", "{", "^" and the like); not by "#", quotes and angle
// brackets, nor by anything outside visible ASCII.
const (
	classToken uint8 = 1 << iota
	classValue
	classTarget
)

// classes is the character table, built once and never changed.
var classes = buildClasses()

func buildClasses() (table [256]uint8) {
	for c := 0; c < 256; c++ {
		if c >= 0x21 && c <= 0x7e && c != '#' && c != '"' && c != '<' && c != '>' {
			table[c] |= classTarget
		}
		if c == '\t' || (c >= 0x20 && c != 0x7f) {
			table[c] |= classValue
		}
		if c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' {
			table[c] |= classToken
		}
	}
	for _, c := range "!#$%&'*+-.^_`|~" {
		table[c] |= classToken
	}
	return table
}

// IsToken reports whether c may stand in a token.
func IsToken(c byte) bool { return classes[c]&classToken != 0 }

// IsValue reports whether c may stand in a field value: visible characters, blank, tab and bytes
// from 0x80 on.
func IsValue(c byte) bool { return classes[c]&classValue != 0 }

// IsTarget reports whether c may stand in a request-target.
func IsTarget(c byte) bool { return classes[c]&classTarget != 0 }

// ValidToken reports whether b is a token, which a method and a field name must be.
func ValidToken(b []byte) bool { return len(b) > 0 && all(b, classToken) }

// ValidValue reports whether b may be sent as a field value.
func ValidValue(b []byte) bool { return all(b, classValue) }

// ValidTarget reports whether b has only characters that may stand in a request-target.
func ValidTarget(b []byte) bool { return len(b) > 0 && all(b, classTarget) }

func all(b []byte, class uint8) bool {
	for _, c := range b {
		if classes[c]&class == 0 {
			return false
		}
	}
	return true
}
