package pki

import (
	"crypto/tls"
	"slices"
	"strings"
)

// suite is a cipher suite that Go has. groups are the words of OpenSSL that stand for sets it is in.
type suite struct {
	id     uint16
	name   string // OpenSSL's
	groups string
}

// suites are those up to TLS 1.2, best first.
func suites() []suite {
	const (
		ecdsa = " ECDHE EECDH kECDHE kEECDH ECDH aECDSA ECDSA "
		ecRSA = " ECDHE EECDH kECDHE kEECDH ECDH aRSA "
		kRSA  = " RSA kRSA aRSA "
		gcm   = "AES AESGCM TLSv1.2 HIGH "
		cbc12 = "AES CBC TLSv1.2 HIGH "
		cbc   = "AES CBC SHA SHA1 HIGH "
		des   = "3DES CBC SHA SHA1 SSLv3 MEDIUM "
		rc4   = "RC4 SHA SHA1 MEDIUM "
	)
	return []suite{
		{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "ECDHE-ECDSA-AES128-GCM-SHA256", ecdsa + gcm + "AES128 SHA256 "},
		{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "ECDHE-RSA-AES128-GCM-SHA256", ecRSA + gcm + "AES128 SHA256 "},
		{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "ECDHE-ECDSA-AES256-GCM-SHA384", ecdsa + gcm + "AES256 SHA384 "},
		{tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "ECDHE-RSA-AES256-GCM-SHA384", ecRSA + gcm + "AES256 SHA384 "},
		{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-ECDSA-CHACHA20-POLY1305", ecdsa + "CHACHA20 TLSv1.2 HIGH SHA256 "},
		{tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-RSA-CHACHA20-POLY1305", ecRSA + "CHACHA20 TLSv1.2 HIGH SHA256 "},
		{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, "ECDHE-ECDSA-AES128-SHA256", ecdsa + cbc12 + "AES128 SHA256 "},
		{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256, "ECDHE-RSA-AES128-SHA256", ecRSA + cbc12 + "AES128 SHA256 "},
		{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, "ECDHE-ECDSA-AES128-SHA", ecdsa + cbc + "AES128 TLSv1 TLSv1.0 "},
		{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, "ECDHE-RSA-AES128-SHA", ecRSA + cbc + "AES128 TLSv1 TLSv1.0 "},
		{tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, "ECDHE-ECDSA-AES256-SHA", ecdsa + cbc + "AES256 TLSv1 TLSv1.0 "},
		{tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, "ECDHE-RSA-AES256-SHA", ecRSA + cbc + "AES256 TLSv1 TLSv1.0 "},
		{tls.TLS_RSA_WITH_AES_128_GCM_SHA256, "AES128-GCM-SHA256", kRSA + gcm + "AES128 SHA256 "},
		{tls.TLS_RSA_WITH_AES_256_GCM_SHA384, "AES256-GCM-SHA384", kRSA + gcm + "AES256 SHA384 "},
		{tls.TLS_RSA_WITH_AES_128_CBC_SHA256, "AES128-SHA256", kRSA + cbc12 + "AES128 SHA256 "},
		{tls.TLS_RSA_WITH_AES_128_CBC_SHA, "AES128-SHA", kRSA + cbc + "AES128 SSLv3 "},
		{tls.TLS_RSA_WITH_AES_256_CBC_SHA, "AES256-SHA", kRSA + cbc + "AES256 SSLv3 "},
		{tls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA, "ECDHE-RSA-DES-CBC3-SHA", ecRSA + des},
		{tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, "DES-CBC3-SHA", kRSA + des},
		{tls.TLS_ECDHE_ECDSA_WITH_RC4_128_SHA, "ECDHE-ECDSA-RC4-SHA", ecdsa + rc4},
		{tls.TLS_ECDHE_RSA_WITH_RC4_128_SHA, "ECDHE-RSA-RC4-SHA", ecRSA + rc4},
		{tls.TLS_RSA_WITH_RC4_128_SHA, "RC4-SHA", kRSA + rc4},
	}
}

// newSuites are those of TLS 1.3, of which Go always offers all.
const newSuites = " TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256 "

// emptyGroups are OpenSSL's words for suites of which Go has none.
const emptyGroups = " aNULL eNULL NULL EXP EXPORT EXPORT40 EXPORT56 LOW DES MD5 PSK kPSK aPSK kECDHEPSK kDHEPSK kRSAPSK SRP kSRP aSRP" +
	" DSS aDSS DHE EDH kDHE kEDH DH kDH ADH AECDH aDH kDHr kDHd kECDH kECDHe kECDHr aECDH CAMELLIA CAMELLIA128 CAMELLIA256" +
	" ARIA ARIA128 ARIA256 ARIAGCM SEED IDEA RC2 AESCCM AESCCM8 SSLv2 GOST94 GOST89 GOST89MAC aGOST aGOST01 kGOST KRB5 COMPLEMENTOFDEFAULT" +
	" COMPLEMENTOFALL SUITEB128 SUITEB192 "

// has says whether a word names the suite or a group that it is in.
func (s *suite) has(word string) bool {
	return s.name == word || tls.CipherSuiteName(s.id) == word || strings.Contains(s.groups, " "+word+" ")
}

// meant says whether a word that adds may add the suite: nobody who writes ECDHE or ALL means RC4.
func (s *suite) meant(words []string) bool {
	if !strings.Contains(s.groups, " MEDIUM ") {
		return true
	}
	for _, word := range words {
		if word == "MEDIUM" || word == "RC4" || word == "3DES" || word == s.name || word == tls.CipherSuiteName(s.id) {
			return true
		}
	}
	return false
}

// usual are the suites that DEFAULT means: those that crypto/tls does not warn of.
func (s *suite) usual() bool {
	return slices.ContainsFunc(tls.CipherSuites(), func(c *tls.CipherSuite) bool { return c.ID == s.id })
}

// CipherName is OpenSSL's name of a suite, empty for one that Go does not have.
func CipherName(id uint16) string {
	if name := tls.CipherSuiteName(id); strings.Contains(newSuites, " "+name+" ") {
		return name
	}
	for _, s := range suites() {
		if s.id == id {
			return s.name
		}
	}
	return ""
}

// FitHTTP2 says whether one of the suites is good enough for HTTP/2 over TLS 1.2 (RFC 9113, section 9.2.2): ephemeral keys and
// authenticated encryption.
func FitHTTP2(ids []uint16) bool {
	for _, s := range suites() {
		if slices.Contains(ids, s.id) && s.has("ECDHE") && (s.has("AESGCM") || s.has("CHACHA20")) {
			return true
		}
	}
	return false
}
