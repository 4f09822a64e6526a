package config

import (
	"fmt"
	"net/netip"
	"strings"

	"pingap/config/pki"
)

// checkUpstreamTLS judges what an upstream says about TLS to its backends.
func (l *loader) checkUpstreamTLS(e *entry, u *Upstream) {
	if u.SNI == "" {
		for key, set := range map[string]bool{"ca": u.CA != "", "client_cert": u.ClientCert != "", "client_key": u.ClientKey != ""} {
			if set {
				l.warn(e.problem("no effect without sni, which switches TLS to the backends on", key))
			}
		}
	} else if !validSNI(u.SNI) {
		l.fail(e.problem(fmt.Sprintf("expected a host name, an IP address or $host, found %q", clip(u.SNI)), "sni"))
	}
	if text, known := u.text("ca", u.CA); known {
		if _, err := pki.Authorities(text); err != nil {
			l.fail(e.problem(u.Files.said("ca", err), "ca"))
		}
	}
	if u.CA != "" && !u.VerifyCert {
		l.warn(e.problem("no effect with verify_cert = false, which accepts every certificate", "ca"))
	}
	l.checkClientPair(e, u)
	switch strings.ToUpper(u.ALPN) {
	case "H1", "H2", "H2H1", "":
	default:
		l.warn(e.problem(fmt.Sprintf("unknown alpn %q, H1 is used; expected H1, H2 or H2H1", clip(u.ALPN)), "alpn"))
	}
}

// text is what a key with the tag file means; known is false for a file that was not read.
func (u *Upstream) text(key, value string) (text []byte, known bool) {
	text = u.Files.Text(key, value)
	_, read := u.Files[key]
	return text, read || len(text) > 0
}

// checkClientPair judges the certificate that is shown to backends, and its key.
func (l *loader) checkClientPair(e *entry, u *Upstream) {
	switch {
	case u.ClientCert == "" && u.ClientKey == "":
		return
	case u.ClientKey == "":
		l.fail(e.problem("expected client_key with it", "client_cert"))
		return
	case u.ClientCert == "":
		l.fail(e.problem("expected client_cert with it", "client_key"))
		return
	}
	certificate, certificateKnown := u.text("client_cert", u.ClientCert)
	keyText, keyKnown := u.text("client_key", u.ClientKey.Reveal())
	if !certificateKnown || !keyKnown {
		return // reported where they were read
	}
	chain, err := pki.Certificates(certificate)
	if err != nil {
		l.fail(e.problem(u.Files.said("client_cert", err), "client_cert"))
		return
	}
	key, err := pki.Key(keyText)
	if err == nil {
		err = pki.Match(chain[0], key)
	}
	if err != nil {
		l.fail(e.problem(u.Files.said("client_key", err), "client_key"))
	}
}

// validSNI says whether a text can be sni.
func validSNI(text string) bool {
	if text == "$host" {
		return true
	}
	if _, err := netip.ParseAddr(text); err == nil {
		return true
	}
	return validHost(strings.TrimSuffix(text, "."))
}
