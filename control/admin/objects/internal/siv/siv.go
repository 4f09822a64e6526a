package siv

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"errors"
)

// Sizes in bytes.
const (
	KeySize   = 32
	NonceSize = 12
	blockSize = 16
)

// ErrOpen is the error of a text that was not sealed with this key, or was changed.
var ErrOpen = errors.New("it was not encrypted with this key")

// Seal encrypts a text. The tag is behind it.
func Seal(key *[KeySize]byte, nonce *[NonceSize]byte, plain []byte) ([]byte, error) {
	authentication, block, err := derive(key, nonce)
	if err != nil {
		return nil, err
	}
	tag := tagOf(authentication, block, nonce, plain)
	return append(count(block, tag, plain), tag[:]...), nil
}

// Open undoes Seal.
func Open(key *[KeySize]byte, nonce *[NonceSize]byte, sealed []byte) ([]byte, error) {
	if len(sealed) < blockSize {
		return nil, ErrOpen
	}
	authentication, block, err := derive(key, nonce)
	if err != nil {
		return nil, err
	}
	tag := [blockSize]byte(sealed[len(sealed)-blockSize:])
	plain := count(block, tag, sealed[:len(sealed)-blockSize])
	if want := tagOf(authentication, block, nonce, plain); subtle.ConstantTimeCompare(want[:], tag[:]) != 1 {
		return nil, ErrOpen
	}
	return plain, nil
}

// derive makes the keys for a nonce (section 4).
func derive(key *[KeySize]byte, nonce *[NonceSize]byte) (authentication element, block cipher.Block, err error) {
	master, err := aes.NewCipher(key[:])
	if err != nil {
		return element{}, nil, err
	}
	var in, out [blockSize]byte
	var all [6 * 8]byte
	copy(in[4:], nonce[:])
	for i := range 6 {
		binary.LittleEndian.PutUint32(in[:], uint32(i))
		master.Encrypt(out[:], in[:])
		copy(all[8*i:], out[:8])
	}
	block, err = aes.NewCipher(all[blockSize:])
	return elementOf(all[:blockSize]), block, err
}

// tagOf is the tag of a text without further data.
func tagOf(authentication element, block cipher.Block, nonce *[NonceSize]byte, plain []byte) (tag [blockSize]byte) {
	var sum element
	rest := plain
	for len(rest) > 0 {
		var padded [blockSize]byte
		rest = rest[copy(padded[:], rest):]
		sum = sum.plus(elementOf(padded[:])).times(authentication)
	}
	lengths := element{high: 8 * uint64(len(plain))}
	sum = sum.plus(lengths).times(authentication)
	binary.LittleEndian.PutUint64(tag[:], sum.low)
	binary.LittleEndian.PutUint64(tag[8:], sum.high)
	for i := range nonce {
		tag[i] ^= nonce[i]
	}
	tag[blockSize-1] &= 0x7f
	block.Encrypt(tag[:], tag[:])
	return tag
}

// count encrypts or decrypts with a counter that begins with the tag (section 4).
func count(block cipher.Block, tag [blockSize]byte, text []byte) []byte {
	counter := tag
	counter[blockSize-1] |= 0x80
	n := binary.LittleEndian.Uint32(counter[:])
	out := make([]byte, 0, len(text)+blockSize)
	for at := 0; at < len(text); at += blockSize {
		var stream [blockSize]byte
		binary.LittleEndian.PutUint32(counter[:], n)
		block.Encrypt(stream[:], counter[:])
		for i, b := range text[at:min(at+blockSize, len(text))] {
			out = append(out, b^stream[i])
		}
		n++ // wraps around, as it is to
	}
	return out
}

// element is one of the field of POLYVAL (section 3): bit i is the coefficient of x^i.
type element struct{ low, high uint64 }

func elementOf(block []byte) element {
	return element{low: binary.LittleEndian.Uint64(block), high: binary.LittleEndian.Uint64(block[8:])}
}

func (a element) plus(b element) element { return element{a.low ^ b.low, a.high ^ b.high} }

// times is a*b*x^-128, in the same time whatever they are.
func (a element) times(b element) element {
	// What x^-1 adds where there is a constant term: x^127 + x^126 + x^125 + x^120.
	const carry = 1<<63 | 1<<62 | 1<<61 | 1<<56
	var sum element
	for i := range 128 {
		bit := a.low >> i & 1
		if i >= 64 {
			bit = a.high >> (i - 64) & 1
		}
		sum.low ^= b.low & -bit
		sum.high ^= b.high & -bit
		odd := sum.low & 1
		sum.low = sum.low>>1 | sum.high<<63
		sum.high = sum.high>>1 ^ carry&-odd
	}
	return sum
}
