package grpc

// prefixLen is that of what stands in front of a message: a flag and the length in four bytes.
const prefixLen = 5

// Messages follows the messages of a body that passes, just far enough to know whether it stands between two. The zero value is the
// beginning of a body.
type Messages struct {
	prefix uint8  // bytes of a prefix that have passed
	length uint32 // what they say
	left   uint32 // bytes of a message that are still to come
}

// Feed takes bytes of the body.
func (m *Messages) Feed(p []byte) {
	for len(p) > 0 {
		if m.left > 0 {
			n := min(uint64(m.left), uint64(len(p)))
			p, m.left = p[n:], m.left-uint32(n)
			continue
		}
		if m.prefix > 0 { // behind the flag
			m.length = m.length<<8 | uint32(p[0])
		}
		if m.prefix++; m.prefix == prefixLen {
			*m = Messages{left: m.length}
		}
		p = p[1:]
	}
}

// Between reports whether what has passed ends with a whole message.
func (m *Messages) Between() bool { return m.prefix == 0 && m.left == 0 }
