package config

import (
	"crypto/tls"
	"fmt"
	"strings"

	"pingap/config/internal/places"
	"pingap/config/pki"
)

// checkTLS judges what a server says about TLS, the PROXY protocol and client certificates.
func (l *loader) checkTLS(e *entry, s *Server) {
	l.checkProxyProtocol(e, s)
	if s.GlobalCertificates && len(l.config.Certificates) == 0 {
		l.warn(e.problem("no certificate is defined, every TLS handshake will fail", "global_certificates"))
	}
	l.checkVersions(e, s)
	l.checkCiphers(e, s)
	l.checkClientAuth(e, s)
	l.checkModules(e, s)
}

func (l *loader) checkVersions(e *entry, s *Server) {
	low, known := pki.Version(s.TLSMinVersion)
	if !known {
		l.warn(e.problem(fmt.Sprintf("expected TLSv1.1, TLSv1.2 or TLSv1.3, found %q; TLSv1.2 is used", clip(s.TLSMinVersion)), "tls_min_version"))
	}
	high, known := pki.Version(s.TLSMaxVersion)
	if !known {
		l.warn(e.problem(fmt.Sprintf("expected TLSv1.1, TLSv1.2 or TLSv1.3, found %q; TLSv1.2 is used", clip(s.TLSMaxVersion)), "tls_max_version"))
	}
	if low > high {
		l.fail(e.problem(fmt.Sprintf("expected at least tls_min_version, which is %s", pki.VersionName(low)), "tls_max_version"))
	}
}

func (l *loader) checkCiphers(e *entry, s *Server) {
	if s.TLSCipherList != "" {
		ids, odd, err := pki.Ciphers(s.TLSCipherList)
		l.noteAll(e, odd, "tls_cipher_list")
		switch oldest, _ := pki.Version(s.TLSMinVersion); {
		case err != nil:
			l.fail(e.problem(err.Error(), "tls_cipher_list"))
		case s.EnabledH2 && oldest < tls.VersionTLS13 && !pki.FitHTTP2(ids):
			l.warn(e.problem("with TLS 1.2 HTTP/2 needs a suite of ECDHE with AESGCM or CHACHA20 (RFC 9113, section 9.2.2)", "tls_cipher_list"))
		}
	}
	if s.TLSCiphersuites != "" {
		odd, err := pki.NewCiphers(s.TLSCiphersuites)
		l.noteAll(e, odd, "tls_ciphersuites")
		if err != nil {
			l.fail(e.problem(err.Error(), "tls_ciphersuites"))
		}
	}
}

func (l *loader) noteAll(e *entry, notes []string, key string) {
	for _, note := range notes {
		l.warn(e.problem(note, key))
	}
}

func (l *loader) checkClientAuth(e *entry, s *Server) {
	text := s.Files.Text("client_auth_ca", s.ClientAuthCA)
	if len(text) > 0 {
		if _, err := pki.Authorities(text); err != nil {
			l.fail(e.problem(s.Files.said("client_auth_ca", err), "client_auth_ca"))
		}
	}
	switch {
	case s.ClientAuth == "off" && s.ClientAuthCA != "":
		l.warn(e.problem("no effect while client_auth is off", "client_auth_ca"))
	case s.ClientAuth != "off" && s.ClientAuthCA == "":
		l.fail(e.problem("expected client_auth_ca with it, the CAs that certificates of clients must come from", "client_auth"))
	case s.ClientAuth != "off" && !s.GlobalCertificates:
		l.fail(e.problem("expected global_certificates = true with it: without TLS no client shows a certificate", "client_auth"))
	}
}

func (l *loader) checkProxyProtocol(e *entry, s *Server) {
	for i, text := range s.ProxyProtocolTrusted {
		if _, err := ParseNetwork(text); err != nil {
			l.fail(e.problem(err.Error(), "proxy_protocol_trusted", places.Element(i)))
		}
	}
	switch {
	case s.ProxyProtocol != "off" && len(s.ProxyProtocolTrusted) == 0:
		l.fail(e.problem("expected proxy_protocol_trusted with it, the networks whose word about client addresses is taken", "proxy_protocol"))
	case s.ProxyProtocol == "off" && len(s.ProxyProtocolTrusted) > 0:
		l.warn(e.problem("no effect while proxy_protocol is off", "proxy_protocol_trusted"))
	}
}

// grpcWeb is the only module there is.
const grpcWeb = "grpc-web"

// checkModules judges what grpc_web of a location needs.
func (l *loader) checkModules(e *entry, s *Server) {
	for i, name := range s.Modules {
		if name != grpcWeb {
			l.warn(e.problem(fmt.Sprintf("expected %s, found %q: it has no effect", grpcWeb, clip(name)), "modules", places.Element(i)))
		}
	}
	for i, name := range s.Locations {
		loc := l.config.Locations[name]
		if loc == nil || !loc.GRPCWeb {
			continue
		}
		if !contains(s.Modules, grpcWeb) {
			l.warn(e.problem(fmt.Sprintf("location %q has grpc_web: without modules = [%q] its gRPC-Web calls end with INTERNAL", clip(name), grpcWeb),
				"locations", places.Element(i)))
		}
		if up := l.config.Upstreams[loc.Upstream]; up != nil && !contains([]string{"H2", "H2H1"}, strings.ToUpper(up.ALPN)) {
			l.warn(l.entries[KindLocation][name].problem(fmt.Sprintf("upstream %q needs alpn = \"H2\": gRPC-Web calls end with UNAVAILABLE", clip(loc.Upstream)),
				"grpc_web"))
		}
	}
}
