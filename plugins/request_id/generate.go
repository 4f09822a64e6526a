package requestid

import "math/rand/v2"

// hexDigits is lower case, as RFC 9562 section 4 has UUIDs written.
const hexDigits = "0123456789abcdef"

// appendUUID appends a UUID of version 7 (RFC 9562 section 5.7): 48 bits of Unix time in ms, 74 random
// bits between the marks of version and variant.
func appendUUID(dst []byte, milliseconds int64) []byte {
	low := rand.Uint64()
	high := uint64(milliseconds)<<16 | 0x7000 | rand.Uint64()&0x0fff
	low = low&^(0b11<<62) | 0b10<<62
	dst = appendHex(dst, high>>32, 8)
	dst = append(dst, '-')
	dst = appendHex(dst, high>>16, 4)
	dst = append(dst, '-')
	dst = appendHex(dst, high, 4)
	dst = append(dst, '-')
	dst = appendHex(dst, low>>48, 4)
	dst = append(dst, '-')
	return appendHex(dst, low, 12)
}

// appendHex appends the lowest digits of n.
func appendHex(dst []byte, n uint64, digits int) []byte {
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
		dst = append(dst, hexDigits[n>>shift&0xf])
	}
	return dst
}

// nanoAlphabet has 64 letters, so that six random bits choose one without bias.
const nanoAlphabet = "_-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// appendNanoID appends size random letters.
func appendNanoID(dst []byte, size int) []byte {
	var bits uint64
	for i := range size {
		if i%10 == 0 { // one number holds ten letters
			bits = rand.Uint64()
		}
		dst = append(dst, nanoAlphabet[bits&63])
		bits >>= 6
	}
	return dst
}
