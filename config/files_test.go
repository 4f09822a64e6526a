package config

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"
)

// testPair is a certificate with its key as PEM.
type testPair struct{ cert, key string }

// pairFor makes a certificate; edit changes what it says.
func pairFor(t *testing.T, key crypto.Signer, edit func(*x509.Certificate)) testPair {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "a.test"}, DNSNames: []string{"a.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	if edit != nil {
		edit(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return testPair{string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))}
}

func ecKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// reads stands in for the disk: files by path, directories as paths that end in a slash.
func reads(files map[string]string) Options {
	o := testOptions()
	o.ReadFile = func(path string, names []string) (FileRead, error) {
		if data, ok := files[path]; ok {
			return FileRead{Path: "/abs/" + path, Data: []byte(data)}, nil
		}
		for _, name := range names {
			if data, ok := files[path+"/"+name]; ok {
				return FileRead{Path: "/abs/" + path + "/" + name, Data: []byte(data), Directory: true}, nil
			}
		}
		return FileRead{}, errors.New(path + " does not exist")
	}
	return o
}

func mustLoadWith(t *testing.T, text string, o Options) *Config {
	t.Helper()
	c, report := loadText(t, text, o)
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	return c
}

func snapshotOf(t *testing.T, c *Config) *Snapshot {
	t.Helper()
	data, _ := Encode(c)
	s, err := OpenSnapshot(data)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEveryFormOfACertificateMeansTheSame(t *testing.T) {
	p := pairFor(t, ecKey(t), nil)
	both := func(cert, key string) string {
		return fmt.Sprintf("[certificates.a]\ntls_cert = '''%s'''\ntls_key = '''%s'''\n", cert, key)
	}
	b64 := base64.StdEncoding.EncodeToString
	disk := map[string]string{"c.pem": p.cert, "k.pem": p.key, "both.pem": p.key + p.cert, "live/cert.pem": "not this one", "live/fullchain.pem": p.cert,
		"live/privkey.pem": p.key, "crt/tls.crt": p.cert, "keys/server.key": p.key}
	for name, text := range map[string]string{
		"inline": both(p.cert, p.key), "base64": both(b64([]byte(p.cert)), b64([]byte(p.key))), "files": both("c.pem", "k.pem"),
		"one file": both("both.pem", "both.pem"), "directories": both("crt", "keys"), "a directory for both": "[certificates.a]\ntls_cert = 'live'\n",
		"mixed": both("crt", p.key),
	} {
		c, err := snapshotOf(t, mustLoadWith(t, text, reads(disk))).Certificate("a")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(c.CertPEM()), p.cert) || !strings.Contains(string(c.KeyPEM()), p.key) {
			t.Errorf("%s: other contents", name)
		}
	}
}

func TestFilesThatCannotBeUsedAreReported(t *testing.T) {
	p, other := pairFor(t, ecKey(t), nil), pairFor(t, ecKey(t), nil)
	disk := map[string]string{"c": p.cert, "k": p.key, "other": other.key, "junk": "junk", "dir/cert.pem": p.cert,
		"locked": "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"}
	for _, c := range []struct{ keys, want string }{
		{"tls_cert = 'gone'\ntls_key = 'k'", "pingap.toml:2: certificates.a.tls_cert: gone does not exist"},
		{"tls_cert = 'c'\ntls_key = 'gone'", "pingap.toml:3: certificates.a.tls_key: gone does not exist"},
		{"tls_cert = 'c'\ntls_key = 'other'", "pingap.toml:3: certificates.a.tls_key: /abs/other: the private key does not belong to the certificate"},
		{"tls_cert = 'junk'\ntls_key = 'k'", "pingap.toml:2: certificates.a.tls_cert: /abs/junk: expected PEM with a certificate, found none"},
		{"tls_cert = 'c'\ntls_key = 'junk'", "pingap.toml:3: certificates.a.tls_key: /abs/junk: expected PEM with a private key, found none"},
		{"tls_cert = 'c'\ntls_key = 'locked'", "pingap.toml:3: certificates.a.tls_key: /abs/locked: expected a private key without a passphrase, found an encrypted one"},
		{"tls_cert = 'dir'", "certificates.a.tls_key: dir does not exist"},
		{"tls_cert = 'c'\ntls_key = 'k'\nis_ca = true", "certificates.a.tls_cert: expected the certificate of a CA, as is_ca is set; this one may not sign others"},
		{"tls_cert = 'c'\ntls_key = 'k'\nocsp_staple = 'junk'", "certificates.a.ocsp_staple: /abs/junk: expected an OCSP response in DER"},
		{"tls_cert = 'c'\ntls_key = '''-----BEGIN PRIVATE KEY\nMIIsecret'''", "certificates.a.tls_key: expected PEM, base64 of PEM or the path of a file"},
		{"tls_cert = 'c'\ntls_key = '-----BEGIN PRIVATE KEY----- MIIsecret'", "certificates.a.tls_key: expected PEM, base64 of PEM or the path of a file"},
		{"tls_cert = 'c'\ntls_key = 'MIIsecret" + strings.Repeat("secret", 9) + "'", "certificates.a.tls_key: expected PEM, base64 of PEM or the path of a file"},
		{"tls_cert = 'c'\ntls_key = '" + strings.Repeat("secret", 200) + "'", "certificates.a.tls_key: expected PEM, base64 of PEM or the path of a file"},
	} {
		cfg, report := loadText(t, "[certificates.a]\n"+c.keys+"\n", reads(disk))
		if got := lines(report.Errors); cfg != nil || len(report.Errors) != 1 || !strings.Contains(got, c.want) || strings.Contains(got, "secret") {
			t.Errorf("%s:\ngot  %swant %s", c.keys, got, c.want)
		}
	}
}

