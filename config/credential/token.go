package credential

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Bounds of a token: a short one could be guessed.
const (
	minToken  = 20
	maxToken  = 512
	sumPrefix = "sha256:"
)

// Token is what a program shows in place of a login.
type Token struct {
	Name    string
	Sum     [sha256.Size]byte
	Write   bool
	Expires time.Time // zero for never
}

// ParseToken reads a token: its name for the audit log, its role ("read" or "write"), when it ends (RFC 3339, or a date, whose beginning in UTC is meant; empty for
// never), and the token itself or sha256: with its sum in hexadecimal.
func ParseToken(name, role, expires, token string) (Token, error) {
	t := Token{Name: name, Write: role == "write"}
	if err := checkName(name); err != nil {
		return Token{}, fmt.Errorf("name: %w", err)
	}
	if role != "read" && role != "write" {
		return Token{}, errors.New("role: expected read or write")
	}
	if expires != "" {
		var err error
		if t.Expires, err = time.Parse(time.RFC3339, expires); err != nil {
			t.Expires, err = time.Parse(time.DateOnly, expires)
		}
		if err != nil {
			return Token{}, errors.New("expires: expected a time such as 2030-01-31T12:00:00Z, or a date")
		}
	}
	if sum, ok := strings.CutPrefix(token, sumPrefix); ok {
		if n, err := hex.Decode(t.Sum[:], []byte(sum[:min(len(sum), 2*len(t.Sum))])); err != nil || n != len(t.Sum) || len(sum) != 2*n {
			return Token{}, errors.New("token: expected sha256: and 64 hexadecimal digits")
		}
		return t, nil
	}
	if len(token) < minToken || len(token) > maxToken {
		return Token{}, fmt.Errorf("token: expected %d to %d characters, or sha256: and the sum of a token", minToken, maxToken)
	}
	if !ValidToken(token) {
		return Token{}, errors.New("token: expected letters, digits and -._~+/= only, or sha256: and the sum of a token")
	}
	t.Sum = sha256.Sum256([]byte(token))
	return t, nil
}

// ValidToken says whether a text can be in the field Authorization (token68 of RFC 9110, section 11.2).
func ValidToken(text string) bool {
	if text == "" || len(text) > maxToken {
		return false
	}
	for _, c := range []byte(text) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-._~+/=", c) >= 0:
		default:
			return false
		}
	}
	return true
}
