package certs

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// signing is an authority by itself.
func signing(t *testing.T, life time.Duration) (*authority, *issuer) {
	t.Helper()
	ca := newIssuer(t, "ca", life)
	pair := tls.Certificate{Certificate: [][]byte{ca.cert.Raw}, PrivateKey: ca.key, Leaf: ca.cert}
	return newAuthority(&pair), ca
}

func TestACASignsForWhatClientsAskFor(t *testing.T) {
	ca := newIssuer(t, "ca", time.Hour)
	text := fmt.Sprintf("[certificates.ca]\ntls_cert = '''%s'''\ntls_key = '''%s'''\nis_ca = true\nis_default = true\n", ca.pem, keyPEM(t, ca.key))
	l := listen(t, configFor(t, server(t, ""), liveOf(t, text)))
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	for name, want := range map[string]string{"a.test": "a.test", "Deep.a.TEST": "*.a.test", "x.y.z.test": "*.y.z.test", "localhost": "localhost"} {
		state, err := l.dial(&tls.Config{ServerName: name, RootCAs: roots})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		leaf := state.PeerCertificates[0]
		if leaf.DNSNames[0] != want || leaf.Subject.CommonName != want || leaf.Subject.Organization[0] != "Org" || leaf.PublicKeyAlgorithm != x509.ECDSA {
			t.Errorf("%s: %v %v", name, leaf.DNSNames, leaf.Subject)
		}
		if leaf.NotAfter.After(ca.cert.NotAfter) || len(state.PeerCertificates) != 2 {
			t.Errorf("%s: ends %s, %d in the chain", name, leaf.NotAfter, len(state.PeerCertificates))
		}
	}
	// Without a name it is for the address.
	state, err := l.dial(&tls.Config{ServerName: "127.0.0.1", RootCAs: roots})
	if err != nil || len(state.PeerCertificates[0].IPAddresses) != 1 {
		t.Errorf("address: %v", err)
	}
	if _, err := l.dial(anyone("no_" + strings.Repeat("x", 70) + ".test")); err == nil {
		t.Error("a name that no host can have got a certificate")
	}
}

func TestSignedCertificatesAreKeptAndBounded(t *testing.T) {
	a, _ := signing(t, 1000*time.Hour)
	now := time.Now()
	get := func(name string) *tls.Certificate {
		t.Helper()
		pair, err := a.issue(name, now)
		if err != nil {
			t.Fatal(err)
		}
		return pair
	}
	first, second := get("first.test"), get("second.test")
	if get("first.test") != first {
		t.Error("signed twice")
	}
	for i := range maxSigned - 1 {
		get(fmt.Sprintf("n%d.test", i))
	}
	if len(a.signed) != maxSigned || a.recent.Len() != maxSigned {
		t.Errorf("%d and %d are kept", len(a.signed), a.recent.Len())
	}
	if get("first.test") != first {
		t.Error("what was asked for lately is gone")
	}
	if get("second.test") == second {
		t.Error("what was not asked for is kept")
	}
}

func TestSignedCertificatesAreRenewedBeforeTheirEnd(t *testing.T) {
	a, ca := signing(t, 3*leafLife)
	now := time.Now()
	first, err := a.issue("a.test", now)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		later time.Duration
		same  bool
	}{{leafLife - 2*leafRest, true}, {leafLife - leafRest/2, false}} {
		pair, err := a.issue("a.test", now.Add(c.later))
		if err != nil || (pair == first) != c.same {
			t.Errorf("%s later: the same %v, %v", c.later, pair == first, err)
		}
	}
	if len(a.signed) != 1 {
		t.Errorf("%d kept", len(a.signed))
	}
	if _, err := a.issue("a.test", ca.cert.NotAfter.Add(time.Second)); err == nil {
		t.Error("a CA that has expired signed")
	}
	if _, err := a.issue("a.test", ca.cert.NotBefore.Add(-time.Minute)); err == nil {
		t.Error("a CA that is not valid yet signed")
	}
}

func TestOneNameIsSignedOnceAtATime(t *testing.T) {
	a, _ := signing(t, time.Hour)
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := map[*tls.Certificate]bool{}
	for range 50 {
		wg.Go(func() {
			pair, err := a.issue("a.test", time.Now())
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			got[pair] = true
		})
	}
	wg.Wait()
	if len(got) != 1 || len(a.signing) != 0 {
		t.Errorf("%d certificates, %d still being signed", len(got), len(a.signing))
	}
}

func TestHostNames(t *testing.T) {
	for name, ok := range map[string]bool{"a": true, "a-b_c.d9": true, "": false, ".": false, "a.": false, "a..b": false, "-a.b": false, "a-.b": false,
		"a b": false, "*.a": false, "A": false, "a/b": false, "\x00": false, strings.Repeat("a", 64): false, strings.Repeat("a.", 127) + "b": false} {
		if isHost(name) != ok {
			t.Errorf("%q: %v", name, !ok)
		}
	}
}
