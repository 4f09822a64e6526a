package e2e

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"
)

// serveFor starts a server that an example names.
func serveFor(r *readme, handler http.HandlerFunc) (url string) {
	s := httptest.NewServer(handler)
	r.Cleanup(s.Close)
	return s.URL
}

func prepareForwardAuth(r *readme, example string) string {
	url := serveFor(r, func(w http.ResponseWriter, q *http.Request) {
		switch {
		case q.Header.Get("Cookie") != "session=ann":
			w.Header().Set("Location", "/login?from="+q.Header.Get("X-Forwarded-Uri"))
			w.Header().Add("Set-Cookie", "a=1")
			w.Header().Add("Set-Cookie", "b=2")
			w.WriteHeader(http.StatusFound)
		default:
			w.Header().Set("X-User", "ann")
			w.Header().Set("X-Unasked", "yes")
		}
	})
	return replaced(r, example, "http://127.0.0.1:9091", url)
}

func exampleForwardAuth(r *readme) {
	r.answers(question{path: "/a?b=c"}, 302).field("Location", `^/login\?from=/a\?b=c$`).field("Set-Cookie", "^a=1, b=2$")
	r.passes(question{fields: []string{"Cookie: session=ann", "X-User: root", "X-Groups: admin"}}).got("X-User", "^ann$").got("X-Groups", "").got("X-Unasked", "")
}

const (
	jwtSecret = "bYkZWLBHYMdgjw5UXsmTKDoxAj6BtVJH" // of the README
	jwtKeyID  = "k1"
)

// coded is a part of a token.
func coded(r *readme, v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		r.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

func bearer(token string) []string { return []string{"Authorization: Bearer " + token} }

// jwtKey is the one of the issuer that the example names.
func jwtKey() ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat("x", ed25519.SeedSize)))
}

func prepareJWT(r *readme, example string) string {
	url := serveFor(r, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"keys": [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": %q, "x": %q}]}`, jwtKeyID,
			base64.RawURLEncoding.EncodeToString(jwtKey().Public().(ed25519.PublicKey)))
	})
	example = replaced(r, example, "https://id.example.com/.well-known", url)
	return replaced(r, example, "[locations.shop]\n", "[locations.shop]\npath = \"/shop\"\n")
}

func exampleJWT(r *readme) {
	hs := func(claims map[string]any) string {
		text := coded(r, map[string]string{"alg": "HS256", "typ": "JWT"}) + "." + coded(r, claims)
		mac := hmac.New(sha256.New, []byte(jwtSecret))
		_, _ = io.WriteString(mac, text) // never fails
		return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	later := time.Now().Add(time.Hour).Unix()
	r.answers(question{}, 401).text("^Jwt authorization is missing$").field("WWW-Authenticate", "^Bearer")
	r.answers(question{fields: bearer(hs(map[string]any{"exp": later}) + "x")}, 401).text("invalid$")
	r.answers(question{fields: bearer(hs(map[string]any{"exp": later - 7200}))}, 401).text("expired$")
	r.passes(question{fields: bearer(hs(map[string]any{"exp": later}))})

	var made struct{ Token string }
	a := r.passes(question{method: "POST", path: "/login", body: fmt.Sprintf(`{"sub": "ann", "exp": %d}`, later)}).field("Content-Type", "^application/json")
	if err := json.Unmarshal(a.body, &made); err != nil {
		r.Fatalf("%v: %s", err, a.body)
	}
	r.passes(question{fields: bearer(made.Token)})
	exampleJWTOfOthers(r, made.Token, later)
}

// exampleJWTOfOthers asks the location whose tokens somebody else makes.
func exampleJWTOfOthers(r *readme, ours string, later int64) {
	signed := func(issuer string) question {
		claims := map[string]any{"iss": issuer, "aud": "shop", "sub": "ann", "exp": later}
		text := coded(r, map[string]string{"alg": "EdDSA", "kid": jwtKeyID}) + "." + coded(r, claims)
		token := text + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(jwtKey(), []byte(text)))
		return question{path: "/shop/cart", fields: append(bearer(token), "X-User: root", "X-Email: root@example.com")}
	}
	r.passes(signed("https://id.example.com/")).got("X-User", "^ann$").got("X-Email", "")
	r.answers(signed("https://evil.example.com/"), 401).text("invalid$")
	r.answers(question{path: "/shop/cart", fields: bearer(ours)}, 401)
}
