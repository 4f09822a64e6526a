package config

import (
	"crypto/x509"
	"time"

	"pingap/config/pki"
)

// CertificateInfo is what there is to know of a certificate that is no secret.
type CertificateInfo struct {
	Name      string    `json:"name"`    // of its table
	Domains   []string  `json:"domains"` // in the certificate
	Source    string    `json:"source"`  // the file it was read from; inline where it stands in the configuration
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	Issuer    string    `json:"issuer"`
	Serial    string    `json:"serial"`   // in hexadecimal
	KeyType   string    `json:"key_type"` // rsa, ecdsa or ed25519
	Default   bool      `json:"default,omitempty"`
	CA        bool      `json:"ca,omitempty"`
}

// Info reads the certificate; false where it has none, such as one that is yet to be issued.
func (c *Certificate) Info() (CertificateInfo, bool) {
	chain, err := pki.Certificates(c.CertPEM())
	if err != nil {
		return CertificateInfo{}, false
	}
	return c.InfoOf(chain[0]), true
}

// InfoOf describes a certificate of the table.
func (c *Certificate) InfoOf(leaf *x509.Certificate) CertificateInfo {
	info := CertificateInfo{Name: c.Name, Domains: pki.Names(leaf), Source: "inline", NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter,
		Issuer: leaf.Issuer.String(), Serial: leaf.SerialNumber.Text(16), KeyType: pki.KeyType(leaf), Default: c.IsDefault, CA: c.IsCA}
	if file, ok := c.Files["tls_cert"]; ok {
		info.Source = file.Path
	}
	return info
}
