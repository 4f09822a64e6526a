package config

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"pingap/config/pki"
)

// checkCertificate judges one certificate. served remembers which table serves a name with which type of key.
func (l *loader) checkCertificate(e *entry, c *Certificate, served map[string]string) {
	l.checkACME(e, c)
	for _, name := range c.DomainList() {
		if !validDomain(name) {
			l.warn(e.problem(fmt.Sprintf("expected host names, *.name or IP addresses with commas between; no client asks for %q", clip(name)), "domains"))
		}
	}
	chain := l.checkChain(e, c)
	if chain == nil {
		return
	}
	l.checkKey(e, c, chain[0])
	l.checkStaple(e, c, chain[0])
	l.checkServed(e, c, chain[0], served)
}

// checkChain reads the certificate and its chain; nil where there is none to go on with.
func (l *loader) checkChain(e *entry, c *Certificate) []*x509.Certificate {
	if c.TLSCert == "" && c.TLSKey != "" {
		l.warn(e.problem("there is no tls_cert to this key, it is not used", "tls_key"))
	}
	text := c.CertPEM()
	if len(text) == 0 {
		return nil // not given, or reported where it was read
	}
	chain, err := pki.Certificates(text)
	if err != nil {
		l.fail(e.problem(c.Files.said("tls_cert", err), "tls_cert"))
		return nil
	}
	leaf := chain[0]
	switch now := time.Now(); {
	case now.After(leaf.NotAfter):
		l.warn(e.problem("the certificate has expired at "+leaf.NotAfter.UTC().Format(time.RFC3339), "tls_cert"))
	case now.Before(leaf.NotBefore):
		l.warn(e.problem("the certificate is not valid before "+leaf.NotBefore.UTC().Format(time.RFC3339), "tls_cert"))
	}
	if !pki.Ordered(chain) {
		l.warn(e.problem("the chain is out of order: expected the certificate, then its issuer, then the issuer of that", "tls_cert"))
	}
	if key, ok := leaf.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() < 2048 {
		l.warn(e.problem(fmt.Sprintf("clients refuse RSA keys of %d bits, expected 2048 at least", key.N.BitLen()), "tls_cert"))
	}
	signs := leaf.KeyUsage == 0 || leaf.KeyUsage&x509.KeyUsageCertSign != 0
	if c.IsCA && (!leaf.IsCA || !leaf.BasicConstraintsValid || !signs) {
		l.fail(e.problem("expected the certificate of a CA, as is_ca is set; this one may not sign others", "tls_cert"))
	}
	return chain
}

// said names the file in which something was found.
func (f Files) said(key string, err error) string {
	if file, ok := f[key]; ok {
		return file.Path + ": " + err.Error()
	}
	return err.Error()
}

func (l *loader) checkKey(e *entry, c *Certificate, leaf *x509.Certificate) {
	if c.TLSKey == "" && c.Files["tls_key"].Path == "" {
		if c.ACME == "" { // Pingap accepts this, so it must load
			l.warn(e.problem("there is no tls_key to this certificate, it is not used", "tls_cert"))
		}
		return
	}
	text := c.KeyPEM()
	if len(text) == 0 {
		return // reported where it was read
	}
	key, err := pki.Key(text)
	if err == nil {
		err = pki.Match(leaf, key)
	}
	if err != nil {
		l.fail(e.problem(c.Files.said("tls_key", err), "tls_key"))
	}
}

func (l *loader) checkStaple(e *entry, c *Certificate, leaf *x509.Certificate) {
	der := c.StapleDER()
	if len(der) == 0 {
		return
	}
	staple, err := pki.ParseStaple(der)
	switch {
	case err != nil:
		l.fail(e.problem(c.Files.said("ocsp_staple", err), "ocsp_staple"))
	case staple.Serial == nil || staple.Serial.Cmp(leaf.SerialNumber) != 0:
		l.fail(e.problem("the OCSP response is about another certificate", "ocsp_staple"))
	case !staple.Good:
		l.warn(e.problem("the OCSP response says that the certificate is not good, it is passed on as it is", "ocsp_staple"))
	case !staple.Current(time.Now()):
		l.warn(e.problem("the OCSP response is out of date, it is not passed on", "ocsp_staple"))
	}
}

