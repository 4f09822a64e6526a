package csrf

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strconv"
	"time"
)

// A token is "<id>.<time>.<signature>": 12 characters, Unix seconds in hexadecimal, and base64 of the SHA-256 of what is before the
// second dot followed by the key. It is the form of the original, so that hosts of both kinds know each other's tokens.
const (
	idLength        = 12
	alphabet        = "_-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	signatureLength = 44
	maxToken        = 128
	// maxAhead bounds how far in the future a token may come from: clocks of hosts differ.
	maxAhead = time.Minute
)

func newToken(key []byte, now time.Time) string {
	token := make([]byte, idLength, maxToken)
	_, _ = rand.Read(token) // it never fails
	for i := range token {
		token[i] = alphabet[token[i]%byte(len(alphabet))] // 64 of 256: each is as likely
	}
	token = strconv.AppendInt(append(token, '.'), now.Unix(), 16)
	signature := sign(token, key)
	return string(append(append(token, '.'), signature[:]...))
}

// valid reports whether a token is signed with key and not too old.
func valid(token, key []byte, now time.Time, ttl time.Duration) bool {
	end := bytes.LastIndexByte(token, '.')
	if len(token) > maxToken || end < 0 {
		return false
	}
	signed, signature := token[:end], token[end+1:]
	id, at, ok := bytes.Cut(signed, []byte{'.'})
	if !ok || len(id) != idLength || len(at) == 0 || bytes.IndexByte(at, '.') >= 0 {
		return false
	}
	if want := sign(signed, key); subtle.ConstantTimeCompare(signature, want[:]) != 1 {
		return false
	}
	if ttl == 0 {
		return true
	}
	seconds, err := strconv.ParseInt(string(at), 16, 64)
	if err != nil {
		return false
	}
	age := now.Unix() - seconds
	return age <= int64(ttl/time.Second) && age >= -int64(maxAhead/time.Second)
}

func sign(signed, key []byte) (signature [signatureLength]byte) {
	var room [maxToken + 128]byte // longer keys take memory of their own
	sum := sha256.Sum256(append(append(room[:0], signed...), key...))
	base64.StdEncoding.Encode(signature[:], sum[:])
	return signature
}
