package challenge

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func pair(t *testing.T) (chain, key []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"a.test"}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func TestOnlyKnownTokensAreAnswered(t *testing.T) {
	var b Book
	if _, ok := b.Answer([]byte(prefix + "abc")); ok || b.ALPN("a.test") != nil || b.Issued() != nil {
		t.Fatal("an empty book knows something")
	}
	if _, err := b.Change([]Item{{Kind: Token, Key: "aB_-9", Body: []byte("yes")}}, false); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		prefix + "aB_-9":   "yes",
		prefix + "aB_-9/":  "",
		prefix + "ab_-9":   "",
		prefix:             "",
		"/x" + prefix:      "",
		"/":                "",
		prefix + "../aB_9": "",
	} {
		if body, ok := b.Answer([]byte(path)); string(body) != want || ok != (want != "") {
			t.Errorf("%s: %q, %t", path, body, ok)
		}
	}
}

func TestWhatIsNoTokenIsRefusedAndTheRestTaken(t *testing.T) {
	var b Book
	for _, bad := range []string{"a/b", "a.b", "", "a b", "ü"} {
		if _, err := b.Change([]Item{{Kind: Token, Key: bad}, {Kind: Token, Key: "good", Body: []byte("g")}}, true); err == nil {
			t.Errorf("%q was taken", bad)
		}
		if _, ok := b.Answer([]byte(prefix + bad)); ok {
			t.Errorf("%q is answered", bad)
		}
		if _, ok := b.Answer([]byte(prefix + "good")); !ok {
			t.Errorf("beside %q nothing was taken", bad)
		}
	}
}

func TestATokenExpiresAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b Book
		b.Change([]Item{{Kind: Token, Key: "a", Expires: time.Now().Add(time.Minute)}, {Kind: Token, Key: "b"}}, false)
		known := func(key string) bool { _, ok := b.Answer([]byte(prefix + key)); return ok }
		if !known("a") || !known("b") {
			t.Fatal("tokens are not known")
		}
		time.Sleep(time.Minute + 1)
		if known("a") {
			t.Error("known after its end")
		}
		b.Change([]Item{{Kind: Token, Key: "b", Gone: true}}, false)
		if known("b") {
			t.Error("known after it was withdrawn")
		}
	})
}

func TestCertificatesOfChallengesAreFoundByName(t *testing.T) {
	var b Book
	chain, key := pair(t)
	if _, err := b.Change([]Item{{Kind: ALPN, Key: "A.test", Chain: chain, PrivateKey: key}}, false); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.test", "A.TEST", "a.test."} {
		if b.ALPN(name) == nil {
			t.Errorf("nothing for %s", name)
		}
	}
	if b.ALPN("b.test") != nil {
		t.Error("something for another name")
	}
	_, err := b.Change([]Item{{Kind: ALPN, Key: "a.test", Chain: chain, PrivateKey: []byte("tellnobody")}}, false)
	if err == nil || strings.Contains(err.Error(), "tellnobody") || b.ALPN("a.test") != nil {
		t.Errorf("a broken pair: %v", err)
	}
}

func TestChangesOfIssuedCertificatesAreTold(t *testing.T) {
	var b Book
	one := Item{Kind: Certificate, Key: "x", Domains: []string{"a.test"}, Chain: []byte("c"), PrivateKey: []byte("k")}
	two := one
	two.Chain = []byte("c2")
	for n, step := range []struct {
		items   []Item
		all     bool
		changed bool
		left    int
	}{
		{[]Item{{Kind: Token, Key: "a"}}, false, false, 0},
		{[]Item{one}, false, true, 1},
		{[]Item{one}, false, false, 1},
		{[]Item{one}, true, false, 1},
		{[]Item{two}, false, true, 1},
		{[]Item{{Kind: Token, Key: "a"}}, false, false, 1},
		{nil, true, true, 0},
	} {
		if changed, err := b.Change(step.items, step.all); changed != step.changed || err != nil || len(b.Issued()) != step.left {
			t.Errorf("step %d: changed %t, %v, %d left", n, changed, err, len(b.Issued()))
		}
	}
}

func TestLookingUpAllocatesNothing(t *testing.T) {
	var b Book
	b.Change([]Item{{Kind: Token, Key: "a"}}, false)
	path, other := []byte(prefix+"b"), []byte("/index.html")
	if n := testing.AllocsPerRun(100, func() { b.Answer(path); b.Answer(other) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
