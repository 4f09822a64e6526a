package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/crypto/argon2"

	"pingap/config/credential"
	"pingap/control/admin/api"
)

// Bounds of hashing.
const (
	hashes   = 2               // at once
	hashWait = 5 * time.Second // for a place
)

// What a hash made here costs: what RFC 9106 and others advise where memory is dear.
const (
	hashMemory = 19 << 10 // KiB
	hashPasses = 2
	hashSalt   = 16 // bytes
	hashKey    = 32
)

// HashPassword makes a hash for the configuration.
func HashPassword(password string) (string, error) {
	h := &credential.Hash{Memory: hashMemory, Passes: hashPasses, Lanes: 1, Salt: make([]byte, hashSalt)}
	if _, err := rand.Read(h.Salt); err != nil {
		return "", fmt.Errorf("salt: %w", err)
	}
	h.Key = argon2.IDKey([]byte(password), h.Salt, h.Passes, h.Memory, h.Lanes, hashKey)
	return h.String(), nil
}

// rightPassword says whether a user may come. A name that is not there costs what one costs that is.
func (g *Gate) rightPassword(ctx context.Context, s *Settings, name, password string) (user, bool, error) {
	u, known := s.users[name]
	hash := u.Hash
	if !known {
		hash = s.someHash()
	}
	if hash == nil {
		given, want := sha256.Sum256([]byte(password)), sha256.Sum256([]byte(u.Password))
		return u, subtle.ConstantTimeCompare(given[:], want[:]) == 1 && known, nil
	}
	wait := time.NewTimer(hashWait)
	defer wait.Stop()
	select {
	case g.hashing <- struct{}{}:
		defer func() { <-g.hashing }()
	case <-wait.C:
		return u, false, &api.Error{Status: http.StatusServiceUnavailable, Message: "too many log in at once", Retry: 2}
	case <-ctx.Done():
		return u, false, ctx.Err()
	}
	key := argon2.IDKey([]byte(password), hash.Salt, hash.Passes, hash.Memory, hash.Lanes, uint32(len(hash.Key)))
	return u, subtle.ConstantTimeCompare(key, hash.Key) == 1 && known, nil
}

// someHash is one of a user, nil where no password is hashed.
func (s *Settings) someHash() *credential.Hash {
	for _, u := range s.users {
		if u.Hash != nil {
			return u.Hash
		}
	}
	return nil
}

// token returns the token of the configuration that was shown. All are compared.
func (s *Settings) token(shown string, now time.Time) (credential.Token, bool) {
	sum := sha256.Sum256([]byte(shown))
	found := -1
	for i := range s.tokens {
		if subtle.ConstantTimeCompare(sum[:], s.tokens[i].Sum[:]) == 1 {
			found = i
		}
	}
	if found < 0 || !s.tokens[found].Expires.IsZero() && !now.Before(s.tokens[found].Expires) {
		return credential.Token{}, false
	}
	return s.tokens[found], true
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
