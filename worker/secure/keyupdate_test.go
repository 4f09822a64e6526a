package secure

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"strings"
	"testing"
)

// sender writes records of TLS 1.3 in the client's name, because crypto/tls never asks for new keys
// (RFC 8446 section 7.2). The client must have sent nothing but its handshake.
type sender struct {
	s      *session
	hash   func() hash.Hash
	keyLen int
	secret []byte
	aead   cipher.AEAD
	iv     []byte
	seq    uint64
}

func newSender(t *testing.T, s *session, log string) *sender {
	t.Helper()
	k := &sender{s: s, hash: sha256.New, keyLen: 16}
	switch s.ConnectionState().CipherSuite {
	case tls.TLS_AES_128_GCM_SHA256:
	case tls.TLS_AES_256_GCM_SHA384:
		k.hash, k.keyLen = sha512.New384, 32
	default:
		t.Skip("a cipher suite without AES")
	}
	for line := range strings.Lines(log) {
		if fields := strings.Fields(line); fields[0] == "CLIENT_TRAFFIC_SECRET_0" {
			k.secret, _ = hex.DecodeString(fields[2])
		}
	}
	k.derive(t)
	return k
}

func (k *sender) expand(t *testing.T, label string, n int) []byte {
	t.Helper()
	label = "tls13 " + label
	info := binary.BigEndian.AppendUint16(nil, uint16(n))
	info = append(info, byte(len(label)))
	info = append(append(info, label...), 0)
	out, err := hkdf.Expand(k.hash, k.secret, string(info), n)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (k *sender) derive(t *testing.T) {
	t.Helper()
	block, err := aes.NewCipher(k.expand(t, "key", k.keyLen))
	if err != nil {
		t.Fatal(err)
	}
	if k.aead, err = cipher.NewGCM(block); err != nil {
		t.Fatal(err)
	}
	k.iv, k.seq = k.expand(t, "iv", 12), 0
}

func (k *sender) record(t *testing.T, kind byte, data []byte) {
	t.Helper()
	nonce := append([]byte(nil), k.iv...)
	for i := range 8 {
		nonce[4+i] ^= byte(k.seq >> (56 - 8*i))
	}
	k.seq++
	plain := append(append([]byte(nil), data...), kind)
	head := []byte{0x17, 3, 3, 0, 0}
	binary.BigEndian.PutUint16(head[3:], uint16(len(plain)+k.aead.Overhead()))
	if _, err := k.s.tap.Conn.Write(k.aead.Seal(head, nonce, plain, head)); err != nil {
		t.Fatal(err)
	}
}

// keyUpdate asks the server for new keys and takes new ones.
func (k *sender) keyUpdate(t *testing.T) {
	t.Helper()
	k.record(t, 22, []byte{24, 0, 0, 1, 1})
	k.secret = k.expand(t, "traffic upd", len(k.secret))
	k.derive(t)
}

func (k *sender) say(t *testing.T, text string) {
	t.Helper()
	k.record(t, 23, []byte(text))
}
