package health

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"

	"pingap/config"
	"pingap/config/pki"
)

// Compiled is how the backends of an upstream are checked. It never changes.
type Compiled struct {
	config.HealthCheck
	initial string // health_initial
	same    string // equal for checks that do the same
	tls     *tls.Config
}

// Kinds of health_initial.
const (
	firstResult  = "first_result"
	firstSuccess = "first_success"
)

// Compile reads what an upstream says about health checks.
func Compile(u *config.Upstream) (*Compiled, error) {
	check, err := u.Health()
	if err != nil {
		return nil, fmt.Errorf("health_check: %w", err)
	}
	c := &Compiled{HealthCheck: check, initial: u.HealthInitial}
	material := []any{check, u.HealthInitial}
	if c.usesTLS() {
		ca, certificate, key := u.Files.Text("ca", u.CA), u.Files.Text("client_cert", u.ClientCert), u.Files.Text("client_key", u.ClientKey.Reveal())
		if c.tls, err = c.tlsConfig(u, ca, certificate, key); err != nil {
			return nil, err
		}
		material = append(material, u.VerifyCert, ca, certificate) // the key belongs to the certificate
	}
	same, err := json.Marshal(material)
	if err != nil {
		return nil, err
	}
	c.same = string(same)
	return c, nil
}

// usesTLS says whether the connections of checks are encrypted.
func (c *Compiled) usesTLS() bool {
	return c.Scheme == config.HealthHTTPS || c.Scheme == config.HealthGRPC && c.TLS
}

func (c *Compiled) tlsConfig(u *config.Upstream, ca, certificate, key []byte) (*tls.Config, error) {
	t := &tls.Config{ServerName: c.ServerName(), InsecureSkipVerify: true}
	if c.Scheme == config.HealthGRPC {
		t.NextProtos = []string{"h2"}
		if u.VerifyCert && len(ca) > 0 {
			authorities, err := pki.Authorities(ca)
			if err != nil {
				return nil, fmt.Errorf("ca: %w", err)
			}
			t.InsecureSkipVerify, t.RootCAs = false, x509.NewCertPool()
			for _, authority := range authorities {
				t.RootCAs.AddCert(authority)
			}
		}
	}
	if len(certificate) > 0 {
		pair, err := pki.Pair(certificate, key)
		if err != nil {
			return nil, fmt.Errorf("client_cert and client_key: %w", err)
		}
		t.Certificates = []tls.Certificate{*pair}
	}
	return t, nil
}

// byEpoll says whether checks are made without a goroutine of their own.
func (c *Compiled) byEpoll() bool {
	return c.Scheme == config.HealthTCP || c.Scheme == config.HealthHTTP
}
