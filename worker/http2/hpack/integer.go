package hpack

// maxInteger bounds the integers of a block: no index, length or table size is that large.
const maxInteger = 1<<31 - 1

// readInteger reads an integer with a prefix of so many bits (section 5.1) and returns what follows it.
func readInteger(in []byte, bits uint) (int, []byte, error) {
	mask := byte(1<<bits - 1)
	value := uint64(in[0] & mask)
	in = in[1:]
	if value < uint64(mask) {
		return int(value), in, nil
	}
	for shift := uint(0); ; shift += 7 {
		if len(in) == 0 {
			return 0, nil, ErrTruncated
		}
		b := in[0]
		in = in[1:]
		value += uint64(b&0x7f) << shift
		if value > maxInteger || shift > 28 {
			return 0, nil, ErrInteger
		}
		if b < 0x80 {
			return int(value), in, nil
		}
	}
}

// appendInteger appends an integer; pattern are the bits in front of the prefix.
func appendInteger(dst []byte, pattern byte, bits uint, value int) []byte {
	mask := 1<<bits - 1
	if value < mask {
		return append(dst, pattern|byte(value))
	}
	dst = append(dst, pattern|byte(mask))
	for value -= mask; value >= 0x80; value >>= 7 {
		dst = append(dst, byte(value)|0x80)
	}
	return append(dst, byte(value))
}
