package grpcweb

import "errors"

// ErrText is a body that is not base64. The call has to be refused.
var ErrText = errors.New("grpc-web: body is not base64")

const (
	noDigit  = 0xff
	padDigit = 0xfe
)

// digits are the values of base64's characters (RFC 4648 section 4).
var digits = buildDigits()

func buildDigits() (table [256]byte) {
	for i := range table {
		table[i] = noDigit
	}
	for i, c := range []byte(alphabet) {
		table[c] = byte(i)
	}
	table['='] = padDigit
	return table
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

// Decoder turns a body in text form into bytes, however it is cut. Whoever wrote it may have ended a piece of base64 anywhere, so padding may come in
// the middle, and another piece begins behind it. The zero value is at the start of a body.
type Decoder struct {
	bits uint32 // digits of a group of four that has not ended
	n    uint8  // how many
	pad  uint8  // how many of them are padding
}

// Decode appends to dst what src says. dst must not share memory with src.
func (d *Decoder) Decode(dst, src []byte) ([]byte, error) {
	for _, c := range src {
		digit := digits[c]
		switch {
		case digit == padDigit:
			if d.n < 2 {
				return dst, ErrText
			}
			d.pad++
			digit = 0
		case digit == noDigit || d.pad > 0:
			return dst, ErrText
		}
		d.bits = d.bits<<6 | uint32(digit)
		if d.n++; d.n < 4 {
			continue
		}
		if d.bits&(1<<(8*d.pad)-1) != 0 {
			return dst, ErrText // bits that nobody would see
		}
		group := [3]byte{byte(d.bits >> 16), byte(d.bits >> 8), byte(d.bits)}
		dst = append(dst, group[:3-d.pad]...)
		*d = Decoder{}
	}
	return dst, nil
}

// Close says whether the body may end here.
func (d *Decoder) Close() error {
	if d.n > 0 {
		return ErrText
	}
	return nil
}
