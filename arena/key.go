package arena

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
)

// Keys makes keys of values that clients choose, alike in all processes.
type Keys struct{ k0, k1 uint64 }

// Keys are those of a limiter with this name, for the life of the arena.
func (a *Arena) Keys(name string) Keys {
	seed := binary.LittleEndian.AppendUint64(nil, a.parts()[0].id)
	digest := sha256.Sum256(append(seed, name...))
	return Keys{binary.LittleEndian.Uint64(digest[:]), binary.LittleEndian.Uint64(digest[8:])}
}

// Of returns the key of a value: SipHash-2-4 with 128 bits, keyed by the name and the id of the arena. Who knows neither the key nor what comes out
// finds no two values with the same, and it takes a tenth of the time of SHA-256.
func (k Keys) Of(value []byte) Key {
	s := sip{k.k0 ^ 0x736f6d6570736575, k.k1 ^ 0x646f72616e646f6d ^ 0xee, k.k0 ^ 0x6c7967656e657261, k.k1 ^ 0x7465646279746573}
	last := uint64(len(value)) << 56
	for ; len(value) >= 8; value = value[8:] {
		s.add(binary.LittleEndian.Uint64(value))
	}
	for i, c := range value {
		last |= uint64(c) << (8 * i)
	}
	s.add(last)
	s[2] ^= 0xee
	s.rounds(4)
	low := s[0] ^ s[1] ^ s[2] ^ s[3]
	s[1] ^= 0xdd
	s.rounds(4)
	return Key{low, s[0] ^ s[1] ^ s[2] ^ s[3]}
}

// sip is the state of a SipHash.
type sip [4]uint64

func (s *sip) add(word uint64) {
	s[3] ^= word
	s.rounds(2)
	s[0] ^= word
}

func (s *sip) rounds(n int) {
	v0, v1, v2, v3 := s[0], s[1], s[2], s[3]
	for range n {
		v0 += v1
		v1 = bits.RotateLeft64(v1, 13) ^ v0
		v0 = bits.RotateLeft64(v0, 32)
		v2 += v3
		v3 = bits.RotateLeft64(v3, 16) ^ v2
		v0 += v3
		v3 = bits.RotateLeft64(v3, 21) ^ v0
		v2 += v1
		v1 = bits.RotateLeft64(v1, 17) ^ v2
		v2 = bits.RotateLeft64(v2, 32)
	}
	s[0], s[1], s[2], s[3] = v0, v1, v2, v3
}
