package pki

import (
	"crypto/tls"
	"strings"
)

// Version reads OpenSSL's name of a TLS version. As Pingap does it, any word but TLSv1.1 and TLSv1.3 is 1.2; known says
// whether it was one of the three.
func Version(text string) (version uint16, known bool) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "tlsv1.1":
		return tls.VersionTLS11, true
	case "tlsv1.2":
		return tls.VersionTLS12, true
	case "tlsv1.3":
		return tls.VersionTLS13, true
	}
	return tls.VersionTLS12, false
}

// VersionName is OpenSSL's name of a version.
func VersionName(version uint16) string {
	switch version {
	case tls.VersionTLS10:
		return "TLSv1"
	case tls.VersionTLS11:
		return "TLSv1.1"
	case tls.VersionTLS12:
		return "TLSv1.2"
	case tls.VersionTLS13:
		return "TLSv1.3"
	}
	return ""
}
