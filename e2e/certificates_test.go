package e2e

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// identity is a certificate with its key.
type identity struct {
	leaf      *x509.Certificate
	key       crypto.Signer
	cert, pem string
}

// newIdentity makes a certificate for names, signed by a CA or, without one, by itself as a CA.
func newIdentity(t *testing.T, by *identity, names ...string) *identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: names[0]}, DNSNames: names, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(24 * time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	parent, signer := template, crypto.Signer(key)
	if by == nil {
		template.IsCA, template.BasicConstraintsValid, template.KeyUsage, template.ExtKeyUsage = true, true, x509.KeyUsageCertSign, nil
	} else {
		parent, signer = by.leaf, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return &identity{leaf: leaf, key: key, cert: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		pem: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))}
}

// put writes certificate and key below dir, under the names that Let's Encrypt's client gives them.
func (id *identity) put(t *testing.T, dir string) {
	t.Helper()
	write(t, filepath.Join(dir, "fullchain.pem"), id.cert)
	write(t, filepath.Join(dir, "privkey.pem"), id.pem)
}

// tlsConf is a configuration whose server speaks TLS.
func tlsConf(conf, keys, certificates string) string {
	return insert(conf, "servers.web", "global_certificates = true\n"+keys) + "\n" + certificates
}

// browse asks for / on a connection of its own.
func browse(addr string, cfg *tls.Config) (status int, body string, state *tls.ConnectionState, err error) {
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: cfg, DisableKeepAlives: true}, Timeout: patience}
	resp, err := client.Get("https://" + addr + "/")
	if err != nil {
		return 0, "", nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), resp.TLS, err
}

// anyCertificate takes whatever is served under a name.
func anyCertificate(name string) *tls.Config {
	return &tls.Config{ServerName: name, InsecureSkipVerify: true}
}

// serves says whether a new connection gets a certificate.
func serves(addr, name string, id *identity) error {
	_, _, state, err := browse(addr, anyCertificate(name))
	if err != nil {
		return err
	}
	if !state.PeerCertificates[0].Equal(id.leaf) {
		return fmt.Errorf("serial %s, want %s", state.PeerCertificates[0].SerialNumber, id.leaf.SerialNumber)
	}
	return nil
}

func TestARenewedCertificateIsServedByItself(t *testing.T) {
	t.Parallel()
	dir, addr := workDir(t), freePort(t)
	first, second, third := newIdentity(t, nil, "a.test"), newIdentity(t, nil, "a.test"), newIdentity(t, nil, "a.test")
	first.put(t, dir)
	conf := tlsConf(mockConf(addr, "before"), "", fmt.Sprintf("[certificates.a]\ntls_cert = %q\n", dir))
	i := start(t, conf)
	if err := serves(addr, "a.test", first); err != nil {
		t.Fatal(err)
	}
	kept := &http.Client{Transport: &http.Transport{TLSClientConfig: anyCertificate("a.test")}, Timeout: patience}
	ask := func() string {
		resp, err := kept.Get("https://" + addr + "/")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	ask()
	write(t, i.conf, strings.Replace(conf, "before", "after", 1)) // nobody has asked for that to be applied

	second.put(t, dir)
	i.eventually("the new certificate", func() error { return serves(addr, "a.test", second) })
	i.inEveryWorker(addr, func() error { return serves(addr, "a.test", second) })
	if got := ask(); !strings.Contains(got, "before") {
		t.Errorf("%q: more than the certificate was applied", got)
	}
	if st := i.status(); st.Config.Version != 2 || len(st.workers()) != 2 || !st.Config.Source.Differs {
		t.Errorf("version %d, differs %v", st.Config.Version, st.Config.Source.Differs)
	}

	// A certificate whose key has not come yet is refused, the old one serves on.
	write(t, filepath.Join(dir, "fullchain.pem"), third.cert)
	i.eventually("a refusal", func() error {
		if !strings.Contains(i.status().Config.Source.Refused, "has an error") {
			return errors.New("not refused")
		}
		return nil
	})
	if !strings.Contains(i.printed(), "the private key does not belong to the certificate") {
		t.Error("the log does not say why")
	}
	if err := serves(addr, "a.test", second); err != nil {
		t.Error(err)
	}
	write(t, filepath.Join(dir, "privkey.pem"), third.pem)
	i.eventually("the third certificate", func() error { return serves(addr, "a.test", third) })

	// Going back takes the files as they are, and no key lies where versions are kept.
	if r := i.verb("rollback", "1", "--wait"); r.code != 0 {
		t.Fatal(r.all())
	}
	if err := serves(addr, "a.test", third); err != nil {
		t.Error(err)
	}
	if r := i.verb("config", "show", "1", "--secrets"); strings.Contains(r.stdout, "PRIVATE KEY") || !strings.Contains(r.stdout, dir) {
		t.Errorf("shown:\n%s", r.stdout)
	}
	keptFiles, err := filepath.Glob(filepath.Join(i.dir, "state", "versions", "*"))
	if err != nil || len(keptFiles) < 3 {
		t.Fatalf("%q, %v", keptFiles, err)
	}
	for _, file := range keptFiles {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "PRIVATE KEY") {
			t.Errorf("%s holds a key", file)
		}
	}
}

