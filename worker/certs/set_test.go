package certs

import (
	"crypto/tls"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// anyone lets a client take any certificate: what is looked at is which one it gets.
func anyone(name string) *tls.Config { return &tls.Config{ServerName: name, InsecureSkipVerify: true} }

func TestCertificateByName(t *testing.T) {
	ca := newIssuer(t, "ca", time.Hour)
	text := ca.issue("ecdsa", time.Hour, "A.example.com").table("exact") +
		ca.issue("ecdsa", time.Hour, "wild").table("wild", "domains = '*.Example.com'") +
		ca.issue("ecdsa", time.Hour, "san.test", "127.0.0.1", "2001:db8::1").table("san") +
		ca.issue("ecdsa", time.Hour, "hidden").table("named", "domains = 'b.test, c.test.'")
	without := liveOf(t, text)
	with := liveOf(t, text+ca.issue("ecdsa", time.Hour, "d").table("def", "is_default = true"))
	cases := []struct{ name, want, deflt string }{
		{"a.example.com", "A.example.com", ""},
		{"A.EXAMPLE.COM", "A.example.com", ""},
		{"x.example.com", "wild", ""},
		{"x.y.example.com", "", "d"},
		{"example.com", "", "d"},
		{"san.test", "san.test", ""},
		{"b.test", "hidden", ""},
		{"c.test", "hidden", ""},
		{"hidden", "", "d"},
		{"", "", "d"},
		{"*", "", "d"},
	}
	for _, c := range cases {
		for _, l := range []*Live{without, with} {
			want := c.want
			if want == "" && l == with {
				want = c.deflt
			}
			pair, err := l.Certificate(&tls.ClientHelloInfo{ServerName: c.name})
			got := ""
			if pair != nil {
				got = pair.Leaf.Subject.CommonName
			}
			if err != nil || got != want {
				t.Errorf("%q: %q, %v; want %q", c.name, got, err, want)
			}
		}
	}
	if n := without.Missed(); n != 5 {
		t.Errorf("%d misses counted, want 5", n)
	}
}

func TestAClientWithoutACertificateForItGetsUnrecognizedName(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	live := &Live{Log: zap.New(core)}
	live.Use(newSet(t, "", nil))
	l := listen(t, configFor(t, server(t, ""), live))
	for range 3 {
		if _, err := l.dial(anyone("a.test")); err == nil || !strings.Contains(err.Error(), "unrecognized name") {
			t.Errorf("the handshake ended with %v", err)
		}
		<-l.state
	}
	if live.Missed() != 3 || logs.Len() != 1 {
		t.Errorf("%d misses, %d lines; want 3 and 1", live.Missed(), logs.Len())
	}
	if f := logs.All()[0].ContextMap(); f["name"] != "a.test" || !strings.HasPrefix(f["client"].(string), "127.0.0.1:") {
		t.Errorf("logged %v", f)
	}
}

func TestRSAAndECDSASideBySide(t *testing.T) {
	ca := newIssuer(t, "ca", time.Hour)
	text := ca.issue("rsa", time.Hour, "a.test").table("a") + ca.issue("ecdsa", time.Hour, "a.test").table("b")
	cfg := configFor(t, server(t, ""), liveOf(t, text))
	l := listen(t, cfg)
	for suite, want := range map[uint16]x509.PublicKeyAlgorithm{
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: x509.RSA, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: x509.ECDSA, 0: x509.ECDSA} {
		client := anyone("a.test")
		if suite != 0 {
			client.MaxVersion, client.CipherSuites = tls.VersionTLS12, []uint16{suite}
		}
		state, err := l.dial(client)
		if err != nil || state.PeerCertificates[0].PublicKeyAlgorithm != want {
			t.Errorf("suite %x: %v, %v", suite, state.PeerCertificates, err)
		}
	}
}

func TestTheChainIsSentInOrder(t *testing.T) {
	ca := newIssuer(t, "ca", time.Hour)
	m := ca.issue("ecdsa", time.Hour, "a.test")
	m.cert += ca.pem
	l := listen(t, configFor(t, server(t, ""), liveOf(t, m.table("a"))))
	state, err := l.dial(anyone("a.test"))
	if err != nil || len(state.PeerCertificates) != 2 || !state.PeerCertificates[1].Equal(ca.cert) {
		t.Errorf("%v, %v", state.PeerCertificates, err)
	}
}

func TestWhatDidNotChangeIsTakenOver(t *testing.T) {
	ca := newIssuer(t, "ca", time.Hour)
	a, b := ca.issue("ecdsa", time.Hour, "a.test"), ca.issue("ecdsa", time.Hour, "b.test")
	first := newSet(t, a.table("a")+b.table("b"), nil)
	second := newSet(t, a.table("a")+b.table("b", "is_default = true")+"[basic]\nthreads = 1\n", first)
	if first.Made() != 2 || second.Made() != 1 || second.tables["a"] != first.tables["a"] || second.tables["b"] == first.tables["b"] {
		t.Errorf("made %d, then %d", first.Made(), second.Made())
	}
}

func TestATableThatLaterOnesRepeatIsOverwritten(t *testing.T) {
	ca := newIssuer(t, "ca", time.Hour)
	a, b := ca.issue("ecdsa", time.Hour, "a.test"), ca.issue("ecdsa", time.Hour, "a.test")
	pair, err := liveOf(t, b.table("z")+a.table("a")).Certificate(&tls.ClientHelloInfo{ServerName: "a.test"})
	if err != nil || pair.Leaf.SerialNumber.Cmp(b.leaf.SerialNumber) != 0 {
		t.Errorf("%v", err)
	}
}

func TestIssuedCertificatesAreMerged(t *testing.T) {
	ca := newIssuer(t, "ca", 1000*time.Hour)
	served := func(l *Live, name string) string {
		pair, err := l.Certificate(&tls.ClientHelloInfo{ServerName: name})
		if err != nil || pair == nil {
			return ""
		}
		return pair.Leaf.SerialNumber.String()
	}
	const pending = "[certificates.p]\nacme = 'lets_encrypt'\ndomains = 'p.test'\nis_default = true\n"
	own := ca.issue("ecdsa", 10*time.Hour, "o.test")
	l := liveOf(t, pending+own.table("o", "acme = 'lets_encrypt'", "domains = 'o.test'")+own.table("plain", "domains = 'plain.test'"))
	if served(l, "p.test") != "" {
		t.Error("something is served before it was issued")
	}
	p, short, long, foreign := ca.issue("ecdsa", time.Hour, "p.test"), ca.issue("rsa", time.Hour, "o.test"),
		ca.issue("rsa", 100*time.Hour, "o.test"), ca.issue("rsa", 100*time.Hour, "plain.test")
	issue := func(name string, m made) {
		t.Helper()
		if err := l.Issue(map[string]Issued{name: {[]byte(m.cert), []byte(m.pem)}}); err != nil {
			t.Error(err)
		}
	}
	issue("p", p)
	issue("o", short)
	issue("plain", foreign)
	issue("unknown", foreign)
	want := func(name string, m made) {
		t.Helper()
		if got := served(l, name); got != m.leaf.SerialNumber.String() {
			t.Errorf("%s: serial %s, want %s", name, got, m.leaf.SerialNumber)
		}
	}
	want("p.test", p)
	want("else.test", p) // it is the default
	want("o.test", own)  // which ends later
	want("plain.test", own)
	issue("o", long)
	want("o.test", long)
	l.Use(newSet(t, pending, nil)) // another configuration
	want("p.test", p)
	want("o.test", p)
	if err := l.Issue(map[string]Issued{"p": {[]byte(p.cert), []byte(short.pem)}}); err == nil {
		t.Error("a key of another certificate was taken")
	}
	want("p.test", p)
	if infos := l.Infos(); len(infos) != 1 || infos[0].Source != "acme" || infos[0].Domains[0] != "p.test" {
		t.Errorf("infos %+v", infos)
	}
	l.Withdraw("p")
	if served(l, "p.test") != "" {
		t.Error("what was withdrawn is served")
	}
}
