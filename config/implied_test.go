package config

import (
	"strings"
	"testing"
)

const wantsCertificate = `
[certificates.c]
acme = "lets_encrypt"
domains = "a.test"
`

func TestCertificatesImplyAServerWhereNobodyListensForTheCA(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"nobody listens":     {wantsCertificate, "0.0.0.0:80"},
		"on another port":    {"[servers.s]\naddr = '127.0.0.1:8080'\n" + wantsCertificate, "0.0.0.0:80"},
		"on port 80":         {"[servers.s]\naddr = '127.0.0.1:8080, 127.0.0.1:80'\n" + wantsCertificate, ""},
		"at the address set": {"[basic]\nacme_http_addr = '127.0.0.1:8080'\n[servers.s]\naddr = '127.0.0.1:8080'\n" + wantsCertificate, ""},
		"another address":    {"[basic]\nacme_http_addr = '127.0.0.1:5002'\n" + wantsCertificate, "127.0.0.1:5002"},
		"nowhere":            {"[basic]\nacme_http_addr = ''\n" + wantsCertificate, ""},
		"no domains":         {"[certificates.c]\nacme = 'lets_encrypt'\n", ""},
		"dns-01":             {wantsCertificate + "dns_challenge = true\n", ""},
		"tls-alpn-01":        {wantsCertificate + "challenge = 'tls-alpn-01'\n", ""},
		"no acme":            {"[certificates.c]\ndomains = 'a.test'\n", ""},
	} {
		got := ""
		if s := mustLoad(t, c.text).Servers[impliedServer]; s != nil {
			got = s.Addr
		}
		if got != c.want {
			t.Errorf("%s: listens on %q, want %q", name, got, c.want)
		}
	}
}

func TestWithoutACMENothingIsImplied(t *testing.T) {
	cfg, report := Load([]Document{{Name: "p.toml", Data: []byte(wantsCertificate)}}, Options{NoACME: true})
	if len(report.Errors) > 0 || len(cfg.Servers) > 0 {
		t.Errorf("%v, %d servers", report.Errors, len(cfg.Servers))
	}
}

func TestAnImpliedServerIsWrittenAndReadAsAnyOther(t *testing.T) {
	cfg := mustLoad(t, wantsCertificate)
	again := mustLoad(t, string(Write(cfg, true)))
	if _, a := Encode(cfg); true {
		if _, b := Encode(again); a != b {
			t.Error("written and read it is another configuration")
		}
	}
	if !strings.Contains(string(Write(cfg, true)), `acme = "lets_encrypt"`) {
		t.Error("the certificate is not written")
	}
}
