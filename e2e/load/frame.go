package load

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
)

// Opcodes of RFC 6455, 5.2.
const (
	opText  = 1
	opClose = 8
	opPing  = 9
)

const maxFrame = 64 << 10

// frame is a whole message of a tunnel; nobody here sends it in fragments.
type frame struct {
	op      byte
	payload []byte
}

// writeFrame writes in one piece; a client masks (RFC 6455, 5.3).
func writeFrame(w io.Writer, f frame, mask bool) error {
	var marked byte
	if mask {
		marked = 0x80
	}
	out := []byte{0x80 | f.op}
	if n := len(f.payload); n < 126 {
		out = append(out, marked|byte(n))
	} else {
		out = binary.BigEndian.AppendUint16(append(out, marked|126), uint16(n))
	}
	if !mask {
		_, err := w.Write(append(out, f.payload...))
		return err
	}
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	out = append(out, key[:]...)
	for i, b := range f.payload {
		out = append(out, b^key[i%4])
	}
	_, err := w.Write(out)
	return err
}

// readFrame reads a frame. An end in front of it is io.EOF, one within it io.ErrUnexpectedEOF.
func readFrame(in *bufio.Reader) (frame, error) {
	var head [2]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return frame{}, err
	}
	n, masked := uint64(head[1]&0x7f), head[1]&0x80 != 0
	if n >= 126 {
		long := make([]byte, 2)
		if n == 127 {
			long = make([]byte, 8)
		}
		if _, err := io.ReadFull(in, long); err != nil {
			return frame{}, io.ErrUnexpectedEOF
		}
		n = 0
		for _, b := range long {
			n = n<<8 | uint64(b)
		}
	}
	if n > maxFrame {
		return frame{}, fmt.Errorf("a frame of %d bytes", n)
	}
	var key [4]byte
	if masked {
		if _, err := io.ReadFull(in, key[:]); err != nil {
			return frame{}, io.ErrUnexpectedEOF
		}
	}
	payload := make([]byte, n)
	if _, err := io.ReadFull(in, payload); err != nil {
		return frame{}, io.ErrUnexpectedEOF
	}
	for i := range payload {
		payload[i] ^= key[i%4]
	}
	return frame{head[0] & 0x0f, payload}, nil
}

// acceptOf is what a server answers to a client's nonce (RFC 6455, 4.2.2).
func acceptOf(nonce string) string {
	sum := sha1.Sum([]byte(nonce + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}
