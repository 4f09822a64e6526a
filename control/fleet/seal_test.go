package fleet

import (
	"bytes"
	"strings"
	"testing"

	"pingap/control/acme"
	"pingap/control/source/etcd"
)

const secret = "a secret that all nodes of the test share"

func sealing(t testing.TB, secret, path string) sealer {
	t.Helper()
	s, err := newSealer(secret, path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSealedValuesAreForTheirKeyAndSecretOnly(t *testing.T) {
	ours := sealing(t, secret, "/pingap")
	plain := []byte("-----BEGIN PRIVATE KEY-----")
	sealed, err := ours.seal("files/a", plain)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := ours.seal("files/a", plain)
	if bytes.Contains(sealed, []byte("PRIVATE")) || bytes.Equal(sealed, again) {
		t.Error("it shows what it holds")
	}
	if got, err := ours.open("files/a", sealed); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("%q, %v", got, err)
	}
	changed := bytes.Clone(sealed)
	changed[len(changed)-1] ^= 1
	for _, c := range []struct {
		what, name string
		s          sealer
		data       []byte
	}{
		{"another key", "files/b", ours, sealed},
		{"another secret", "files/a", sealing(t, secret+"!", "/pingap"), sealed},
		{"another path", "files/a", sealing(t, secret, "/other"), sealed},
		{"changed", "files/a", ours, changed},
		{"cut", "files/a", ours, sealed[:20]},
		{"another version", "files/a", ours, append([]byte{2}, sealed[1:]...)},
		{"nothing", "files/a", ours, nil},
	} {
		if got, err := c.s.open(c.name, c.data); err == nil {
			t.Errorf("%s: opened to %q", c.what, got)
		}
	}
}

func TestAValueThatEtcdWouldNotTakeIsRefused(t *testing.T) {
	noise := make([]byte, 2<<20)
	s := sealing(t, secret, "/pingap")
	for i := range noise { // nothing that can be compressed
		noise[i] = byte(i*i>>3 ^ i*7919>>5 ^ i>>11)
	}
	sealed, err := s.seal("files/a", noise)
	if err == nil && len(sealed) > maxSealed {
		t.Errorf("%d bytes", len(sealed))
	}
	if _, err := s.open("files/a", make([]byte, maxSealed+1)); err == nil {
		t.Error("too much was opened")
	}
}

func FuzzOpen(f *testing.F) {
	s := sealing(f, secret, "/pingap")
	good, _ := s.seal("files/a", []byte("{}"))
	f.Add(good)
	f.Add([]byte{version})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		if plain, err := s.open("files/a", data); err == nil && !bytes.Equal(data, good) {
			t.Errorf("opened to %q", plain)
		}
	})
}

// Whoever has the secret may still not bring what is no answer to a challenge to the workers by that way.
func FuzzAnswersAreNothingElse(f *testing.F) {
	n, err := New(Options{Target: etcd.Target{Path: "/pingap", ACMESecret: secret}, Publisher: newWorkers()})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"Kind":1,"Name":"token","KeyAuth":"token.x"}`))
	f.Add([]byte(`{"Kind":3,"Name":"site"}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, kind := range []acme.Kind{acme.Token, acme.Certificate} {
			key := answerKey(acme.Item{Kind: kind, Name: "token"})
			sealed, err := n.seal.seal(key, data)
			if err != nil {
				return
			}
			item, err := n.openAnswer(etcd.Entry{Key: n.target.Prefix() + key, Value: sealed})
			if err == nil && (item.Kind == acme.Certificate || answerKey(item) != key) {
				t.Errorf("%v", item)
			}
		}
	})
}

func TestWhatNodesSayOfThemselvesIsFitForATerminal(t *testing.T) {
	if got := printable("a\x1b[31mé\n" + strings.Repeat("x", 500)); strings.ContainsAny(got, "\x1b\n") || len(got) > maxName {
		t.Errorf("%q", got)
	}
}
