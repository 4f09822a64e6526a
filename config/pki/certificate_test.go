package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"
)

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// certify makes a certificate for a key, signed by itself.
func certify(t testing.TB, key crypto.Signer, name string) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(42), Subject: pkix.Name{CommonName: name}, DNSNames: []string{"A." + name},
		IPAddresses: []net.IP{net.IPv4(10, 0, 0, 1)}, NotBefore: time.Unix(1e9, 0), NotAfter: time.Unix(2e9, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestKeysOfAllFormsAreRead(t *testing.T) {
	ec := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	rs := must[*rsa.PrivateKey](t)(rsa.GenerateKey(rand.Reader, 2048))
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der := must[[]byte](t)
	parameters := block("EC PARAMETERS", []byte{6, 0})
	for _, c := range []struct {
		name, kind string
		key        crypto.Signer
		text       []byte
	}{
		{"SEC 1", "ecdsa", ec, append(parameters, block("EC PRIVATE KEY", der(x509.MarshalECPrivateKey(ec)))...)},
		{"PKCS #1", "rsa", rs, block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rs))},
		{"PKCS #8, RSA", "rsa", rs, block("PRIVATE KEY", der(x509.MarshalPKCS8PrivateKey(rs)))},
		{"PKCS #8, ECDSA", "ecdsa", ec, block("PRIVATE KEY", der(x509.MarshalPKCS8PrivateKey(ec)))},
		{"PKCS #8, Ed25519", "ed25519", ed, block("PRIVATE KEY", der(x509.MarshalPKCS8PrivateKey(ed)))},
	} {
		cert := certify(t, c.key, "test")
		pair, err := Pair(block("CERTIFICATE", cert), append([]byte("a comment\n"), c.text...))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if KeyType(pair.Leaf) != c.kind || len(pair.Certificate) != 1 || strings.Join(Names(pair.Leaf), " ") != "a.test 10.0.0.1" {
			t.Errorf("%s: %s %v", c.name, KeyType(pair.Leaf), Names(pair.Leaf))
		}
		var _ *tls.Certificate = pair
	}
}

func TestWhatIsNoPairIsRefused(t *testing.T) {
	one := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	two := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	cert := block("CERTIFICATE", certify(t, one, "test"))
	key := block("PRIVATE KEY", must[[]byte](t)(x509.MarshalPKCS8PrivateKey(two)))
	legacy := []byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n")
	for name, c := range map[string]struct {
		cert, key []byte
		want      error
	}{
		"another key": {cert, key, ErrMismatch}, "no certificate": {key, key, ErrNoCertificate}, "no key": {cert, cert, ErrNoKey},
		"encrypted": {cert, block("ENCRYPTED PRIVATE KEY", []byte("x")), ErrEncrypted}, "encrypted, old form": {cert, legacy, ErrEncrypted},
	} {
		if _, err := Pair(c.cert, c.key); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Key(block("PRIVATE KEY", []byte("geheim"))); err == nil || strings.Contains(err.Error(), "geheim") {
		t.Errorf("%v", err)
	}
	if _, err := Certificates([]byte(strings.Repeat(string(cert), maxChain+1))); err == nil {
		t.Error("a chain without end was read")
	}
	if all, err := Authorities([]byte(strings.Repeat(string(cert), 30))); err != nil || len(all) != 30 {
		t.Errorf("%d CAs, %v", len(all), err)
	}
}

func TestTextsAndPathsAreToldApart(t *testing.T) {
	const text = "-----BEGIN X-----\nAAAA\n-----END X-----"
	b64 := base64.StdEncoding.EncodeToString([]byte(text))
	for _, c := range []struct {
		text     string
		pem, der bool
	}{
		{text, true, true}, {"comment\n" + text + "\n\n", true, true}, {b64, true, true}, {b64[:20] + "\n" + b64[20:], true, true},
		{strings.TrimRight(b64, "="), true, true}, {"/etc/ssl/a.pem", false, false}, {"~/a.pem", false, false}, {"cert", false, false}, {"", false, false},
		{"abcdefgh", false, false}, {"-----BEGIN X-----", false, false}, {base64.StdEncoding.EncodeToString([]byte{0x30, 4, 1, 2, 3, 4, 5}), false, true},
	} {
		if _, ok := DecodePEM(c.text); ok != c.pem {
			t.Errorf("%q: PEM %v", c.text, ok)
		}
		if _, ok := DecodeDER(c.text); ok != c.der {
			t.Errorf("%q: DER %v", c.text, ok)
		}
	}
}

// staple makes an OCSP response; nobody here looks at its signature.
func staple(t testing.TB, serial int64, statusTag int, from, to time.Time) []byte {
	t.Helper()
	var basic basicResponse
	basic.Data.ResponderID = asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 2, IsCompound: true, Bytes: []byte{4, 1, 0}}
	basic.Data.ProducedAt = from
	one := singleResponse{Status: asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: statusTag}, ThisUpdate: from, NextUpdate: to}
	algorithm := asn1.RawValue{Class: asn1.ClassUniversal, Tag: asn1.TagSequence, IsCompound: true, Bytes: []byte{6, 1, 42}}
	one.ID.Algorithm, one.ID.Serial = algorithm, big.NewInt(serial)
	basic.Data.Responses = []singleResponse{one}
	basic.Algorithm, basic.Signature = algorithm, asn1.BitString{Bytes: []byte{0}, BitLength: 8}
	var outer ocspResponse
	outer.Bytes.Type = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}
	outer.Bytes.Response = must[[]byte](t)(asn1.Marshal(basic))
	return must[[]byte](t)(asn1.Marshal(outer))
}

