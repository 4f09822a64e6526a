package acme

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/idna"

	"pingap/config"
)

// LetsEncrypt is the directory that an empty one, and the word lets_encrypt, stand for.
const LetsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"

// The challenges that a Wanted may name.
const (
	HTTP01    = "http-01"
	TLSALPN01 = "tls-alpn-01"
	DNS01     = "dns-01"
)

// maxDomains is how many names a CA puts into one certificate.
const maxDomains = 100

// Wanted is a certificate of the configuration that is to come from a CA.
type Wanted struct {
	// Name is its table in the configuration.
	Name string
	// Domains are the names in it, in any order and case, also in Unicode; one at least, 100 at most.
	Domains []string
	// Directory is the URL of the CA's directory (https); empty or lets_encrypt is Let's Encrypt.
	Directory string
	// CA is PEM of the certificates that the directory's own certificate is verified with; empty takes the system's.
	CA []byte
	// Email is told to the CA as a contact; may be empty.
	Email string
	// EABKid and EABKey (base64url, as CAs hand it out) bind the account to one elsewhere; both or none.
	EABKid string
	EABKey config.Secret
	// Challenge is http-01 (also if empty), tls-alpn-01 or dns-01.
	Challenge string
	// DNSProvider is cf, ali, tencent, huawei or manual (also if empty), with DNSServiceURL as docs/acme.md
	// describes it. Both are for dns-01 only.
	DNSProvider   string
	DNSServiceURL config.Secret
	// BufferDays is how many days before its end the certificate is renewed. 0: 30 days, but at most a third of its
	// lifetime. It is never more than half of the lifetime.
	BufferDays int
}

// normal returns the wish with defaults filled in and names in the form that DNS has, or why it cannot be fulfilled.
func (w Wanted) normal() (Wanted, error) {
	if w.Directory == "" || !strings.Contains(w.Directory, "://") {
		w.Directory = LetsEncrypt
	}
	if u, err := url.Parse(w.Directory); err != nil || u.Scheme != "https" || u.Host == "" {
		return w, errors.New("the directory is not an https URL")
	}
	if w.Challenge == "" {
		w.Challenge = HTTP01
	}
	if !slices.Contains([]string{HTTP01, TLSALPN01, DNS01}, w.Challenge) {
		return w, fmt.Errorf("unknown challenge %q", w.Challenge)
	}
	domains, err := normalDomains(w.Domains)
	if err != nil {
		return w, err
	}
	w.Domains = domains
	if w.Challenge != DNS01 && slices.ContainsFunc(domains, isWildcard) {
		return w, errors.New("a wildcard needs dns-01")
	}
	if (w.EABKid == "") != (w.EABKey == "") {
		return w, errors.New("an external account needs its key id and its key")
	}
	if _, err := w.eabKey(); err != nil {
		return w, err
	}
	return w, nil
}

func isWildcard(name string) bool { return strings.HasPrefix(name, "*.") }

// eabKey is the key of the external account; CAs hand it out with and without padding, and in both alphabets.
func (w Wanted) eabKey() ([]byte, error) {
	text := strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(w.EABKey.Reveal()), "=")
	key, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, errors.New("the key of the external account is not base64") // its text is a secret
	}
	return key, nil
}

// normalDomains returns names in lower case and ASCII, sorted, each once.
func normalDomains(names []string) ([]string, error) {
	var out []string
	for _, n := range names {
		d, err := normalDomain(n)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	slices.Sort(out)
	out = slices.Compact(out)
	if len(out) == 0 {
		return nil, errors.New("no domains")
	}
	if len(out) > maxDomains {
		return nil, fmt.Errorf("%d domains, limit %d", len(out), maxDomains)
	}
	return out, nil
}

func normalDomain(name string) (string, error) {
	name = strings.TrimSuffix(strings.TrimSpace(name), ".")
	if _, err := netip.ParseAddr(name); err == nil {
		return "", fmt.Errorf("%s is an address, not a name", name)
	}
	star, rest := "", name
	if isWildcard(name) {
		star, rest = "*.", name[2:]
	}
	ascii, err := idna.Lookup.ToASCII(rest)
	if err != nil || ascii == "" || len(ascii) > 253 || strings.Contains(ascii, "*") {
		return "", fmt.Errorf("%q is no name that a certificate can have", name)
	}
	return star + ascii, nil
}

// id names the stored certificate: it is the same for the same names from the same CA, whatever the table is called.
func (w Wanted) id() string {
	return digest(append([]string{w.Directory}, w.Domains...)...)
}

// setID names the set of names, which CAs count duplicates by.
func (w Wanted) setID() string { return digest(w.Domains...) }

// accountID names the account: one for each CA, and for each external account there.
func (w Wanted) accountID() string { return digest(w.Directory, w.EABKid) }

// settings is a fingerprint of everything that decides whether an attempt succeeds. When it changes, the back-off starts
// anew: somebody has mended something.
func (w Wanted) settings() string {
	return digest(w.Directory, string(w.CA), w.Email, w.EABKid, w.EABKey.Reveal(), w.Challenge, w.DNSProvider, w.DNSServiceURL.Reveal())
}

// digest is short enough for a file name, and long enough not to collide.
func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s\n", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
