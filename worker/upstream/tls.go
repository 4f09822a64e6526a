package upstream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"pingap/config"
	"pingap/config/pki"
	"pingap/worker/secure"
)

// maxSessions bounds the TLS sessions that an upstream remembers; each is a few KiB.
const maxSessions = 256

// Application protocols in TLS (RFC 7301).
const (
	protocolHTTP1 = "http/1.1"
	protocolHTTP2 = "h2"
)

var (
	errNoHost = errors.New("the request names no host for sni = \"$host\"")
	errNoH2   = errors.New("the backend did not agree on HTTP/2, which alpn asks for")
)

// security is how connections to the backends of one upstream are encrypted. It never changes, but for
// what the cache remembers.
type security struct {
	base     *tls.Config // ServerName, NextProtos and ClientSessionCache are each connection's own
	name     string      // sni, where it is the same for all
	perHost  bool        // sni is $host
	sessions tls.ClientSessionCache
	buffers  *secure.Buffers
	limit    time.Duration // of a handshake; 0 is none
	total    time.Duration // of connecting and handshake; 0 is none, then limit holds
}

// newSecurity reads the keys of an upstream that are about TLS; nil without sni.
func newSecurity(cfg *config.Upstream, buffers *secure.Buffers) (*security, error) {
	if cfg.SNI == "" {
		return nil, nil
	}
	if buffers == nil {
		buffers = new(secure.Buffers)
	}
	s := &security{
		base:     &tls.Config{InsecureSkipVerify: !cfg.VerifyCert, DynamicRecordSizingDisabled: true},
		name:     strings.TrimSuffix(strings.ToLower(cfg.SNI), "."),
		perHost:  cfg.SNI == hostVariable,
		sessions: tls.NewLRUClientSessionCache(maxSessions),
		buffers:  buffers,
		limit:    cfg.ConnectionTimeout.Std(),
		total:    cfg.TotalConnectionTimeout.Std(),
	}
	if cfg.CA != "" {
		authorities, err := pki.Authorities(cfg.Files.Text("ca", cfg.CA))
		if err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
		s.base.RootCAs = x509.NewCertPool()
		for _, authority := range authorities {
			s.base.RootCAs.AddCert(authority)
		}
	}
	if cfg.ClientCert != "" {
		key := cfg.Files.Text("client_key", cfg.ClientKey.Reveal())
		pair, err := pki.Pair(cfg.Files.Text("client_cert", cfg.ClientCert), key)
		if err != nil {
			return nil, fmt.Errorf("client_cert and client_key: %w", err)
		}
		s.base.Certificates = []tls.Certificate{*pair}
	}
	return s, nil
}

// handshake makes a connected c a TLS connection. offers are the protocols to choose from.
func (s *security) handshake(ctx context.Context, c *Conn, t *Target, started int64, offers []string) error {
	u := c.Backend.owner
	name := s.nameFor(t)
	if name == "" && !s.base.InsecureSkipVerify {
		return &ConnectError{Kind: TLSFailed, Addr: c.Backend.Addr, Err: errNoHost}
	}
	begin := u.now()
	if limit := s.left(begin - started); limit != 0 {
		limited, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		ctx = limited
	}
	cfg := s.base.Clone()
	cfg.ServerName, cfg.NextProtos = name, offers
	cfg.ClientSessionCache = sessions{s.sessions, c.Backend.Addr}
	c.Secure = s.buffers.Client(c.Conn, c.Raw, cfg)
	c.Conn = c.Secure
	if err := c.Secure.Handshake(ctx); err != nil {
		failure := handshakeError(c.Backend.Addr, err)
		u.warnTLS(c.Backend, name, failure)
		return failure
	}
	c.Handshake = u.now() - begin
	c.Secure.SetWriteLimit(u.WriteTimeout)
	state := c.Secure.ConnectionState()
	c.H2 = state.NegotiatedProtocol == protocolHTTP2
	c.Resumed = state.DidResume
	if !c.H2 && !slices.Contains(offers, protocolHTTP1) {
		failure := &ConnectError{Kind: TLSFailed, Addr: c.Backend.Addr, Err: errNoH2}
		u.warnTLS(c.Backend, name, failure)
		return failure
	}
	return nil
}

func (s *security) nameFor(t *Target) string {
	switch {
	case !s.perHost:
		return s.name
	case t == nil:
		return ""
	}
	return string(t.key[:t.name])
}

// left is how long the handshake may take after connecting took so long; 0 is no limit.
func (s *security) left(took int64) time.Duration {
	if s.total == 0 {
		return s.limit
	}
	return max(s.total-time.Duration(took), time.Millisecond)
}

// handshakeError classifies the failure of a handshake.
func handshakeError(addr string, err error) *ConnectError {
	e := &ConnectError{Kind: TLSFailed, Addr: addr, Err: fmt.Errorf("TLS handshake: %w", err)}
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &certificate):
		e.Kind = BadCertificate
	case errors.Is(err, context.Canceled):
		e.Kind = Other
	case kindOf(err) == Timeout:
		e.Kind = TLSTimeout
	}
	return e
}

// sessions keeps the sessions of one backend apart from those of others with the same name, whose
// tickets it could not read.
type sessions struct {
	tls.ClientSessionCache
	addr string
}

func (s sessions) Get(key string) (*tls.ClientSessionState, bool) {
	return s.ClientSessionCache.Get(s.addr + " " + key)
}

func (s sessions) Put(key string, state *tls.ClientSessionState) {
	s.ClientSessionCache.Put(s.addr+" "+key, state)
}
