package jwt

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// maxKeys bounds a key set.
const maxKeys = 256

// jwk is a key as RFC 7517 and RFC 7518 section 6 write it.
type jwk struct {
	Kty, Kid, Use, Alg, Crv string
	KeyOps                  []string `json:"key_ops"`
	N, E, X, Y              string
}

// publicKey is a key of a set, with the algorithms that it may be used with.
type publicKey struct {
	kid        string
	key        any
	algorithms []string
}

// parseKeys reads a key set. Keys that are for something else, or of a kind that we do not know, are left out.
func parseKeys(data []byte, allowed []string) ([]publicKey, error) {
	var set struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, errors.New("it is no JSON of a key set")
	}
	if set.Keys == nil {
		return nil, errors.New("it has no keys")
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("it has %d keys, at most %d are used", len(set.Keys), maxKeys)
	}
	var keys []publicKey
	for _, raw := range set.Keys {
		var k jwk
		if json.Unmarshal(raw, &k) != nil {
			continue
		}
		if key, ok := k.public(allowed); ok {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// public makes the key, if it is one for signatures that are allowed.
func (k *jwk) public(allowed []string) (publicKey, bool) {
	if k.Use != "" && k.Use != "sig" || len(k.KeyOps) > 0 && !slices.Contains(k.KeyOps, "verify") {
		return publicKey{}, false
	}
	key := k.decode()
	fitting := slices.DeleteFunc(narrow(algorithmsOf(key), k.Alg), func(a string) bool { return !slices.Contains(allowed, a) })
	return publicKey{kid: k.Kid, key: key, algorithms: fitting}, len(fitting) > 0
}

// decode returns the key; nil for one that is wrong or unknown. Secrets ("oct") are unknown: they have no place in a set that is public.
func (k *jwk) decode() any {
	switch k.Kty {
	case "RSA":
		return k.decodeRSA()
	case "EC":
		return k.decodeEC()
	case "OKP":
		if x := unbase64(k.X); k.Crv == "Ed25519" && len(x) == ed25519.PublicKeySize {
			return ed25519.PublicKey(x)
		}
	}
	return nil
}

func (k *jwk) decodeRSA() any {
	n, e := unbase64(k.N), unbase64(k.E)
	if len(n) > maxRSA/8+1 || len(e) == 0 || len(e) > 4 {
		return nil
	}
	exponent := new(big.Int).SetBytes(e).Int64()
	if exponent > 1<<31-1 {
		return nil
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(exponent)}
}

func (k *jwk) decodeEC() any {
	curve, ok := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}[k.Crv]
	if !ok {
		return nil
	}
	size := (curve.Params().BitSize + 7) / 8
	x, y := unbase64(k.X), unbase64(k.Y)
	if len(x) > size || len(y) > size {
		return nil
	}
	point := make([]byte, 1+2*size) // SEC 1 section 2.3.3, not compressed
	point[0] = 4
	copy(point[1+size-len(x):], x)
	copy(point[1+2*size-len(y):], y)
	key, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil { // above all: not on the curve
		return nil
	}
	return key
}

// unbase64 decodes base64url; some write padding. nil for what is none.
func unbase64(text string) []byte {
	data, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return nil
	}
	return data
}
