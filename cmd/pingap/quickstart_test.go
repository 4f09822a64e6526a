package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pingap/config"
	"pingap/control"
	"pingap/control/source"
)

func TestQuickStartQuotesWhatItIsGiven(t *testing.T) {
	got, err := quickStart(&options{upstream: `a"b\c` + "\n, ,d"}, source.Base{Dir: "/"})
	if err != nil {
		t.Fatal(err)
	}
	const want = `[servers.pingap]
addr = "0.0.0.0:80"
access_log = "combined"
locations = ["pingap"]

[locations.pingap]
path = "/"
upstream = "pingap"

[upstreams.pingap]
addrs = ["a\"b\\c", "d"]
`
	if got != want {
		t.Errorf("got %s", got)
	}
}

// startOf loads what the command line stands for.
func startOf(t *testing.T, args ...string) *config.Config {
	t.Helper()
	o, _, err := serveOptions(append([]string{"--upstream", "127.0.0.1:1"}, args...), func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	job, err := surroundings{getenv: func(string) string { return "" }}.job(o)
	if err != nil {
		t.Fatal(err)
	}
	v, snapshot := control.Check(t.Context(), job, configOptions(), nil)
	if len(v.Errors) > 0 {
		t.Fatal(v.Errors)
	}
	open, err := config.OpenSnapshot(snapshot)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := open.Config()
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestQuickStartWithACertificate(t *testing.T) {
	both := filepath.Join(t.TempDir(), "both.pem")
	cert, err := os.ReadFile("testdata/tls/cert.pem")
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile("testdata/tls/key.pem")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(both, append(cert, key...), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"directory": {"--cert", "testdata/tls"}, "files": {"--cert", "testdata/tls/cert.pem", "--key", "testdata/tls/key.pem"},
		"one file": {"--cert", both}, "key in a directory": {"--cert", "testdata/tls/cert.pem", "--key", "testdata/tls"},
	} {
		cfg := startOf(t, append(args, "--domain", "A.test, b.test")...)
		s, c := cfg.Servers["pingap"], cfg.Certificates["pingap"]
		if s.Addr != "0.0.0.0:443" || !s.GlobalCertificates || !s.EnabledH2 || cfg.Locations["pingap"].Host != "A.test,b.test" {
			t.Errorf("%s: %+v", name, s)
		}
		if !c.IsDefault || strings.Join(c.DomainList(), " ") != "a.test b.test" || len(c.CertPEM()) == 0 || !strings.Contains(string(c.KeyPEM()), "PRIVATE KEY") {
			t.Errorf("%s: %v %d bytes", name, c.DomainList(), len(c.CertPEM()))
		}
	}
}

func TestQuickStartWithADomainAsksForACertificate(t *testing.T) {
	cfg := startOf(t, "--domain", "a.test", "--addr", "127.0.0.1:8443")
	if c := cfg.Certificates["pingap"]; c.ACME != "lets_encrypt" || c.Domains != "a.test" || cfg.Servers["pingap"].Addr != "127.0.0.1:8443" {
		t.Errorf("%+v", c)
	}
}

func TestQuickStartSaysWhatIsMissing(t *testing.T) {
	empty := t.TempDir()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--upstream", "a", "--cert", "/gone"}, "certificate /gone does not exist"},
		{[]string{"--upstream", "a", "--cert", empty}, "no certificate found in " + empty + ", expected one of: fullchain.pem, cert.pem, tls.crt, server.crt, cert.crt"},
		{[]string{"--upstream", "a", "--cert", "testdata/tls", "--key", "/gone"}, "private key /gone does not exist"},
		{[]string{"--upstream", "a", "--cert", "testdata/tls", "--key", empty}, "no private key found in " + empty + ", expected one of: privkey.pem, key.pem"},
		{[]string{"--upstream", "a", "--cert", "testdata/tls/cert.pem"}, "has no private key in it: give --key"},
		{[]string{"--upstream", "a", "--key", "k"}, "--key should be used with --cert"},
		{[]string{"--upstream", ""}, "--upstream should not be empty"},
		{[]string{"-c", "a", "--domain", "a"}, "--domain needs --upstream"},
		{[]string{"-c", "a", "--cert", "a"}, "--cert needs --upstream"},
	} {
		o, _, err := serveOptions(c.args, func(string) string { return "" })
		if err == nil {
			_, err = surroundings{getenv: func(string) string { return "" }}.job(o)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.args, err, c.want)
		}
	}
}
