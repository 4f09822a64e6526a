package certs

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	"pingap/config"
	"pingap/config/pki"
)

// Protocols of ALPN.
const (
	HTTP1 = "http/1.1"
	HTTP2 = "h2"
	// ACME is spoken by a CA that looks whether we own a name (RFC 8737). A connection that negotiated it is closed after the
	// handshake: there is nothing more to it.
	ACME = "acme-tls/1"
)

// Options of Config.
type Options struct {
	Certificates *Live
	Tickets      *Tickets
	// Challenge finds the certificate that answers a challenge for a name in lower case, nil for none. It may be nil itself.
	Challenge func(name string) *tls.Certificate
}

// Config makes what crypto/tls serves a server with. Certificates and ticket keys are looked up at each handshake, so it stays right
// when they change.
func Config(server *config.Server, o Options) (*tls.Config, error) {
	low, _ := pki.Version(server.TLSMinVersion)
	high, _ := pki.Version(server.TLSMaxVersion)
	c := &tls.Config{
		GetCertificate: o.Certificates.Certificate,
		MinVersion:     low, MaxVersion: high,
		NextProtos: []string{HTTP1},
		// Small records first let slow links show the beginning of a page sooner, and cost a head and an answer a dozen records
		// in place of one. nginx and HAProxy do not do it by default either.
		DynamicRecordSizingDisabled: true,
	}
	if server.EnabledH2 {
		c.NextProtos = []string{HTTP2, HTTP1}
	}
	if server.TLSCipherList != "" {
		var err error
		if c.CipherSuites, _, err = pki.Ciphers(server.TLSCipherList); err != nil {
			return nil, fmt.Errorf("tls_cipher_list: %w", err)
		}
	}
	policy, err := addClientAuth(c, server)
	if err != nil {
		return nil, err
	}
	s := &sealer{tickets: o.Tickets, policy: policy}
	c.WrapSession, c.UnwrapSession = s.wrap, s.unwrap
	addExceptions(c, o.Challenge)
	return c, nil
}

// addExceptions lets some clients be served otherwise. Where there is nothing to except, nothing is asked at a handshake.
func addExceptions(c *tls.Config, find func(name string) *tls.Certificate) {
	var without *tls.Config // HTTP/2, which needs TLS 1.2 (RFC 9113, section 9.2)
	if c.MinVersion < tls.VersionTLS12 && c.NextProtos[0] == HTTP2 {
		without = c.Clone()
		without.NextProtos = []string{HTTP1}
	}
	if find == nil && without == nil {
		return
	}
	c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if find != nil && slices.Equal(hello.SupportedProtos, []string{ACME}) {
			return challenge(find, hello.ServerName)
		}
		if without != nil && slices.Max(hello.SupportedVersions) < tls.VersionTLS12 {
			return without, nil
		}
		return nil, nil
	}
}

// addClientAuth adds what the server asks of clients' certificates. The policy names it: sessions are resumed where it is the same.
func addClientAuth(c *tls.Config, server *config.Server) (policy string, err error) {
	switch server.ClientAuth {
	case "request":
		c.ClientAuth = tls.VerifyClientCertIfGiven
	case "require":
		c.ClientAuth = tls.RequireAndVerifyClientCert
	default:
		return "", nil
	}
	text := server.Files.Text("client_auth_ca", server.ClientAuthCA)
	cas, err := pki.Authorities(text)
	if err != nil {
		return "", fmt.Errorf("client_auth_ca: %w", err)
	}
	c.ClientCAs = x509.NewCertPool()
	for _, ca := range cas {
		c.ClientCAs.AddCert(ca)
	}
	sum := sha256.Sum256(text)
	return server.ClientAuth + " " + string(sum[:]), nil
}

var errNoChallenge = errors.New("no challenge is open for that name")

// challenge answers a client that speaks only acme-tls/1.
func challenge(find func(name string) *tls.Certificate, name string) (*tls.Config, error) {
	pair := find(strings.ToLower(name))
	if pair == nil {
		return nil, errNoChallenge
	}
	return &tls.Config{Certificates: []tls.Certificate{*pair}, NextProtos: []string{ACME}, MinVersion: tls.VersionTLS12,
		SessionTicketsDisabled: true}, nil
}
