package acme

import (
	"crypto/tls"
	"crypto/x509"
	"testing"

	"pingap/e2e/pebble"
)

// verify checks an issued certificate as a client would.
func verify(t *testing.T, ca *pebble.CA, item Item, names ...string) *x509.Certificate {
	t.Helper()
	pair, err := tls.X509KeyPair(item.Chain, item.Key)
	if err != nil {
		t.Fatal(err)
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.Root(t))
	for _, der := range pair.Certificate[1:] {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		between.AddCert(c)
	}
	for _, name := range names {
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, Intermediates: between}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	return pair.Leaf
}

func TestCertificatesAreIssued(t *testing.T) {
	for _, c := range []struct {
		name      string
		challenge string
		domains   []string
		kind      Kind
	}{
		{"one name by http-01", HTTP01, []string{"one.example.com"}, Token},
		{"several names by http-01", HTTP01, []string{"b.example.com", "A.example.com", "a.example.com."}, Token},
		{"one name by tls-alpn-01", TLSALPN01, []string{"one.example.com"}, ALPN},
		{"several names by tls-alpn-01", TLSALPN01, []string{"a.example.com", "b.example.com"}, ALPN},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorkers(t)
			ca := pebble.Start(t, pebble.Options{HTTPPort: w.httpPort, TLSPort: w.tlsPort})
			m, stop := manage(t, Options{Dir: t.TempDir(), Publisher: w})
			m.Update([]Wanted{{Name: "site", Domains: c.domains, Directory: ca.Directory, CA: ca.PEM, Challenge: c.challenge}})
			item := w.await(t, "site")
			verify(t, ca, item, item.Domains...)
			if n := w.count(c.kind); n != len(item.Domains) {
				t.Errorf("%d answers to challenges, want %d", n, len(item.Domains))
			}
			stop()
			if left := w.left(); len(left) > 0 {
				t.Errorf("workers still have %v", left)
			}
		})
	}
}