func TestOddCertificatesWarn(t *testing.T) {
	key := ecKey(t)
	old := pairFor(t, key, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	early := pairFor(t, key, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) })
	good := pairFor(t, key, nil)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	nameless := pairFor(t, key, func(c *x509.Certificate) { c.DNSNames = nil })
	stranger := pairFor(t, key, func(c *x509.Certificate) { c.Subject.CommonName = "stranger" })
	for _, c := range []struct {
		pair       testPair
		more, want string
	}{
		{old, "", "tls_cert: the certificate has expired at "},
		{early, "", "tls_cert: the certificate is not valid before "},
		{pairFor(t, weak, nil), "", "tls_cert: clients refuse RSA keys of 1024 bits"},
		{testPair{good.cert + stranger.cert, good.key}, "", "tls_cert: the chain is out of order"},
		{good, "domains = 'a.test, b.test'", `domains: the certificate is not for "b.test", clients will refuse it`},
		{good, "domains = 'a b'", `domains: expected host names`},
		{nameless, "", "tls_cert: the certificate names no host, and neither domains nor is_default is set: it is not used"},
		{testPair{good.cert, ""}, "", "tls_cert: there is no tls_key to this certificate, it is not used"},
	} {
		text := fmt.Sprintf("[certificates.a]\ntls_cert = '''%s'''\n", c.pair.cert)
		if c.pair.key != "" {
			text += fmt.Sprintf("tls_key = '''%s'''\n", c.pair.key)
		}
		_, report := loadText(t, text+c.more+"\n", testOptions())
		got := lines(report.Warnings)
		if len(report.Errors) > 0 || !strings.Contains(got, "certificates.a."+c.want) {
			t.Errorf("%q: errors %s warnings %s", c.want, lines(report.Errors), got)
		}
	}
}

func TestTwoTablesForOneNameMayHaveDifferentTypesOfKeys(t *testing.T) {
	big, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for i, key := range []crypto.Signer{ecKey(t), big, ecKey(t)} {
		p := pairFor(t, key, nil)
		text += fmt.Sprintf("[certificates.c%d]\nis_default = true\ntls_cert = '''%s'''\ntls_key = '''%s'''\n", i, p.cert, p.key)
	}
	_, report := loadText(t, text, testOptions())
	got := lines(report.Warnings)
	if len(report.Errors) > 0 || strings.Count(got, "same type of key") != 2 || !strings.Contains(got, `certificates.c2: "a.test" is served by certificate c0`) ||
		!strings.Contains(got, "certificates.c2: certificate c0 is the default as well") {
		t.Errorf("%s%s", lines(report.Errors), got)
	}
}

const withFiles = `
[certificates.a]
tls_cert = 'c'
tls_key = 'k'
[servers.s]
addr = '127.0.0.1:1'
global_certificates = true
client_auth = 'require'
client_auth_ca = 'ca'
`

func TestContentsOfFilesArePartOfTheConfiguration(t *testing.T) {
	first, second, ca := pairFor(t, ecKey(t), nil), pairFor(t, ecKey(t), nil), pairFor(t, ecKey(t), nil)
	disk := map[string]string{"c": first.cert, "k": first.key, "ca": ca.cert}
	before := mustLoadWith(t, withFiles, reads(disk))
	disk["c"], disk["k"] = second.cert, second.key
	after := mustLoadWith(t, withFiles, reads(disk))
	_, a := Encode(before)
	_, b := Encode(after)
	if a == b {
		t.Error("the hash stays")
	}
	changes := Diff(before, after)
	if changes.Class() != Hot || len(changes) != 1 || len(changes[0].Keys) != 2 || changes[0].Keys[1].New != `"k" (contents changed)` {
		t.Errorf("%+v", changes)
	}
	s := snapshotOf(t, before)
	files, err := s.AllFiles()
	if err != nil || len(files) != 3 || files[0].Path != "/abs/ca" || files[1].Sum != sha256.Sum256([]byte(first.cert)) || files[2].Data != "" {
		t.Errorf("%+v, %v", files, err)
	}
	if again, err := s.Config(); err != nil || Diff(before, again) != nil {
		t.Errorf("decoded: %+v, %v", Diff(before, again), err)
	}
}

