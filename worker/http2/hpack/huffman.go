package hpack

import "math/bits"

const (
	symbols  = 256 // without EOS
	shortest = 5   // bits of a code
	longest  = 30
	fastBits = 9 // codes up to this length are found by one look into a table
)

// codeLengths are the lengths in bits of appendix B. The code is canonical: lengths tell everything.
var codeLengths = [symbols]uint8{
	13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
	28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
	6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
	5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
	13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
	7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
	15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
	6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
	20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
	24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
	22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
	21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
	26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
	19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
	20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
	26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
}

// huffman are the tables made of codeLengths.
type huffman struct {
	code   [symbols]uint32       // in the low bits
	fast   [1 << fastBits]uint16 // by the next bits: symbol<<8 | length, 0 when the code is longer
	end    [longest + 1]uint32   // by length: first code beyond those of that length, from bit 31 down
	offset [longest + 1]int32    // by length: what to add to a code to have its place in sorted
	sorted [symbols]uint8        // symbols by length, then value
}

var huff = buildHuffman()

func buildHuffman() (h huffman) {
	code, place := uint32(0), 0
	for n := uint8(shortest); n <= longest; n++ {
		code <<= 1
		h.offset[n] = int32(place) - int32(code)
		for symbol, length := range codeLengths {
			if length != n {
				continue
			}
			h.code[symbol] = code
			h.sorted[place] = uint8(symbol)
			if n <= fastBits {
				first := code << (fastBits - n)
				for i := range uint32(1) << (fastBits - n) {
					h.fast[first+i] = uint16(symbol)<<8 | uint16(n)
				}
			}
			code++
			place++
		}
		h.end[n] = code << (32 - n)
	}
	return h
}

// appendDecoded appends the text behind a huffman-coded string (section 5.2).
func appendDecoded(dst, in []byte) ([]byte, error) {
	var acc uint64 // the next bits, from bit 63 down
	left := uint(0)
	for {
		for left <= 56 && len(in) > 0 {
			acc |= uint64(in[0]) << (56 - left)
			in = in[1:]
			left += 8
		}
		f := huff.fast[acc>>(64-fastBits)]
		n, symbol := uint(f&0xff), byte(f>>8)
		if n == 0 {
			n, symbol = huff.slow(uint32(acc >> 32))
		}
		if n > left {
			break
		}
		dst = append(dst, symbol)
		acc <<= n
		left -= n
	}
	// What is left over is padding: less than a byte, and ones, which begins no shorter code but EOS.
	if left > 7 || bits.LeadingZeros64(^acc) < int(left) {
		return dst, ErrHuffman
	}
	return dst, nil
}

// slow finds a code longer than fastBits, from bit 31 down. EOS, which must not come, is longer than anything.
func (h *huffman) slow(next uint32) (uint, byte) {
	for n := fastBits + 1; n <= longest; n++ {
		if next < h.end[n] {
			return uint(n), h.sorted[int32(next>>(32-n))+h.offset[n]]
		}
	}
	return 65, 0
}

// codedLen returns the length in bytes of a text when coded.
func codedLen[T string | []byte](text T) int {
	n := 0
	for i := range len(text) {
		n += int(codeLengths[text[i]])
	}
	return (n + 7) / 8
}

// appendCoded appends a text coded.
func appendCoded(dst, text []byte) []byte {
	var acc uint64 // bits not yet written, in the low end
	have := uint(0)
	for _, c := range text {
		n := uint(codeLengths[c])
		acc = acc<<n | uint64(huff.code[c])
		have += n
		if have >= 32 {
			have -= 32
			w := uint32(acc >> have)
			dst = append(dst, byte(w>>24), byte(w>>16), byte(w>>8), byte(w))
		}
	}
	for ; have >= 8; have -= 8 {
		dst = append(dst, byte(acc>>(have-8)))
	}
	if have > 0 {
		dst = append(dst, byte(acc<<(8-have))|byte(0xff>>have))
	}
	return dst
}