func TestABrokenCertificateIsRefusedByReload(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	good, other := newIdentity(t, nil, "a.test"), newIdentity(t, nil, "a.test")
	table := "[certificates.a]\ntls_cert = '''%s'''\ntls_key = '''%s'''\n"
	i := start(t, tlsConf(mockConf(addr, "x"), "", fmt.Sprintf(table, good.cert, good.pem)))
	write(t, i.conf, tlsConf(mockConf(addr, "x"), "", fmt.Sprintf(table, good.cert, other.pem)))
	r := i.verb("reload", "--wait")
	if r.code != 1 || !strings.Contains(r.all(), "certificates.a.tls_key: the private key does not belong to the certificate") ||
		strings.Contains(r.all(), "PRIVATE KEY") {
		t.Errorf("code %d: %s", r.code, r.all())
	}
	if err := serves(addr, "a.test", good); err != nil {
		t.Error(err)
	}
	if r := i.verb("config", "show", "1"); strings.Contains(r.stdout, "PRIVATE KEY") || !strings.Contains(r.stdout, "[redacted]") {
		t.Errorf("shown:\n%s", r.stdout)
	}
}

func TestCertificatesByNameAndByACA(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	ca := newIdentity(t, nil, "our CA")
	exact, wild := newIdentity(t, ca, "a.test"), newIdentity(t, ca, "*.b.test")
	table := "[certificates.%s]\ntls_cert = '''%s'''\ntls_key = '''%s'''\n%s\n"
	conf := tlsConf(mockConf(addr, "x"), "", fmt.Sprintf(table, "exact", exact.cert, exact.pem, "")+fmt.Sprintf(table, "wild", wild.cert, wild.pem, ""))
	i := start(t, conf)
	roots := x509.NewCertPool()
	roots.AddCert(ca.leaf)
	for _, name := range []string{"a.test", "A.test", "x.b.test"} {
		if _, _, _, err := browse(addr, &tls.Config{ServerName: name, RootCAs: roots}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, _, err := browse(addr, anyCertificate("c.test")); err == nil || !strings.Contains(err.Error(), "unrecognized name") {
		t.Errorf("a name that nobody has: %v", err)
	}
	write(t, i.conf, conf+fmt.Sprintf(table, "ca", ca.cert, ca.pem, "is_ca = true\nis_default = true"))
	i.reload()
	if _, _, state, err := browse(addr, &tls.Config{ServerName: "deep.c.test", RootCAs: roots}); err != nil || state.PeerCertificates[0].DNSNames[0] != "*.c.test" {
		t.Errorf("signed on the fly: %v", err)
	}
}

func TestClientCertificatesReachBackendsAndLogs(t *testing.T) {
	t.Parallel()
	addr, log := freePort(t), filepath.Join(workDir(t), "access.log")
	ca := newIdentity(t, nil, "our CA")
	site, client, stranger := newIdentity(t, ca, "a.test"), newIdentity(t, ca, "a client"), newIdentity(t, nil, "a stranger")
	seen := make(chan http.Header, 10)
	backend := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header.Clone() }))
	defer backend.Close()
	conf := insert(proxyConf(addr, backend.Listener.Addr().String()), "locations.all",
		`proxy_set_headers = ["X-Subject:$tls_client_subject", "X-Hash:$tls_client_fingerprint"]`)
	keys := fmt.Sprintf("client_auth = 'require'\nclient_auth_ca = '''%s'''\naccess_log = %q\n", ca.cert,
		log+"?rolling=never {:tls_client_subject}|{:tls_client_fingerprint}|{:tls_sni}|{:tls_version}|{scheme}")
	start(t, tlsConf(conf, keys, fmt.Sprintf("[certificates.a]\ntls_cert = '''%s'''\ntls_key = '''%s'''\n", site.cert, site.pem)))
	for _, c := range []struct {
		name  string
		shows *identity
		ok    bool
	}{{"none", nil, false}, {"of another CA", stranger, false}, {"of the CA", client, true}} {
		cfg := anyCertificate("a.test")
		if c.shows != nil {
			pair := tls.Certificate{Certificate: [][]byte{c.shows.leaf.Raw}, PrivateKey: c.shows.key}
			cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
		}
		status, _, _, err := browse(addr, cfg)
		if (err == nil) != c.ok || c.ok && status != 200 {
			t.Errorf("%s: %d, %v", c.name, status, err)
		}
	}
	sum := sha256.Sum256(client.leaf.Raw)
	if len(seen) != 1 {
		t.Fatalf("%d requests reached the backend", len(seen))
	}
	if h := <-seen; h.Get("X-Subject") != "CN=a client" || h.Get("X-Hash") != hex.EncodeToString(sum[:]) {
		t.Errorf("the backend saw %v", h)
	}
	want := "CN=a client|" + hex.EncodeToString(sum[:]) + "|a.test|TLSv1.3|https\n"
	if err := within(patience, func() error {
		if text, err := os.ReadFile(log); err != nil || string(text) != want {
			return fmt.Errorf("logged %q, %v, want %q", text, err, want)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

func TestTheQuickStartServesTLS(t *testing.T) {
	t.Parallel()
	dir, addr := workDir(t), freePort(t)
	id, renewed := newIdentity(t, nil, "a.test"), newIdentity(t, nil, "a.test")
	id.put(t, dir)
	backend := newBackend(t, "quick")
	i := launch(t, workDir(t), "--upstream", backend.addr, "--addr", addr, "--cert", dir, "--domain", "a.test")
	i.waitRunning()
	if err := serves(addr, "a.test", id); err != nil {
		t.Error(err)
	}
	renewed.put(t, dir)
	i.eventually("the renewed certificate", func() error { return serves(addr, "a.test", renewed) })
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: anyCertificate("a.test"), ForceAttemptHTTP2: true}, Timeout: patience}
	req, err := http.NewRequest("GET", "https://"+addr+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "a.test"
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || resp.ProtoMajor != 2 || !strings.Contains(string(text), "quick") {
		t.Errorf("%s %q, %v", resp.Proto, text, err)
	}
}

func TestSettingsOfTLSAreHot(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	ca := newIdentity(t, nil, "our CA")
	site := newIdentity(t, ca, "a.test")
	certificate := fmt.Sprintf("[certificates.a]\ntls_cert = '''%s'''\ntls_key = '''%s'''\n", site.cert, site.pem)
	i := start(t, tlsConf(mockConf(addr, "x"), "", certificate))
	pids := i.status().pids()
	old := anyCertificate("a.test")
	old.MaxVersion = tls.VersionTLS12
	kept := &http.Client{Transport: &http.Transport{TLSClientConfig: old}, Timeout: patience}
	ask := func() (reused bool) {
		trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { reused = info.Reused }}
		req, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), "GET", "https://"+addr+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := kept.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
		return reused
	}
	ask()
	for _, c := range []struct{ keys, refused string }{
		{"tls_min_version = 'TLSv1.3'", "protocol version"},
		{"tls_cipher_list = 'ECDHE-RSA-AES128-GCM-SHA256'", "handshake failure"}, // the key is ECDSA
		{fmt.Sprintf("client_auth = 'require'\nclient_auth_ca = '''%s'''", ca.cert), "handshake failure"},
	} {
		write(t, i.conf, tlsConf(mockConf(addr, "x"), c.keys, certificate))
		i.reload()
		if _, _, _, err := browse(addr, old); err == nil || !strings.Contains(err.Error(), c.refused) {
			t.Errorf("%s: %v", c.keys, err)
		}
		if !ask() {
			t.Errorf("%s: the connection there was is gone", c.keys)
		}
	}
	if got := i.status().pids(); !slices.Equal(got, pids) {
		t.Errorf("processes %v, before %v", got, pids)
	}
}

func TestWithoutACertificateHandshakesFailAndTheLogSaysWhy(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	i := start(t, tlsConf(mockConf(addr, "x"), "", ""))
	if _, _, _, err := browse(addr, anyCertificate("a.test")); err == nil || !strings.Contains(err.Error(), "unrecognized name") {
		t.Errorf("%v", err)
	}
	i.eventually("a line", func() error {
		if text := i.printed(); !strings.Contains(text, "no certificate for a client") || !strings.Contains(text, "a.test") {
			return errors.New("not logged")
		}
		return nil
	})
	if !strings.Contains(i.printed(), "no certificate is defined, every TLS handshake will fail") {
		t.Error("the configuration was not warned about")
	}
}
