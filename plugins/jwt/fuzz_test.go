package jwt

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"strings"
	"testing"

	lib "github.com/golang-jwt/jwt/v5"

	"pingap/plugins"
	"pingap/plugins/plugintest"
)

// No bytes are a valid token but one that was signed.
func FuzzTokensAreNotForged(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	const right = "eyJhbGciOiJIUzI1NiJ9.e30.KDuqrJoJqeAA2vwhFOWPNLoxBJ86BG1RXGPbbBW-QYk"
	segment := base64.RawURLEncoding.EncodeToString
	for _, seed := range []string{
		right, "", "..", "a.b.c", right + ".", segment([]byte(`{"alg":"none"}`)) + ".e30.", segment([]byte(`{"alg":["HS256"]}`)) + ".e30.x",
		segment([]byte(`null`)) + ".bnVsbA." + segment(make([]byte, 64)), segment([]byte(`{"alg":"ES256","kid":{}}`)) + ".e30." + segment(make([]byte, 64)),
		segment([]byte(`{"alg":"ES256","crit":["b64"],"b64":false}`)) + "." + segment([]byte(`{"exp":1e400}`)) + ".AA", strings.Repeat("[", 9000) + "..",
	} {
		f.Add(seed)
	}
	secret := plugintest.Build(f, Factory(), byHeader+`secret = "never guessed 7a1f"`).Decider.(*guard)
	public := &guard{keys: fixed{&key.PublicKey}, parser: lib.NewParser(lib.WithValidMethods([]string{"ES256"}))}
	f.Fuzz(func(t *testing.T, token string) {
		for _, g := range []*guard{secret, public} {
			if _, o := g.verify(token); o == passed || o == expired {
				t.Errorf("%q: %v", token, o)
			}
		}
	})
}

// A key set comes from outside: nothing of it breaks us, and every key of it is one that can be used.
func FuzzKeySets(f *testing.F) {
	for _, seed := range []string{"", "{}", `{"keys":[]}`, `{"keys":[null,1,{}]}`, setOf(jwkOf("rsa", nil), jwkOf("p256", nil), jwkOf("ed", nil)),
		`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"},{"kty":"RSA","n":"AA","e":"AA"},{"kty":"OKP","crv":"Ed25519","x":"AA"}]}`} {
		f.Add([]byte(seed))
	}
	method := map[string]lib.SigningMethod{}
	for _, name := range publicAlgorithms() {
		method[name] = lib.GetSigningMethod(name)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		found, err := parseKeys(data, publicAlgorithms())
		if err != nil && found != nil || len(found) > maxKeys {
			t.Errorf("%d keys, %v", len(found), err)
		}
		for _, key := range found {
			for _, algorithm := range key.algorithms {
				if err := method[algorithm].Verify("a.b", make([]byte, 64), key.key); err == nil {
					t.Errorf("%s: a signature of zeros is right", algorithm)
				}
			}
		}
	})
}

func FuzzQueriesAndFieldsHoldAToken(f *testing.F) {
	f.Add("GET", "/?t=a", "Bearer a")
	f.Add("POST", "/?t", "Bearer")
	f.Add("X", "/?t=&t=b&&", "bearer  ")
	places := []place{{query: "t"}, {header: "X-T"}, {cookie: "t"}}
	f.Fuzz(func(t *testing.T, method, target, value string) {
		e := &plugins.Exchange{}
		e.Request.SetMethod([]byte(method))
		e.Request.SetTarget([]byte(target))
		e.Request.Fields.Add("X-T", []byte(value))
		e.Request.Fields.Add("Cookie", []byte(value))
		for i := range places {
			if token, o := places[i].find(&e.Request); (o == passed) != (token != "") {
				t.Errorf("%+v: %q, %v", places[i], token, o)
			}
		}
	})
}
