package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// maxChain bounds the certificates in one text.
const maxChain = 20

// Errors of what should be a certificate or a key.
var (
	ErrNoCertificate = errors.New("expected PEM with a certificate, found none")
	ErrNoKey         = errors.New("expected PEM with a private key, found none")
	ErrEncrypted     = errors.New("expected a private key without a passphrase, found an encrypted one")
	ErrMismatch      = errors.New("the private key does not belong to the certificate")
)

// Certificates reads all certificates of a PEM text, the leaf first; other blocks are passed over.
func Certificates(text []byte) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		if len(all) == maxChain {
			return nil, fmt.Errorf("expected at most %d certificates in one chain", maxChain)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d cannot be parsed: %w", len(all)+1, err)
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, ErrNoCertificate
	}
	return all, nil
}

// Authorities reads the certificates of CAs. There may be more of them than a chain has.
func Authorities(text []byte) ([]*x509.Certificate, error) {
	const most = 1000
	var all []*x509.Certificate
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" && block.Type != "TRUSTED CERTIFICATE" {
			continue
		}
		if len(all) == most {
			return nil, fmt.Errorf("expected at most %d certificates of CAs", most)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d cannot be parsed: %w", len(all)+1, err)
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, ErrNoCertificate
	}
	return all, nil
}

// Key reads the first private key of a PEM text: PKCS #8, PKCS #1 or SEC 1.
func Key(text []byte) (crypto.Signer, error) {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return nil, ErrNoKey
		}
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue // such as EC PARAMETERS, or a certificate in the same file
		}
		if strings.HasPrefix(block.Type, "ENCRYPTED") || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return nil, ErrEncrypted
		}
		return parseKey(block)
	}
}

func parseKey(block *pem.Block) (crypto.Signer, error) {
	var key any
	var err error
	switch block.Type {
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	if err != nil { // its text may tell of the key
		return nil, fmt.Errorf("the private key (%s) cannot be parsed", clip(block.Type))
	}
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return key, nil
	case *ecdsa.PrivateKey:
		return key, nil
	case ed25519.PrivateKey:
		return key, nil
	}
	return nil, errors.New("expected an RSA, ECDSA or Ed25519 key")
}

// Match says whether a key belongs to a certificate.
func Match(leaf *x509.Certificate, key crypto.Signer) error {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(leaf.PublicKey) {
		return ErrMismatch
	}
	return nil
}

// Pair reads a certificate, its chain and its key, as crypto/tls takes them.
func Pair(certificate, key []byte) (*tls.Certificate, error) {
	chain, err := Certificates(certificate)
	if err != nil {
		return nil, err
	}
	signer, err := Key(key)
	if err != nil {
		return nil, err
	}
	if err := Match(chain[0], signer); err != nil {
		return nil, err
	}
	pair := &tls.Certificate{PrivateKey: signer, Leaf: chain[0]}
	for _, c := range chain {
		pair.Certificate = append(pair.Certificate, c.Raw)
	}
	return pair, nil
}

// Ordered says whether each certificate of a chain was issued by the one behind it, going by their names.
func Ordered(chain []*x509.Certificate) bool {
	for i := range len(chain) - 1 {
		if !bytes.Equal(chain[i].RawIssuer, chain[i+1].RawSubject) {
			return false
		}
	}
	return true
}

// KeyType names the kind of a public key: "rsa", "ecdsa" or "ed25519"; empty for any other.
func KeyType(c *x509.Certificate) string {
	switch c.PublicKeyAlgorithm {
	case x509.RSA:
		return "rsa"
	case x509.ECDSA:
		return "ecdsa"
	case x509.Ed25519:
		return "ed25519"
	}
	return ""
}

// Names are the names and addresses that a certificate is for, in lower case.
func Names(c *x509.Certificate) []string {
	var names []string
	for _, name := range c.DNSNames {
		names = append(names, strings.ToLower(name))
	}
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

func firstBlock(data []byte) []byte {
	if block, _ := pem.Decode(data); block != nil {
		return block.Bytes
	}
	return nil
}

// clip shortens what goes into a message and keeps control characters out of it.
func clip(text string) string {
	const most = 60
	if len(text) > most {
		text = text[:most] + "..."
	}
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return '?'
		}
		return r
	}, text)
}
