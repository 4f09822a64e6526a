package fleet

import (
	"bytes"
	"compress/gzip"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

const (
	version   = 1        // of the form, its first byte
	maxSealed = 1 << 20  // bytes of a value: etcd takes 1.5 MiB in a request where nobody raised that
	maxPlain  = 16 << 20 // and of what is in it
)

// errSealed is a value that was not sealed with this secret, under this name, or is damaged.
var errSealed = errors.New("it was sealed with another acme_secret, or is damaged")

// sealer seals values. Its key is never shown.
type sealer struct{ aead cipher.AEAD }

func newSealer(secret, path string) (sealer, error) {
	key, err := hkdf.Key(sha256.New, []byte(secret), []byte(path), "pingap state of nodes 1", 32)
	if err != nil {
		return sealer{}, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return sealer{}, err
	}
	aead, err := cipher.NewGCM(block)
	return sealer{aead: aead}, err
}

// seal compresses and seals a value: version, nonce, the rest.
func (s sealer) seal(name string, plain []byte) ([]byte, error) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	head := make([]byte, 1+s.aead.NonceSize(), 1+s.aead.NonceSize()+packed.Len()+s.aead.Overhead())
	head[0] = version
	rand.Read(head[1:]) // never fails
	sealed := s.aead.Seal(head, head[1:], packed.Bytes(), bound(name))
	if len(sealed) > maxSealed {
		return nil, fmt.Errorf("%s: %d bytes, more than the %d that are kept for all nodes", name, len(sealed), maxSealed)
	}
	return sealed, nil
}

// open is the other way. Nothing of what is sealed is looked at before it has proved to be ours.
func (s sealer) open(name string, sealed []byte) ([]byte, error) {
	head := 1 + s.aead.NonceSize()
	if len(sealed) < head || len(sealed) > maxSealed || sealed[0] != version {
		return nil, errSealed
	}
	packed, err := s.aead.Open(nil, sealed[1:head], sealed[head:], bound(name))
	if err != nil {
		return nil, errSealed
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, errSealed
	}
	plain, err := io.ReadAll(io.LimitReader(r, maxPlain+1))
	if err != nil || len(plain) > maxPlain {
		return nil, errSealed
	}
	return plain, nil
}

// bound is what a sealed value is bound to beside its key.
func bound(name string) []byte { return append([]byte{version}, name...) }