func TestASnapshotWithoutContentsKnowsWhatChanged(t *testing.T) {
	first, second, ca := pairFor(t, ecKey(t), nil), pairFor(t, ecKey(t), nil), pairFor(t, ecKey(t), nil)
	disk := map[string]string{"c": first.cert, "k": first.key, "ca": ca.cert}
	c := mustLoadWith(t, withFiles, reads(disk))
	data, sum, err := snapshotOf(t, c).WithoutContents()
	if err != nil || strings.Contains(string(data), "PRIVATE KEY") || strings.Contains(string(data), "BEGIN CERTIFICATE") {
		t.Fatalf("contents are left: %v", err)
	}
	bare, err := OpenSnapshot(data)
	if err != nil || bare.Sha() != sum {
		t.Fatal(err)
	}
	kept, err := bare.Config()
	if err != nil || Diff(kept, c) != nil {
		t.Errorf("%+v, %v", Diff(kept, c), err)
	}
	disk["c"], disk["k"] = second.cert, second.key
	if changes := Diff(kept, mustLoadWith(t, withFiles, reads(disk))); len(changes) != 1 {
		t.Errorf("%+v", changes)
	}
	// Written, it names the files.
	if text := string(Write(kept, false)); !strings.Contains(text, `tls_key = "k"`) || strings.Contains(text, redacted) {
		t.Errorf("written:\n%s", text)
	}
	if data, _, err := snapshotOf(t, mustLoad(t, "[basic]\nthreads = 1\n")).WithoutContents(); err != nil || data != nil {
		t.Errorf("made for a configuration without files: %v", err)
	}
}

func TestKeysInTheConfigurationArePrintedNowhere(t *testing.T) {
	p, other := pairFor(t, ecKey(t), nil), pairFor(t, ecKey(t), nil)
	text := "[certificates.a]\ntls_cert = '''%s'''\ntls_key = '''%s'''\nacme='lets_encrypt'\ndomains='a.test'\nacme_eab_kid='kid'\nacme_eab_hmac='Z2VoZWlt'\n"
	c, d := mustLoad(t, fmt.Sprintf(text, p.cert, p.key)), mustLoad(t, fmt.Sprintf(text, other.cert, other.key))
	disk := reads(map[string]string{"c": p.cert, "k": p.key, "ca": other.cert})
	printed := fmt.Sprintf("%+v %#v %s %s", *c.Certificates["a"], *c.Certificates["a"], Write(c, false), Diff(c, d).Text())
	printed += fmt.Sprintf("%+v", mustLoadWith(t, withFiles, disk).Certificates["a"].Files)
	for _, secret := range []string{"PRIVATE", strings.Split(p.key, "\n")[1], strings.Split(other.key, "\n")[1], "Z2VoZWlt"} {
		if strings.Contains(printed, secret) {
			t.Errorf("%s is printed", secret)
		}
	}
	if back := mustLoad(t, string(Write(c, true))); Diff(c, back) != nil {
		t.Error("written with secrets it is another configuration")
	}
}

func TestTooMuchInFilesIsRefused(t *testing.T) {
	o := testOptions()
	o.ReadFile = func(path string, _ []string) (FileRead, error) {
		return FileRead{Path: path, Data: make([]byte, maxFiles/2+1)}, nil
	}
	_, report := loadText(t, "[certificates.a]\ntls_cert='c'\ntls_key='k'\n", o)
	if !strings.Contains(lines(report.Errors), "hold more than 64mib together") {
		t.Error(lines(report.Errors))
	}
}

func TestEveryKeyWithAFileIsOfAKindThatKeepsFiles(t *testing.T) {
	found := 0
	for kind, table := range newSchema() {
		for _, k := range table.Keys {
			if k.File == "" {
				continue
			}
			found++
			switch k.File {
			case formCertificate, formKey, formPEM, formDER:
			default:
				t.Errorf("%s.%s has the form %q", table.Name, k.Name, k.File)
			}
			if kind := Kind(kind); kind != KindServer && kind != KindUpstream && kind != KindCertificate {
				t.Errorf("%s keeps no files", table.Name)
			}
		}
	}
	if found < 4 {
		t.Errorf("found %d", found)
	}
}