func TestStaples(t *testing.T) {
	now := time.Unix(1.5e9, 0)
	der := staple(t, 42, 0, now.Add(-time.Hour), now.Add(time.Hour))
	s, err := ParseStaple(der)
	if err != nil || s.Serial.Int64() != 42 || !s.Good {
		t.Fatalf("%+v, %v", s, err)
	}
	for at, want := range map[time.Duration]bool{0: true, -2 * time.Hour: false, 2 * time.Hour: false} {
		if s.Current(now.Add(at)) != want {
			t.Errorf("%s from now: current %v", at, !want)
		}
	}
	if s, err := ParseStaple(staple(t, 42, 1, now, now)); err != nil || s.Good {
		t.Errorf("unknown status: %+v, %v", s, err)
	}
	for name, form := range map[string][]byte{"DER": der, "base64": []byte(base64.StdEncoding.EncodeToString(der) + "\n"), "PEM": block("OCSP RESPONSE", der)} {
		if _, err := ParseStaple(TrimDER(form)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, bad := range [][]byte{nil, []byte("junk"), der[:len(der)-1], append(der[:len(der):len(der)], 0), {0x30, 3, 10, 1, 3}} {
		if _, err := ParseStaple(bad); err == nil {
			t.Errorf("%x was read", bad)
		}
	}
}

func FuzzParse(f *testing.F) {
	key := must[*ecdsa.PrivateKey](f)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	now := time.Unix(1.5e9, 0)
	f.Add(block("CERTIFICATE", certify(f, key, "test")))
	f.Add(block("PRIVATE KEY", must[[]byte](f)(x509.MarshalPKCS8PrivateKey(key))))
	f.Add(staple(f, 42, 0, now, now))
	f.Add([]byte("ECDHE+AESGCM:!AES256:@SECLEVEL=1:-RC4"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if chain, err := Certificates(data); err == nil && (len(chain) == 0 || len(chain) > maxChain) {
			t.Errorf("%d certificates", len(chain))
		}
		if key, err := Key(data); err == nil && key.Public() == nil {
			t.Error("a key without a public one")
		}
		if s, err := ParseStaple(TrimDER(data)); err == nil {
			s.Current(now)
		}
		if ids, _, err := Ciphers(string(data)); err == nil && len(ids) == 0 {
			t.Error("a list that leaves nothing was accepted")
		}
		if _, err := NewCiphers(string(data)); err != nil && err.Error() == "" {
			t.Error("an error without a text")
		}
		DecodePEM(string(data))
		DecodeDER(string(data))
	})
}
