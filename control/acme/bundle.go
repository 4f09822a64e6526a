package acme

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"
)

// bundle is an issued certificate with its key, as it is stored.
type bundle struct {
	Name      string    `json:"name"`
	Directory string    `json:"directory"`
	Domains   []string  `json:"domains"`
	Issued    time.Time `json:"issued"`
	Chain     string    `json:"chain"` // PEM, the leaf first
	Key       string    `json:"key"`   // PEM

	leaf *x509.Certificate
}

// newBundle makes a bundle of what the CA sent, and verifies it.
func newBundle(w Wanted, chain [][]byte, key *ecdsa.PrivateKey, now time.Time) (*bundle, error) {
	b := &bundle{Name: w.Name, Directory: w.Directory, Domains: w.Domains, Issued: now.UTC()}
	var text bytes.Buffer
	for _, der := range chain {
		if err := pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: der}); err != nil {
			return nil, err
		}
	}
	b.Chain = text.String()
	var err error
	if b.Key, err = keyPEM(key); err != nil {
		return nil, err
	}
	return b, b.verify(w.Domains)
}

func keyPEM(key *ecdsa.PrivateKey) (string, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), nil
}

// verify finds the leaf: the pair must match, and every name must be in it. What the CA adds of its own is no harm.
func (b *bundle) verify(domains []string) error {
	pair, err := tls.X509KeyPair([]byte(b.Chain), []byte(b.Key))
	if err != nil {
		return fmt.Errorf("certificate and key do not fit: %w", err)
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return err
	}
	has := map[string]bool{}
	for _, name := range leaf.DNSNames {
		has[name] = true
	}
	for _, d := range domains {
		if !has[d] {
			return fmt.Errorf("the certificate is not for %s", d)
		}
	}
	b.leaf = leaf
	return nil
}

// item is what workers get, under a name of the configuration.
func (b *bundle) item(name string) Item {
	return Item{
		Kind: Certificate, Name: name, Domains: b.Domains,
		Chain: []byte(b.Chain), Key: []byte(b.Key), Expires: b.leaf.NotAfter,
	}
}
