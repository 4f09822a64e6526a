package jwt

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"

	"pingap/plugins"
)

// Sizes of RSA keys, in bits: RFC 7518 section 3.3, and what a signature may cost us.
const (
	minRSA = 2048
	maxRSA = 8192
)

func symmetricAlgorithms() []string { return []string{"HS256", "HS384", "HS512"} }

func publicAlgorithms() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
}

func allAlgorithms() []string { return append(symmetricAlgorithms(), publicAlgorithms()...) }

// keyring has the keys that tokens are verified with.
type keyring interface {
	// find returns the key for a kid, empty for none, and an algorithm that is allowed.
	find(kid, algorithm string) (any, error)
}

// fixed is a single key, whatever kid a token names. It fits all algorithms that are allowed.
type fixed struct{ key any }

func (f fixed) find(_, _ string) (any, error) { return f.key, nil }

// readKeys returns the keys, and the algorithms that are allowed with them.
func readKeys(p *plugins.Parameters) (keyring, []string, error) {
	algorithm := p.String("algorithm")
	var given []string
	for _, name := range []string{"secret", "public_key", "jwks_url"} {
		if p.String(name) != "" {
			given = append(given, name)
		}
	}
	switch {
	case len(given) == 0 && slices.Contains(publicAlgorithms(), algorithm):
		return nil, nil, plugins.Errorf("public_key", "%s needs public_key or jwks_url", algorithm)
	case len(given) == 0:
		return nil, nil, plugins.Errorf("secret", "Jwt secret is not allowed empty: give secret, public_key or jwks_url")
	case len(given) > 1:
		return nil, nil, plugins.Errorf(given[1], "cannot be used with %s: only one of secret, public_key and jwks_url may be given", given[0])
	}
	switch given[0] {
	case "secret":
		allowed := narrow(symmetricAlgorithms(), algorithm)
		if algorithm == "" {
			allowed = []string{"HS256", "HS512"}
		}
		return fixed{[]byte(p.String("secret"))}, allowed, misfit(allowed, algorithm, "secret")
	case "public_key":
		return readPublicKey(p, algorithm)
	}
	allowed := narrow(publicAlgorithms(), algorithm)
	if err := misfit(allowed, algorithm, "jwks_url"); err != nil {
		return nil, nil, err
	}
	set, err := newKeySet(p, allowed)
	if err != nil {
		return nil, nil, err
	}
	return set, allowed, nil
}

// misfit says that an algorithm is not one of those that fit.
func misfit(allowed []string, algorithm, what string) error {
	if len(allowed) > 0 {
		return nil
	}
	return plugins.Errorf("algorithm", "%s does not fit %s", algorithm, what)
}

// narrow leaves one of the algorithms; all if none is named.
func narrow(all []string, algorithm string) []string {
	switch {
	case algorithm == "":
		return all
	case slices.Contains(all, algorithm):
		return []string{algorithm}
	}
	return nil
}

func readPublicKey(p *plugins.Parameters, algorithm string) (keyring, []string, error) {
	data, err := p.PEM("public_key")
	if err != nil {
		return nil, nil, err
	}
	key, err := parsePublicKey(data)
	if err != nil {
		return nil, nil, plugins.Errorf("public_key", "%v", err)
	}
	fitting := algorithmsOf(key)
	if fitting == nil {
		return nil, nil, plugins.Errorf("public_key", "expected an RSA key of %d to %d bits, one of the curves P-256, P-384 and P-521, or Ed25519", minRSA, maxRSA)
	}
	allowed := narrow(fitting, algorithm)
	return fixed{key}, allowed, misfit(allowed, algorithm, "the public key")
}

var errNoPublicKey = errors.New("expected a public key or a certificate as PEM")

func parsePublicKey(data []byte) (any, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errNoPublicKey
	}
	var key any
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		var certificate *x509.Certificate
		if certificate, err = x509.ParseCertificate(block.Bytes); err == nil {
			key = certificate.PublicKey
		}
	default: // a private key above all, of which nothing may be said
		return nil, errNoPublicKey
	}
	if err != nil {
		return nil, errNoPublicKey
	}
	return key, nil
}

// algorithmsOf are the algorithms that a public key can be used with; none for one that we do not use.
func algorithmsOf(key any) []string {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits >= minRSA && bits <= maxRSA && k.E >= 3 && k.E%2 == 1 {
			return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
		}
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return []string{"ES256"}
		case elliptic.P384():
			return []string{"ES384"}
		case elliptic.P521():
			return []string{"ES512"}
		}
	case ed25519.PublicKey:
		return []string{"EdDSA"}
	}
	return nil
}
