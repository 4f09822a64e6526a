package websocket

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// frame makes a frame; masked ones have a key of ones.
func frame(op byte, n int, masked bool) []byte {
	var mask byte
	if masked {
		mask = maskBit
	}
	b := []byte{op}
	switch {
	case n < 126:
		b = append(b, mask|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, mask|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, mask|127), uint64(n))
	}
	if masked {
		b = append(b, 1, 1, 1, 1)
	}
	return append(b, bytes.Repeat([]byte{0x88}, n)...) // payload that looks like headers
}

func TestBoundariesAreFoundHoweverTheBytesCome(t *testing.T) {
	var all []byte
	ends := map[int]bool{0: true}
	for _, f := range [][]byte{frame(0x81, 5, false), frame(0x01, 0, true), frame(0x00, 125, true), frame(0x89, 126, false),
		frame(0xc2, 65535, true), frame(0x80, 65536, false), frame(0x8a, 0, false)} {
		all = append(all, f...)
		ends[len(all)] = true
	}
	for _, piece := range []int{1, 2, 3, 7, 1000, len(all)} {
		var tr Tracker
		for at := 0; at < len(all); {
			if tr.Boundary() != ends[at] {
				t.Fatalf("pieces of %d: boundary at %d is %t", piece, at, tr.Boundary())
			}
			next := min(at+piece, len(all))
			tr.Feed(all[at:next])
			at = next
		}
		if !tr.Boundary() || tr.Closed() || tr.Lost() {
			t.Errorf("pieces of %d: %+v at the end", piece, tr)
		}
	}
}

func TestUntilStopsAtTheBoundary(t *testing.T) {
	one, two := frame(0x81, 300, true), frame(0x82, 10, true)
	var tr Tracker
	tr.Feed(one[:100])
	if n := tr.Until(append(one[100:], two...)); n != len(one)-100 || !tr.Boundary() {
		t.Errorf("took %d, want %d", n, len(one)-100)
	}
}

func TestWhatIsNoFrameIsNoBoundary(t *testing.T) {
	for name, p := range map[string][]byte{
		"reserved opcode":         {0x83, 0},
		"reserved control opcode": {0x8b, 0},
		"length beyond all":       {0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0},
	} {
		var tr Tracker
		tr.Feed(p)
		if tr.Boundary() || !tr.Lost() {
			t.Errorf("%s: %+v", name, tr)
		}
	}
}

func TestCloseFrames(t *testing.T) {
	key := [4]byte{9, 8, 7, 6}
	for _, k := range []*[4]byte{nil, &key} {
		p := AppendClose(nil, k)
		var tr Tracker
		tr.Feed(p)
		if !tr.Boundary() || !tr.Closed() {
			t.Errorf("% x is no Close frame", p)
		}
		status := p[len(p)-2:]
		if k != nil {
			status = []byte{status[0] ^ k[0], status[1] ^ k[1]}
		}
		if got := binary.BigEndian.Uint16(status); got != 1001 {
			t.Errorf("status %d", got)
		}
	}
}

func TestAcceptIsThatOfTheRFC(t *testing.T) {
	if got := string(AppendAccept(nil, []byte("dGhlIHNhbXBsZSBub25jZQ=="))); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" { // RFC 6455 section 1.3
		t.Error(got)
	}
}
