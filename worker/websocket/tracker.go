package websocket

// Tracker follows one direction of a connection. The zero value is at the start of it.
type Tracker struct {
	left   uint64   // bytes of the frame's payload still to come
	head   [14]byte // of the frame's header: opcode, lengths, mask
	n      int      // bytes of it that have come
	closed bool
	lost   bool
}

const (
	opClose    = 0x8
	maskBit    = 0x80
	lengthBits = 0x7f
)

// Boundary reports whether the bytes so far end with a whole frame.
func (t *Tracker) Boundary() bool { return !t.lost && t.n == 0 && t.left == 0 }

// Closed reports whether a Close frame has gone by: there must be no other (section 5.5.1).
func (t *Tracker) Closed() bool { return t.closed }

// Lost reports whether what has gone by cannot be frames: there are no boundaries any more.
func (t *Tracker) Lost() bool { return t.lost }

// Feed takes bytes that go by.
func (t *Tracker) Feed(p []byte) {
	for len(p) > 0 {
		p = p[t.Until(p):]
	}
}

// Until takes bytes up to the first boundary among them, or all. It returns how many.
func (t *Tracker) Until(p []byte) int {
	used := 0
	for used < len(p) {
		if t.lost {
			return len(p)
		}
		if t.left > 0 {
			n := min(t.left, uint64(len(p)-used))
			t.left -= n
			used += int(n)
			if t.left == 0 {
				return used
			}
			continue
		}
		t.head[t.n] = p[used]
		t.n++
		used++
		if t.n == 1 {
			t.opcode()
		}
		if t.n >= 2 && t.n == t.size() {
			t.n = 0
			if t.left = t.length(); t.left>>63 != 0 {
				t.lost = true
			}
			if t.left == 0 {
				return used
			}
		}
	}
	return used
}

func (t *Tracker) opcode() {
	switch op := t.head[0] & 0x0f; {
	case op > 2 && op < opClose || op > 0xa: // reserved (section 5.2)
		t.lost = true
	case op == opClose:
		t.closed = true
	}
}

// size is that of the header, of which two bytes have come.
func (t *Tracker) size() int {
	n := 2
	switch t.head[1] & lengthBits {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if t.head[1]&maskBit != 0 {
		n += 4
	}
	return n
}

func (t *Tracker) length() uint64 {
	short := uint64(t.head[1] & lengthBits)
	var wide []byte
	switch short {
	case 126:
		wide = t.head[2:4]
	case 127:
		wide = t.head[2:10]
	default:
		return short
	}
	n := uint64(0)
	for _, b := range wide {
		n = n<<8 | uint64(b)
	}
	return n
}

// goingAway is the status code of an end that comes from a server which goes down (section 7.4.1).
const goingAway = 1001

// AppendClose appends a Close frame that says so. What goes to a server is masked with a key, which anybody who could make use of
// it must not be able to guess (section 5.3); to a client key is nil.
func AppendClose(dst []byte, key *[4]byte) []byte {
	status := [2]byte{goingAway >> 8, goingAway & 0xff}
	if key == nil {
		return append(dst, 0x80|opClose, 2, status[0], status[1])
	}
	dst = append(dst, 0x80|opClose, maskBit|2)
	dst = append(dst, key[:]...)
	return append(dst, status[0]^key[0], status[1]^key[1])
}
