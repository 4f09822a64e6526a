package certs

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"pingap/config"
)

// patience bounds every wait; it is never reached in a good run.
const patience = 20 * time.Second

// issuer makes certificates.
type issuer struct {
	t    *testing.T
	cert *x509.Certificate
	key  crypto.Signer
	pem  string
}

// made is a certificate as the configuration takes it.
type made struct {
	leaf      *x509.Certificate
	key       crypto.Signer
	cert, pem string // certificate, key
}

func serial(t *testing.T) *big.Int {
	t.Helper()
	n, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func newKey(t *testing.T, kind string) crypto.Signer {
	t.Helper()
	var key crypto.Signer
	var err error
	if kind == "rsa" {
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	} else {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// newIssuer is a CA of one's own, valid for as long as life says.
func newIssuer(t *testing.T, name string, life time.Duration) *issuer {
	t.Helper()
	key := newKey(t, "ecdsa")
	template := &x509.Certificate{SerialNumber: serial(t), Subject: pkix.Name{CommonName: name, Organization: []string{"Org"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(life), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &issuer{t: t, cert: cert, key: key, pem: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}
}

func keyPEM(t *testing.T, key crypto.Signer) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// issue makes a certificate for names; the first is its subject as well.
func (i *issuer) issue(kind string, life time.Duration, names ...string) made {
	i.t.Helper()
	key := newKey(i.t, kind)
	template := &x509.Certificate{SerialNumber: serial(i.t), Subject: pkix.Name{CommonName: names[0]},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(life), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	for n, name := range names {
		if n == 0 && strings.ContainsAny(name, " ,") {
			continue // only a subject
		}
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
			continue
		}
		template.DNSNames = append(template.DNSNames, name)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, i.cert, key.Public(), i.key)
	if err != nil {
		i.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		i.t.Fatal(err)
	}
	return made{leaf: leaf, key: key, cert: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), pem: keyPEM(i.t, key)}
}

func (m made) client() tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{m.leaf.Raw}, PrivateKey: m.key}
}

// table writes a table of the configuration.
func (m made) table(name string, more ...string) string {
	return fmt.Sprintf("[certificates.%s]\ntls_cert = '''%s'''\ntls_key = '''%s'''\n%s\n", name, m.cert, m.pem, strings.Join(more, "\n"))
}

// load makes a snapshot of tables.
func load(t *testing.T, text string) *config.Snapshot {
	t.Helper()
	cfg, report := config.Load([]config.Document{{Name: "test.toml", Data: []byte(text)}}, config.Options{})
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	data, _ := config.Encode(cfg)
	s, err := config.OpenSnapshot(data)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newSet(t *testing.T, text string, old *Set) *Set {
	t.Helper()
	s, err := NewSet(load(t, text), old, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// liveOf is a Live with the certificates of the text.
func liveOf(t *testing.T, text string) *Live {
	t.Helper()
	l := &Live{}
	l.Use(newSet(t, text, nil))
	return l
}

// server is a server with keys of its own.
func server(t *testing.T, keys string) *config.Server {
	t.Helper()
	s, err := load(t, "[servers.s]\naddr = '127.0.0.1:0'\nglobal_certificates = true\n"+keys).Server("s")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// listening serves TLS until the test ends: it shakes hands, answers one byte with another, and keeps the last state.
type listening struct {
	addr  string
	state chan *tls.ConnectionState // of each connection, nil where the handshake failed
}

func listen(t *testing.T, cfg *tls.Config) *listening {
	t.Helper()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &listening{addr: tcp.Addr().String(), state: make(chan *tls.ConnectionState, 1000)}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := tcp.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { l.serve(tls.Server(conn, cfg)) })
		}
	})
	t.Cleanup(func() { tcp.Close(); wg.Wait() })
	return l
}

func (l *listening) serve(conn *tls.Conn) {
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		l.state <- nil
		return
	}
	state := conn.ConnectionState()
	l.state <- &state
	buf := make([]byte, 1)
	if _, err := conn.Read(buf); err == nil {
		_, _ = conn.Write(buf)
	}
}

// dial shakes hands and speaks, so that tickets arrive.
func (l *listening) dial(cfg *tls.Config) (tls.ConnectionState, error) {
	tcp, err := net.DialTimeout("tcp", l.addr, patience)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer tcp.Close()
	if err := tcp.SetDeadline(time.Now().Add(patience)); err != nil {
		return tls.ConnectionState{}, err
	}
	conn := tls.Client(tcp, cfg)
	if _, err := conn.Write([]byte("a")); err != nil {
		return tls.ConnectionState{}, err
	}
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		return tls.ConnectionState{}, err
	}
	return conn.ConnectionState(), nil
}

// configFor makes the settings of a server.
func configFor(t *testing.T, s *config.Server, l *Live) *tls.Config {
	t.Helper()
	c, err := Config(s, Options{Certificates: l, Tickets: NewTickets()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
