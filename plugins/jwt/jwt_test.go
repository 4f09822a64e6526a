package jwt

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	lib "github.com/golang-jwt/jwt/v5"

	"pingap/plugins"
	"pingap/plugins/plugintest"
)

const byHeader = "header = \"Authorization\"\n"

// keys are made once, RSA keys take long.
var keys = sync.OnceValue(func() map[string]crypto.Signer {
	small, _ := rsa.GenerateKey(rand.Reader, 1024)
	big, _ := rsa.GenerateKey(rand.Reader, 2048)
	other, _ := rsa.GenerateKey(rand.Reader, 2048)
	p256, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	p521, _ := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	p224, _ := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	return map[string]crypto.Signer{"small": small, "rsa": big, "other": other, "p224": p224, "p256": p256, "p384": p384, "p521": p521, "ed": ed}
})

func publicPEM(name string) string {
	der, err := x509.MarshalPKIXPublicKey(keys()[name].Public())
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// signed makes a token; edits change its header.
func signed(t testing.TB, algorithm string, key any, claims lib.MapClaims, edits ...map[string]any) string {
	t.Helper()
	token := lib.NewWithClaims(lib.GetSigningMethod(algorithm), claims)
	for _, edit := range edits {
		for name, value := range edit {
			token.Header[name] = value
		}
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func soon() int64 { return time.Now().Add(time.Hour).Unix() }

func decide(t testing.TB, x *plugins.Instance, token string) string {
	t.Helper()
	return said(x.Decider.Decide(plugintest.New(t, "GET /\nAuthorization: Bearer "+token)))
}

// said is the body of an answer behind its constant part; empty for a request that passed.
func said(d plugins.Decision) string {
	if d.Answer == nil {
		return ""
	}
	if d.Answer.Status != 401 || !strings.HasPrefix(plugintest.Field(d.Answer, "WWW-Authenticate"), "Bearer") {
		return fmt.Sprintf("%+v", d.Answer)
	}
	return strings.TrimPrefix(string(d.Answer.Body), "Jwt authorization ")
}

func TestTokensWithASecret(t *testing.T) {
	hmac := func(algorithm, secret string, claims lib.MapClaims, edits ...map[string]any) string {
		return signed(t, algorithm, []byte(secret), claims, edits...)
	}
	now := time.Now().Unix()
	good := hmac("HS256", "s", lib.MapClaims{"exp": soon()})
	parts := strings.Split(good, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`))
	cases := []struct{ name, token, want string }{
		{"HS256", good, ""},
		{"HS512", hmac("HS512", "s", lib.MapClaims{"exp": soon()}), ""},
		{"HS384 is not among the usual", hmac("HS384", "s", lib.MapClaims{"exp": soon()}), "is invalid"},
		{"never ends", hmac("HS256", "s", lib.MapClaims{"sub": "a"}), ""},
		{"of the original", "eyJhbGciOiAiSFMyNTYiLCJ0eXAiOiAiSldUIn0." + strings.Split(minted(t, "HS256", `{"a":1}`), ".")[1] + "." + strings.Split(minted(t, "HS256", `{"a":1}`), ".")[2], ""},
		{"empty", "", "is missing"},
		{"two parts", parts[0] + "." + parts[1], "format is invalid"},
		{"four parts", good + ".x", "format is invalid"},
		{"another secret", hmac("HS256", "S", lib.MapClaims{}), "is invalid"},
		{"another payload", parts[0] + "." + parts[1] + "A." + parts[2], "is invalid"},
		{"no signature", parts[0] + "." + parts[1] + ".", "is invalid"},
		{"none", none + "." + parts[1] + ".", "is invalid"},
		{"None", strings.Replace(none, "bm9uZS", "Tm9uZS", 1) + "." + parts[1] + ".", "is invalid"},
		{"critical", hmac("HS256", "s", lib.MapClaims{}, map[string]any{"crit": []string{"exp"}}), "is invalid"},
		{"expired", hmac("HS256", "s", lib.MapClaims{"exp": now - 2}), "is expired"},
		{"expired and forged", hmac("HS256", "S", lib.MapClaims{"exp": now - 2}), "is invalid"},
		{"exp is a text", hmac("HS256", "s", lib.MapClaims{"exp": "never"}), "is expired"},
		{"exp is null", hmac("HS256", "s", lib.MapClaims{"exp": nil}), "is expired"},
		{"exp is a fraction", hmac("HS256", "s", lib.MapClaims{"exp": float64(soon()) + 0.5}), "is expired"},
		{"not yet", hmac("HS256", "s", lib.MapClaims{"nbf": soon()}), "is invalid"},
		{"no JSON", base64.RawURLEncoding.EncodeToString([]byte("x")) + ".x.x", "is invalid"},
		{"too long", hmac("HS256", "s", lib.MapClaims{"a": strings.Repeat("a", maxToken)}), "is invalid"},
	}
	x := plugintest.Build(t, Factory(), byHeader+`secret = "s"`)
	for _, c := range cases {
		if got := decide(t, x, c.token); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func minted(t *testing.T, algorithm, payload string) string {
	t.Helper()
	m := &mint{method: lib.GetSigningMethod(algorithm).(*lib.SigningMethodHMAC), secret: []byte("s"),
		head: []byte(base64.RawURLEncoding.EncodeToString([]byte(`{"alg": "`+algorithm+`","typ": "JWT"}`)) + ".")}
	body, err := m.answer(nil, []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(strings.TrimPrefix(string(body), `{"token": "`), `"}`)
}

// Every algorithm with every key: only those pass that fit the key, and no public key is ever taken for a secret.
func TestAlgorithmsAreThoseOfTheKey(t *testing.T) {
	fits := map[string]string{"rsa": "RS256 RS384 RS512 PS256 PS384 PS512", "p256": "ES256", "p384": "ES384", "p521": "ES512", "ed": "EdDSA"}
	tokens := map[string]string{} // by algorithm, signed with a key that it fits
	claims := lib.MapClaims{"exp": soon()}
	for key, algorithms := range fits {
		for _, algorithm := range strings.Fields(algorithms) {
			tokens[algorithm] = signed(t, algorithm, keys()[key], claims)
		}
	}
	for key, algorithms := range fits {
		x := plugintest.Build(t, Factory(), fmt.Sprintf("%spublic_key = %q", byHeader, publicPEM(key)))
		for algorithm, token := range tokens {
			want := "is invalid"
			if strings.Contains(algorithms, algorithm) {
				want = ""
			}
			if got := decide(t, x, token); got != want {
				t.Errorf("key %s, %s: got %q, want %q", key, algorithm, got, want)
			}
		}
		der, _ := x509.MarshalPKIXPublicKey(keys()[key].Public())
		for _, secret := range []string{publicPEM(key), strings.TrimSpace(publicPEM(key)), string(der), ""} {
			if got := decide(t, x, signed(t, "HS256", []byte(secret), claims)); got != "is invalid" {
				t.Errorf("key %s taken for a secret: %q", key, got)
			}
		}
		if got := decide(t, x, signed(t, "none", lib.UnsafeAllowNoneSignatureType, claims)); got != "is invalid" {
			t.Errorf("key %s, none: %q", key, got)
		}
	}
	one := plugintest.Build(t, Factory(), fmt.Sprintf("%salgorithm = \"PS256\"\npublic_key = %q", byHeader, publicPEM("rsa")))
	if got := decide(t, one, tokens["RS256"]) + decide(t, one, tokens["PS256"]); got != "is invalid" {
		t.Errorf("with one algorithm: %q", got)
	}
}

func TestTokensOfOthers(t *testing.T) {
	x := plugintest.Build(t, Factory(), fmt.Sprintf("%sissuer = \"i\"\naudience = [\"a\", \"b\"]\npublic_key = %q", byHeader, publicPEM("p256")))
	now := time.Now().Unix()
	full := func(name string, value any) lib.MapClaims {
		c := lib.MapClaims{"exp": soon(), "iss": "i", "aud": "a"}
		if c[name] = value; value == nil {
			delete(c, name)
		}
		return c
	}
	cases := []struct {
		name   string
		claims lib.MapClaims
		want   string
	}{
		{"all there", full("x", 1), ""},
		{"several audiences", full("aud", []string{"z", "b"}), ""},
		{"a little late", full("exp", now-30), ""},
		{"a little early", full("nbf", now+30), ""},
		{"late", full("exp", now-90), "is invalid"},
		{"early", full("nbf", now+90), "is invalid"},
		{"no exp", full("exp", nil), "is invalid"},
		{"exp is a text", full("exp", "x"), "is invalid"},
		{"another issuer", full("iss", "I"), "is invalid"},
		{"no issuer", full("iss", nil), "is invalid"},
		{"another audience", full("aud", "z"), "is invalid"},
		{"no audience", full("aud", nil), "is invalid"},
	}
	for _, c := range cases {
		if got := decide(t, x, signed(t, "ES256", keys()["p256"], c.claims)); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	if got := decide(t, x, "x"); got != "is invalid" {
		t.Errorf("no token: %q", got)
	}
	strict := plugintest.Build(t, Factory(), fmt.Sprintf("%sleeway = \"0s\"\npublic_key = %q", byHeader, publicPEM("p256")))
	if got := decide(t, strict, signed(t, "ES256", keys()["p256"], lib.MapClaims{"exp": now - 30})); got != "is invalid" {
		t.Errorf("without leeway: %q", got)
	}
}

func TestTheTokenIsFoundInOnePlace(t *testing.T) {
	token := signed(t, "HS256", []byte("s"), lib.MapClaims{})
	for _, c := range []struct{ place, request, want string }{
		{byHeader, "GET /\nAuthorization: " + token, ""},
		{byHeader, "GET /\nauthorization: bearer " + token, ""},
		{byHeader, "GET /\nAuthorization: Bearer", "is missing"},
		{byHeader, "GET /\nAuthorization: " + token + "\nAuthorization: " + token, "is invalid"},
		{byHeader, "GET /?Authorization=" + token + "\nCookie: Authorization=" + token, "is missing"},
		{"header = \"X-Token\"\n", "GET /\nx-token: " + token, ""},
		{"header = \"X-Token\"\ncookie = \"t\"\n", "GET /\nCookie: t=" + token, "is missing"},
		{"cookie = \"t\"\n", "GET /\nCookie: a=b; t=" + token, ""},
		{"cookie = \"t\"\nquery = \"t\"\n", "GET /?t=" + token, "is missing"},
		{"query = \"t\"\n", "GET /?a&t=" + token, ""},
		{"query = \"t\"\n", "GET /?a&t=Bearer%20" + token, "is invalid"},
	} {
		x := plugintest.Build(t, Factory(), c.place+`secret = "s"`)
		if got := said(x.Decider.Decide(plugintest.New(t, c.request))); got != c.want {
			t.Errorf("%q, %q: got %q, want %q", c.place, c.request, got, c.want)
		}
	}
}

func TestClaimsBecomeFieldsAndNobodyElseWritesThem(t *testing.T) {
	x := plugintest.Build(t, Factory(), byHeader+`secret = "s"
auth_path = "/login"
claim_headers = ["sub:X-User", "n:X-Number", "admin:X-Admin", "https://e/role: X-Role", "list:X-List", "bad:X-Bad", "gone:X-Gone"]`)
	const spoofed = "X-User: root\nx_user: root\nX_USER: root\nX-Gone: 1\nX-List: 1\nX-Other: 1"
	token := signed(t, "HS256", []byte("s"), lib.MapClaims{"sub": "alice", "n": 12345678901234567, "admin": false, "https://e/role": "r", "list": []string{"a"}, "bad": "a\r\nX-Evil: b"})
	e := plugintest.New(t, "GET /\nAuthorization: Bearer "+token+"\n"+spoofed)
	if got := said(x.Decider.Decide(e)); got != "" {
		t.Fatal(got)
	}
	e.Request.Fields.Del("Authorization")
	if got, want := plugintest.FieldText(e.Request.Fields.List()), "X-Other: 1\nX-User: alice\nX-Number: 12345678901234567\nX-Admin: false\nX-Role: r\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	e = plugintest.New(t, "POST //login\nAccept-Encoding: gzip\n"+spoofed)
	if got := said(x.Decider.Decide(e)) + plugintest.FieldText(e.Request.Fields.List()); got != "X-Other: 1\n" {
		t.Errorf("on auth_path: %q", got)
	}
}

func TestDelaysInvalidTokensOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := plugintest.Build(t, Factory(), byHeader+"secret = \"s\"\ndelay = \"2s\"")
		for token, want := range map[string]time.Duration{
			"a.b.c": 2 * time.Second, "a": 2 * time.Second, "": 0,
			signed(t, "HS256", []byte("s"), lib.MapClaims{}):         0,
			signed(t, "HS256", []byte("s"), lib.MapClaims{"exp": 1}): 0,
		} {
			start := time.Now()
			decide(t, x, token)
			if waited := time.Since(start); waited != want {
				t.Errorf("%q waited %s", token, waited)
			}
		}
	})
}

func TestKeysMayBeInFilesAndCertificates(t *testing.T) {
	template := &x509.Certificate{}
	der, err := x509.CreateCertificate(rand.Reader, template, template, keys()["p256"].Public(), keys()["p256"])
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	x := plugintest.Build(t, Factory(), fmt.Sprintf("%spublic_key = %q", byHeader, file))
	if got := decide(t, x, signed(t, "ES256", keys()["p256"], lib.MapClaims{"exp": soon()})); got != "" {
		t.Error(got)
	}
	pkcs1 := pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(keys()["rsa"].Public().(*rsa.PublicKey))})
	x = plugintest.Build(t, Factory(), fmt.Sprintf("%spublic_key = %q", byHeader, pkcs1))
	if got := decide(t, x, signed(t, "RS256", keys()["rsa"], lib.MapClaims{"exp": soon()})); got != "" {
		t.Error(got)
	}
}

func TestRefusesWrongParameters(t *testing.T) {
	private, _ := x509.MarshalPKCS8PrivateKey(keys()["p256"])
	privatePEM := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	const secret = byHeader + "secret = \"s\"\n"
	const set = byHeader + "jwks_url = \"http://127.0.0.1/\"\n"
	public := func(name string) string { return fmt.Sprintf("%spublic_key = %q\n", byHeader, publicPEM(name)) }
	const noKey = "expected an RSA key of 2048 to 8192 bits, one of the curves P-256, P-384 and P-521, or Ed25519"
	plugintest.Refused(t, Factory(), []plugintest.RefusedCase{
		{Table: `secret = "s"`, Key: "header", Message: "Jwt key or key type is not allowed empty: give header, cookie or query"},
		{Table: byHeader, Key: "secret", Message: "Jwt secret is not allowed empty: give secret, public_key or jwks_url"},
		{Table: byHeader + `algorithm = "RS256"`, Key: "public_key", Message: "RS256 needs public_key or jwks_url"},
		{Table: secret + `algorithm = "RS256"`, Key: "algorithm", Message: "RS256 does not fit secret"},
		{Table: set + `algorithm = "HS256"`, Key: "algorithm", Message: "HS256 does not fit jwks_url"},
		{Table: public("p256") + `algorithm = "ES384"`, Key: "algorithm", Message: "ES384 does not fit the public key"},
		{Table: public("p256") + `algorithm = "HS256"`, Key: "algorithm", Message: "HS256 does not fit the public key"},
		{Table: public("p256") + `secret = "s"`, Key: "public_key", Message: "cannot be used with secret: only one of secret, public_key and jwks_url may be given"},
		{Table: public("small"), Key: "public_key", Message: noKey},
		{Table: public("p224"), Key: "public_key", Message: noKey},
		{Table: fmt.Sprintf("%spublic_key = %q", byHeader, privatePEM), Key: "public_key", Message: "expected a public key or a certificate as PEM"},
		{Table: byHeader + `public_key = "/nowhere/key.pem"`, Key: "public_key", Message: "stat /nowhere/key.pem: no such file or directory"},
		{Table: secret + `auth_path = "login"`, Key: "auth_path", Message: `expected a path such as /status, without query and blanks, found "login"`},
		{Table: public("p256") + `auth_path = "/login"`, Key: "auth_path", Message: "needs secret: tokens are signed with it"},
		{Table: secret + `max_body = "2mib"`, Key: "max_body", Message: "expected 1 byte to 1mib"},
		{Table: secret + `leeway = "2h"`, Key: "leeway", Message: "expected at most 1h0m0s, found 2h0m0s"},
		{Table: secret + `claim_headers = ["sub:X-A", "sub"]`, Key: "claim_headers", Message: `entry 2: expected "claim:name"`},
		{Table: secret + `claim_headers = ["sub:Host"]`, Key: "claim_headers", Message: "entry 1: Host is written by the proxy and cannot be changed"},
		{Table: byHeader + `jwks_url = "ftp://a"`, Key: "jwks_url", Message: "expected an address such as https://id.example.com/.well-known/jwks.json, without user"},
		{Table: set + `jwks_ttl = "100ms"`, Key: "jwks_ttl", Message: "expected 1s to 7d, found 100ms"},
		{Table: secret + `delay = "1m"`, Key: "delay", Message: "expected at most 10s, found 1m0s"},
	})
}
