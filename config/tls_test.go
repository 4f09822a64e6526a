package config

import (
	"strings"
	"testing"
)

func TestOddSettingsOfTLSWarn(t *testing.T) {
	for _, c := range []struct{ keys, want string }{
		{"global_certificates = true", "servers.s.global_certificates: no certificate is defined, every TLS handshake will fail"},
		{"tls_min_version = 'TLSv1'", `servers.s.tls_min_version: expected TLSv1.1, TLSv1.2 or TLSv1.3, found "TLSv1"; TLSv1.2 is used`},
		{"tls_max_version = 'SSLv3'", `servers.s.tls_max_version: expected TLSv1.1`},
		{"tls_cipher_list = 'ECDHE+AESGCM:nonsense'", `servers.s.tls_cipher_list: "nonsense" is no cipher suite`},
		{"tls_cipher_list = 'AES128-SHA'\nenabled_h2 = true", "servers.s.tls_cipher_list: with TLS 1.2 HTTP/2 needs"},
		{"tls_ciphersuites = 'TLS_AES_128_GCM_SHA256'", "servers.s.tls_ciphersuites: all cipher suites of TLS 1.3 stay on"},
		{"client_auth_ca = 'ca.pem'", "servers.s.client_auth_ca: no effect while client_auth is off"},
		{"proxy_protocol_trusted = ['10.0.0.0/8']", "servers.s.proxy_protocol_trusted: no effect while proxy_protocol is off"},
	} {
		_, report := loadText(t, "[servers.s]\naddr = '127.0.0.1:1'\n"+c.keys+"\n", testOptions())
		if got := lines(report.Warnings); len(report.Errors) > 0 || !strings.Contains(got, c.want) {
			t.Errorf("%s:\n%s%swant %s", c.keys, lines(report.Errors), got, c.want)
		}
	}
	_, report := loadText(t, "[servers.s]\naddr = '127.0.0.1:1'\ntls_cipher_list = 'HIGH:!aNULL:!MD5'\nenabled_h2 = true\n", testOptions())
	for _, p := range report.Warnings {
		if p.Key == "servers.s.tls_cipher_list" && !strings.Contains(p.Message, "not yet in effect") {
			t.Errorf("an ordinary list warns: %s", p)
		}
	}
}

func TestGRPCWebWithoutWhatItNeedsWarns(t *testing.T) {
	for _, c := range []struct{ modules, alpn, want string }{
		{"['grpc-web']", "H2", ""},
		{"['grpc-web']", "h2h1", ""},
		{"[]", "H2", `servers.s.locations[0]: location "l" has grpc_web: without modules = ["grpc-web"]`},
		{"['grpcweb']", "H2", `servers.s.modules[0]: expected grpc-web, found "grpcweb": it has no effect`},
		{"['grpc-web']", "H1", `locations.l.grpc_web: upstream "u" needs alpn = "H2"`},
	} {
		_, report := loadText(t, "[servers.s]\naddr = '127.0.0.1:1'\nlocations = ['l']\nmodules = "+c.modules+
			"\n[locations.l]\nupstream = 'u'\ngrpc_web = true\n[upstreams.u]\naddrs = ['127.0.0.1:2']\nalpn = '"+c.alpn+"'\n", testOptions())
		got := lines(report.Warnings)
		if len(report.Errors) > 0 || !strings.Contains(got, c.want) || c.want == "" && got != "" {
			t.Errorf("modules %s, alpn %s:\n%s%swant %q", c.modules, c.alpn, lines(report.Errors), got, c.want)
		}
	}
}
