package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"pingap/config/pki"
	"pingap/control/source"
)

// checkQuickStart refuses flags of the quick start without what they need.
func (o *options) checkQuickStart() error {
	for _, f := range []struct{ name, value string }{{"addr", o.addr}, {"domain", o.domain}, {"cert", o.cert}, {"key", o.key}} {
		if f.value != "" && o.upstream == "" {
			return usagef("--%s needs --upstream", f.name)
		}
	}
	if o.key != "" && o.cert == "" {
		return usagef("--key should be used with --cert")
	}
	return nil
}

// quickStart is the configuration that --upstream stands for: everything on
// one server goes to the given backends.
func quickStart(o *options, base source.Base) (string, error) {
	certificate, err := quickCertificate(o, base)
	if err != nil {
		return "", err
	}
	addr, secure := o.addr, ""
	if certificate != "" {
		secure = "global_certificates = true\nenabled_h2 = true\n"
	}
	switch {
	case addr == "" && certificate != "":
		addr = "0.0.0.0:443"
	case addr == "":
		addr = "0.0.0.0:80"
	}
	host := ""
	if o.domain != "" {
		host = "host = " + tomlString(strings.Join(items(o.domain), ",")) + "\n"
	}
	var backends []string
	for _, item := range items(o.upstream) {
		backends = append(backends, tomlString(item))
	}
	return fmt.Sprintf(`[servers.pingap]
addr = %s
access_log = "combined"
locations = ["pingap"]
%s
[locations.pingap]
path = "/"
upstream = "pingap"
%s
[upstreams.pingap]
addrs = [%s]
%s`, tomlString(addr), secure, host, strings.Join(backends, ", "), certificate), nil
}

// items are the parts of a comma list.
func items(list string) []string {
	var out []string
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}

// quickCertificate is the table of the certificate, empty for none.
func quickCertificate(o *options, base source.Base) (string, error) {
	if o.cert == "" && o.domain == "" {
		return "", nil
	}
	text := "\n[certificates.pingap]\nis_default = true\n"
	if o.domain != "" {
		text += "domains = " + tomlString(strings.Join(items(o.domain), ",")) + "\n"
	}
	if o.cert == "" {
		return text + "acme = \"lets_encrypt\"\n", nil
	}
	cert, err := findPEM("certificate", o.cert, pki.CertificateNames(), base)
	if err != nil {
		return "", err
	}
	key, err := quickKey(o, cert, base)
	if err != nil {
		return "", err
	}
	return text + "tls_cert = " + tomlString(cert) + "\ntls_key = " + tomlString(key) + "\n", nil
}

// quickKey finds the key of the certificate.
func quickKey(o *options, cert string, base source.Base) (string, error) {
	if o.key != "" {
		return findPEM("private key", o.key, pki.KeyNames(), base)
	}
	given, err := source.Absolute(o.cert, base)
	if err != nil {
		return "", err
	}
	if given != cert { // a directory
		return findPEM("private key", o.cert, pki.KeyNames(), base)
	}
	data, err := os.ReadFile(cert)
	if err != nil {
		return "", fmt.Errorf("certificate %s: %w", cert, err)
	}
	if !bytes.Contains(data, []byte("PRIVATE KEY-----")) {
		return "", fmt.Errorf("certificate %s has no private key in it: give --key", cert)
	}
	return cert, nil
}

// findPEM is the absolute path of a file, or of the first of the names in a directory.
func findPEM(what, path string, names []string, base source.Base) (string, error) {
	path, err := source.Absolute(path, base)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("%s %s does not exist", what, path)
	}
	if err != nil {
		return "", fmt.Errorf("%s %w", what, err)
	}
	if !info.IsDir() {
		return path, nil
	}
	for _, name := range names {
		if info, err := os.Stat(filepath.Join(path, name)); err == nil && !info.IsDir() {
			return filepath.Join(path, name), nil
		}
	}
	return "", fmt.Errorf("no %s found in %s, expected one of: %s", what, path, strings.Join(names, ", "))
}

// tomlString quotes text as a basic TOML string.
func tomlString(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
