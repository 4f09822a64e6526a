package head

// Priority is how urgent a response is (RFC 9218 section 4).
type Priority struct {
	// Urgency is 0 for the most to 7 for the least urgent.
	Urgency uint8
	// Incremental tells that the client can use parts of the response as they come: such streams take turns.
	Incremental bool
}

// DefaultPriority is that of a request whose client says nothing. RFC 9218 would have such responses sent one behind the
// other. Clients that know nothing of priorities expect their streams to share the connection, so they take turns.
var DefaultPriority = Priority{Urgency: 3, Incremental: true}

// ParsePriority reads the value of a priority field or PRIORITY_UPDATE frame: a dictionary (RFC 8941 section 3.2) of which
// only u and i mean anything. What is malformed is not there, as section 4 of RFC 9218 asks.
func ParsePriority(value []byte) Priority {
	p := Priority{Urgency: 3}
	for len(value) > 0 {
		var member []byte
		member, value = cut(value, ',')
		member, _ = cut(member, ';') // parameters mean nothing
		key, item := cut(member, '=')
		switch string(key) {
		case "u":
			if len(item) == 1 && item[0] >= '0' && item[0] <= '7' {
				p.Urgency = item[0] - '0'
			}
		case "i":
			if text := string(item); text == "" || text == "?1" || text == "?0" {
				p.Incremental = text != "?0"
			}
		}
	}
	return p
}

// cut splits b at the first c, and removes blanks around both parts.
func cut(b []byte, c byte) (before, after []byte) {
	for i := range b {
		if b[i] == c {
			return trim(b[:i]), trim(b[i+1:])
		}
	}
	return trim(b), nil
}

func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}
