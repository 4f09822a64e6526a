package arena

import (
	"encoding/binary"
	"encoding/hex"
	"testing"
)

// The first vectors of SipHash-2-4 with 128 bits by its authors: key 00 01 .. 0f, values "", 00, 00 01, ...
func TestKeysAreThoseOfSipHash(t *testing.T) {
	k := Keys{0x0706050403020100, 0x0f0e0d0c0b0a0908}
	for n, want := range []string{"a3817f04ba25a8e66df67214c7550293", "da87c1d86b99af44347659119b22fc45"} {
		value := make([]byte, n)
		key := k.Of(value)
		got := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, key[0]), key[1])
		if hex.EncodeToString(got) != want {
			t.Errorf("%d bytes: %x, want %s", n, got, want)
		}
	}
}

func TestKeysDifferByNameValueAndArena(t *testing.T) {
	a, other := create(t, Options{}), create(t, Options{})
	seen := map[Key]bool{}
	for _, k := range []Keys{a.Keys("x"), a.Keys("y"), other.Keys("x")} {
		for n := range 40 {
			for bit := range max(8*n, 1) {
				value := make([]byte, n)
				if n > 0 {
					value[bit/8] = 1 << (bit % 8)
				}
				seen[k.Of(value)] = true
			}
		}
	}
	if want := 3 * (1 + 8*39*40/2); len(seen) != want {
		t.Errorf("%d keys, want %d", len(seen), want)
	}
	if attach(t, a, 3).Keys("x") != a.Keys("x") {
		t.Error("another process makes other keys")
	}
}

func BenchmarkKey(b *testing.B) {
	k, value := Keys{1, 2}, []byte("2001:db8::1234:5678")
	for b.Loop() {
		k.Of(value)
	}
}
