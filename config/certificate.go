package config

import (
	"strings"

	"pingap/config/pki"
)

// Certificate is one table [certificates.X].
type Certificate struct {
	Name          string `toml:"-"`
	Files         Files  `toml:"-"` // that keys name
	Domains       string `toml:"domains" class:"hot" help:"Comma list of names served, *.name for all one label below; empty takes the names in the certificate."`
	TLSCert       string `toml:"tls_cert" class:"hot" file:"certificate" help:"The certificate and its chain: PEM text, a file, a directory with fullchain.pem, cert.pem, tls.crt, server.crt or cert.crt, or base64 of PEM."`
	TLSKey        Secret `toml:"tls_key" class:"hot" file:"key" help:"The private key: PEM text, a file, a directory with privkey.pem, key.pem, tls.key, server.key or cert.key, or base64 of PEM. Empty is the key in the directory of tls_cert."`
	TLSChain      string `toml:"tls_chain" class:"same" old:"true" help:"Removed by Pingap 0.11.2: the chain belongs into tls_cert. Accepted, without effect."`
	OCSPStaple    string `toml:"ocsp_staple" class:"hot" file:"der" help:"An OCSP response that is passed on to clients: a file with DER, or base64 of DER. Once it is out of date it is left out."`
	IsDefault     bool   `toml:"is_default" class:"hot" help:"Used when no other certificate fits the name the client asked for."`
	IsCA          bool   `toml:"is_ca" class:"hot" help:"The pair is a CA that signs certificates on the fly."`
	ACME          string `toml:"acme" class:"hot" help:"Request and renew the certificate: lets_encrypt, or the https URL of another CA's directory; any other text means lets_encrypt. Needs domains."`
	ACMEEmail     string `toml:"acme_email" class:"hot" help:"Address that the CA may write to."`
	ACMECAFile    string `toml:"acme_ca_file" class:"hot" file:"pem" help:"Certificates by which the CA's directory itself is verified, in place of the system's: PEM text, a file, or base64 of PEM."`
	ACMEEABKid    string `toml:"acme_eab_kid" class:"hot" help:"Key id of an external account binding."`
	ACMEEABHMAC   Secret `toml:"acme_eab_hmac" class:"hot" help:"Key of an external account binding, base64url as the CA gives it."`
	Challenge     string `toml:"challenge" class:"hot" enum:"http-01|tls-alpn-01|dns-01" help:"How ownership is proved; absent is dns-01 with dns_challenge, else http-01."`
	DNSChallenge  bool   `toml:"dns_challenge" class:"hot" help:"Prove ownership by dns-01 in place of http-01."`
	DNSProvider   string `toml:"dns_provider" class:"hot" help:"Who hosts the zone: ali, cf, tencent, huawei or manual."`
	DNSServiceURL Secret `toml:"dns_service_url" class:"hot" help:"Address and credentials of the DNS provider; $ENV:NAME takes the whole value from the environment."`
	BufferDays    int    `toml:"buffer_days" class:"hot" range:"0..65535" unit:"days" help:"How long before its end a certificate is renewed or warned about."`
	Remark        string `toml:"remark" class:"same" help:"A comment."`
}

// CertPEM is the certificate with its chain; empty where it has none, such as one that ACME is to issue.
func (c *Certificate) CertPEM() []byte { return c.Files.Text("tls_cert", c.TLSCert) }

// KeyPEM is the private key; empty as CertPEM.
func (c *Certificate) KeyPEM() []byte { return c.Files.Text("tls_key", c.TLSKey.Reveal()) }

// StapleDER is the OCSP response; empty for none.
func (c *Certificate) StapleDER() []byte {
	data := c.Files.Text("ocsp_staple", c.OCSPStaple)
	if len(data) == 0 {
		data, _ = pki.DecodeDER(c.OCSPStaple)
	}
	return pki.TrimDER(data)
}

// DomainList are the names of domains, in lower case.
func (c *Certificate) DomainList() []string {
	names := splitList(c.Domains)
	for i := range names {
		names[i] = strings.ToLower(names[i])
	}
	return names
}

// ChallengeType is how ownership is proved to ACME.
func (c *Certificate) ChallengeType() string {
	switch {
	case c.Challenge != "":
		return c.Challenge
	case c.DNSChallenge:
		return "dns-01"
	}
	return "http-01"
}
