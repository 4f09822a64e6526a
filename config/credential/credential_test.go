package credential

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
	"time"
)

const hash = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$Zm9vYmFyZm9vYmFyZm9vYg"

func TestHashesAreReadAndWritten(t *testing.T) {
	h, err := ParseHash(hash)
	if err != nil {
		t.Fatal(err)
	}
	if h.Memory != 19456 || h.Passes != 2 || h.Lanes != 1 || string(h.Salt) != "somesalt" || string(h.Key) != "foobarfoobarfoob" || h.String() != hash {
		t.Errorf("%+v %s", h, h)
	}
}

func TestHashesThatCostTooMuchOrMakeNoSenseAreRefused(t *testing.T) {
	for name, change := range map[string][2]string{
		"another algorithm":   {"argon2id", "argon2i"},
		"another version":     {"v=19", "v=16"},
		"too much memory":     {"m=19456", "m=65537"},
		"no memory":           {"m=19456", "m=7"},
		"too many passes":     {"t=2", "t=11"},
		"too much work":       {"m=19456,t=2", "m=65536,t=5"},
		"no pass":             {"t=2", "t=0"},
		"too many lanes":      {"p=1", "p=5"},
		"lanes that overflow": {"p=1", "p=257"},
		"another order":       {"m=19456,t=2", "t=2,m=19456"},
		"a leading zero":      {"t=2", "t=02"},
		"a number too large":  {"m=19456", "m=99999999999"},
		"a sign":              {"t=2", "t=+2"},
		"a short salt":        {"c29tZXNhbHQ", "c29tZQ"},
		"a short key":         {"Zm9vYmFyZm9vYmFyZm9vYg", "Zm9v"},
		"a long key":          {"Zm9vYmFyZm9vYmFyZm9vYg", strings.Repeat("Zm9v", 30)},
		"padding":             {"Zm9vYmFyZm9vYmFyZm9vYg", "Zm9vYmFyZm9vYmFyZm9vYg=="},
		"more behind it":      {hash, hash + "$x"},
		"nothing":             {hash, ""},
	} {
		if _, err := ParseHash(strings.Replace(hash, change[0], change[1], 1)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestUsersAreReadInAllForms(t *testing.T) {
	for text, want := range map[string]User{
		"YWxpY2U6d29uZGVybGFuZA==": {Name: "alice", Password: "wonderland"},
		"bob:with:colons":          {Name: "bob", Password: "with:colons"},
	} {
		if u, err := ParseUser(text); err != nil || u != want {
			t.Errorf("%q: %+v, %v", text, u, err)
		}
	}
	u, err := ParseUser("carol:" + hash)
	if err != nil || u.Name != "carol" || u.Password != "" || u.Hash == nil {
		t.Errorf("%+v, %v", u, err)
	}
	for _, wrong := range []string{"", "alice", "alice:", ":secret", "YWxpY2U=", "a\nb:secret", "a:$argon2id$v=19$m=1", "!!!", strings.Repeat("a", 65) + ":b", "a:" + strings.Repeat("b", 1025)} {
		if u, err := ParseUser(wrong); err == nil {
			t.Errorf("%q: %+v", wrong, u)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the message holds the password: %v", wrong, err)
		}
	}
}

func TestTokensAreReadInBothForms(t *testing.T) {
	plain := "0123456789abcdefghij"
	sum := sha256.Sum256([]byte(plain))
	a, err := ParseToken("deploy", "write", "", plain)
	b, berr := ParseToken("deploy", "write", "", "sha256:"+hex.EncodeToString(sum[:]))
	if err != nil || berr != nil || a != b || !a.Write || a.Sum != sum || !a.Expires.IsZero() {
		t.Errorf("%+v %v, %+v %v", a, err, b, berr)
	}
	c, err := ParseToken("look", "read", "2030-01-31", plain)
	if err != nil || c.Write || !c.Expires.Equal(time.Date(2030, 1, 31, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v %v", c, err)
	}
	for _, wrong := range [][4]string{
		{"", "read", "", plain}, {"a", "", "", plain}, {"a", "admin", "", plain}, {"a", "read", "tomorrow", plain}, {"a", "read", "", "short"},
		{"a", "read", "", strings.Repeat("x", 513)}, {"a", "read", "", plain + " "}, {"a", "read", "", "sha256:00"}, {"a", "read", "", "sha256:" + strings.Repeat("z", 64)},
		{"a", "read", "", "sha256:" + strings.Repeat("0", 66)},
	} {
		if got, err := ParseToken(wrong[0], wrong[1], wrong[2], wrong[3]); err == nil {
			t.Errorf("%q: %+v", wrong, got)
		}
	}
}

func FuzzUser(f *testing.F) {
	for _, seed := range []string{"YWxpY2U6d29uZGVybGFuZA==", "bob:pass", "carol:" + hash, ":", "a:$argon2id$", "a:$argon2id$v=19$m=4294967295,t=4294967295,p=1$$"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := ParseUser(text)
		if err != nil {
			return
		}
		if u.Name == "" || (u.Password == "") == (u.Hash == nil) {
			t.Fatalf("%q: %+v", text, u)
		}
		if u.Hash != nil {
			if u.Hash.Memory > MaxMemory || uint64(u.Hash.Memory)*uint64(u.Hash.Passes) > maxWork {
				t.Fatalf("%q: %+v", text, u.Hash)
			}
			again, err := ParseHash(u.Hash.String())
			if err != nil || again.String() != u.Hash.String() {
				t.Fatalf("%q: %v", text, err)
			}
		}
	})
}