// checkServed warns where two tables serve the same name with the same type of key: the one whose name sorts last does.
func (l *loader) checkServed(e *entry, c *Certificate, leaf *x509.Certificate, served map[string]string) {
	names := c.DomainList()
	if len(names) == 0 {
		names = pki.Names(leaf)
	} else if !c.IsCA {
		l.checkCovered(e, names, leaf)
	}
	if c.IsDefault {
		names = append(names, "*")
	}
	if len(names) == 0 {
		l.warn(e.problem("the certificate names no host, and neither domains nor is_default is set: it is not used", "tls_cert"))
	}
	for _, name := range names {
		id := pki.KeyType(leaf) + " " + name
		if first, taken := served[id]; taken {
			what := fmt.Sprintf("%q is served by certificate %s as well, with the same type of key", clip(name), first)
			if name == "*" {
				what = fmt.Sprintf("certificate %s is the default as well, with the same type of key", first)
			}
			l.warn(e.problem(what + "; this one is used"))
		}
		served[id] = e.name
	}
}

// checkCovered warns about names that the certificate is not for.
func (l *loader) checkCovered(e *entry, names []string, leaf *x509.Certificate) {
	for _, name := range names {
		probe := name
		if rest, ok := strings.CutPrefix(name, "*."); ok && !contains(pki.Names(leaf), name) {
			probe = "any." + rest
		}
		if validDomain(name) && !contains(pki.Names(leaf), name) && leaf.VerifyHostname(probe) != nil {
			l.warn(e.problem(fmt.Sprintf("the certificate is not for %q, clients will refuse it", clip(name)), "domains"))
		}
	}
}

// validDomain accepts host names, *.name and IP addresses.
func validDomain(name string) bool {
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	name = strings.TrimPrefix(name, "*.")
	return name != "" && !strings.HasSuffix(name, ".") && validHost(name)
}

func (l *loader) checkACME(e *entry, c *Certificate) {
	switch strings.ToLower(strings.TrimSpace(c.DNSProvider)) {
	case "", "manual", "ali", "aliyun", "cf", "cloudflare", "tencent", "huawei":
	default:
		l.fail(e.problem(fmt.Sprintf("expected ali, cf, tencent, huawei or manual, found %q", clip(c.DNSProvider)), "dns_provider"))
	}
	if c.ACME == "" {
		return
	}
	if err := checkDirectory(c.ACME); err != nil {
		l.warn(e.problem(err.Error(), "acme"))
	}
	if len(c.DomainList()) == 0 {
		l.warn(e.problem("nothing is requested: expected the names of the certificate in domains", "acme"))
	}
	if (c.ACMEEABKid == "") != (c.ACMEEABHMAC == "") {
		l.fail(e.problem("expected acme_eab_kid and acme_eab_hmac both, or none", "acme_eab_kid"))
	}
	if _, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(c.ACMEEABHMAC.Reveal(), "=")); err != nil {
		l.fail(e.problem("expected base64url", "acme_eab_hmac"))
	}
	if text := c.Files.Text("acme_ca_file", c.ACMECAFile); len(text) > 0 {
		if _, err := pki.Authorities(text); err != nil {
			l.fail(e.problem(c.Files.said("acme_ca_file", err), "acme_ca_file"))
		}
	}
	if c.DNSChallenge && c.Challenge != "" && c.Challenge != "dns-01" {
		l.fail(e.problem("challenge and dns_challenge = true contradict each other", "challenge"))
	}
	if strings.Contains(c.Domains, "*") && c.ChallengeType() != "dns-01" {
		l.fail(e.problem(`names with * need challenge = "dns-01"`, "domains"))
	}
}

// checkDirectory judges acme: a word, or the URL of a directory.
func checkDirectory(text string) error {
	const form = "expected lets_encrypt or the https URL of a directory"
	scheme, _, isURL := strings.Cut(text, "://")
	if !isURL {
		if text == "lets_encrypt" {
			return nil
		}
		return fmt.Errorf("%s; lets_encrypt is used", form)
	}
	if u, err := url.Parse(text); err != nil || u.Host == "" || scheme != "https" {
		return fmt.Errorf("%s, found another URL; no certificate is requested", form)
	}
	return nil
}
