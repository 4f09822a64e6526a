package credential

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxName     = 64   // bytes of the name of a user or a token
	maxPassword = 1024 // bytes, of a configuration and of who logs in
)

// User is somebody who may log in.
type User struct {
	Name     string
	Password string // empty with a Hash
	Hash     *Hash
}

// ParseUser reads base64 of user:password, as the key "authorizations" has always had it, or user:password itself. The password may be a hash.
func ParseUser(text string) (User, error) {
	if !strings.Contains(text, ":") {
		data, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return User{}, errors.New("expected user:password, or base64 of it")
		}
		text = string(data)
	}
	name, password, found := strings.Cut(text, ":")
	if !found {
		return User{}, errors.New("expected user:password, or base64 of it")
	}
	u := User{Name: name, Password: password}
	if err := checkName(name); err != nil {
		return User{}, fmt.Errorf("user: %w", err)
	}
	if strings.HasPrefix(password, "$argon2") {
		hash, err := ParseHash(password)
		if err != nil {
			return User{}, err
		}
		u.Password, u.Hash = "", hash
		return u, nil
	}
	if password == "" {
		return User{}, errors.New("the password is empty")
	}
	if len(password) > maxPassword {
		return User{}, fmt.Errorf("the password is longer than %d bytes", maxPassword)
	}
	return u, nil
}

func checkName(name string) error {
	if name == "" || len(name) > maxName || !utf8.ValidString(name) {
		return fmt.Errorf("expected a name of 1 to %d bytes", maxName)
	}
	if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || r == ':' }) {
		return errors.New("expected a name without colon and control characters")
	}
	return nil
}
