package siv

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// Vectors of RFC 8452, appendix C.2.
func TestVectors(t *testing.T) {
	var key [KeySize]byte
	var nonce [NonceSize]byte
	key[0], nonce[0] = 1, 3
	for _, c := range []struct{ plain, want string }{
		{"", "07f5f4169bbf55a8400cd47ea6fd400f"},
		{"0100000000000000", "c2ef328e5c71c83b843122130f7364b761e0b97427e3df28"},
		{"010000000000000000000000", "9aab2aeb3faa0a34aea8e2b18ca50da9ae6559e48fd10f6e5c9ca17e"},
		{"01000000000000000000000000000000", "85a01b63025ba19b7fd3ddfc033b3e76c9eac6fa700942702e90862383c6c366"},
	} {
		plain, _ := hex.DecodeString(c.plain)
		sealed, err := Seal(&key, &nonce, plain)
		if err != nil || hex.EncodeToString(sealed) != c.want {
			t.Errorf("%q: %x, %v, want %s", c.plain, sealed, err, c.want)
		}
		opened, err := Open(&key, &nonce, sealed)
		if err != nil || !bytes.Equal(opened, plain) {
			t.Errorf("%q comes back as %x, %v", c.plain, opened, err)
		}
	}
}

func TestWhatWasChangedIsNotOpened(t *testing.T) {
	var key [KeySize]byte
	var nonce [NonceSize]byte
	plain := bytes.Repeat([]byte("a text of several blocks "), 10)
	sealed, err := Seal(&key, &nonce, plain)
	if err != nil {
		t.Fatal(err)
	}
	for i := range sealed {
		sealed[i] ^= 1
		if _, err := Open(&key, &nonce, sealed); err == nil {
			t.Fatalf("with byte %d changed it was opened", i)
		}
		sealed[i] ^= 1
	}
	key[31] = 1
	if _, err := Open(&key, &nonce, sealed); err == nil {
		t.Error("another key opened it")
	}
	if _, err := Open(&key, &nonce, sealed[:5]); err == nil {
		t.Error("a part of a tag was opened")
	}
}
