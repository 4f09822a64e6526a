package jwt

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	lib "github.com/golang-jwt/jwt/v5"
	"go.uber.org/zap"

	"pingap/plugins"
	"pingap/plugins/plugintest"
)

// jwkOf writes a key of the test as RFC 7517 does.
func jwkOf(name string, more map[string]any) map[string]any {
	encode := base64.RawURLEncoding.EncodeToString
	var k map[string]any
	switch public := keys()[name].Public().(type) {
	case *rsa.PublicKey:
		k = map[string]any{"kty": "RSA", "n": encode(public.N.Bytes()), "e": encode(big.NewInt(int64(public.E)).Bytes())}
	case *ecdsa.PublicKey:
		point, err := public.Bytes()
		if err != nil {
			panic(err)
		}
		size := len(point) / 2
		k = map[string]any{"kty": "EC", "crv": public.Params().Name, "x": encode(point[1 : 1+size]), "y": encode(point[1+size:])}
	case ed25519.PublicKey:
		k = map[string]any{"kty": "OKP", "crv": "Ed25519", "x": encode(public)}
	}
	k["kid"] = name
	for field, value := range more {
		k[field] = value
	}
	return k
}

func setOf(keys ...map[string]any) string {
	if keys == nil {
		keys = []map[string]any{} // not null
	}
	text, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// issuer serves a key set that changes.
type issuer struct {
	*httptest.Server
	fetches atomic.Int64
	mu      sync.Mutex // guards what follows
	status  int
	body    string
	hold    chan struct{} // not nil: answers wait until it is closed
}

func newIssuer(t *testing.T, body string) *issuer {
	t.Helper()
	i := &issuer{status: 200, body: body}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.fetches.Add(1)
		i.mu.Lock()
		status, body, hold := i.status, i.body, i.hold
		i.mu.Unlock()
		if hold != nil {
			select {
			case <-hold:
			case <-r.Context().Done():
			}
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) say(status int, body string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.status, i.body = status, body
}

func (i *issuer) build(t *testing.T, more string) *plugins.Instance {
	t.Helper()
	return plugintest.Build(t, Factory(), fmt.Sprintf("%sjwks_url = %q\n%s", byHeader, i.URL, more))
}

// age makes the set of an instance older, and lets it be fetched again.
func age(x *plugins.Instance, by time.Duration) {
	s := x.Decider.(*guard).keys.(*keySet)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tried = s.tried.Add(-by)
	old := s.known.Load()
	s.known.Store(&known{keys: old.keys, at: old.at.Add(-by)})
}

func tokenOf(t *testing.T, name string, header map[string]any) string {
	t.Helper()
	algorithm := map[string]string{"rsa": "RS256", "other": "RS256", "p256": "ES256", "p384": "ES384", "p521": "ES512", "ed": "EdDSA"}[name]
	return signed(t, algorithm, keys()[name], lib.MapClaims{"exp": soon()}, map[string]any{"kid": name}, header)
}

func TestEveryKindOfKeyOfASetVerifies(t *testing.T) {
	names := []string{"rsa", "p256", "p384", "p521", "ed"}
	var all []map[string]any
	for _, name := range names {
		all = append(all, jwkOf(name, nil))
	}
	i := newIssuer(t, setOf(all...))
	x := i.build(t, "")
	for _, name := range names {
		if got := decide(t, x, tokenOf(t, name, nil)); got != "" {
			t.Errorf("%s: %s", name, got)
		}
		if got := decide(t, x, tokenOf(t, name, map[string]any{"kid": "p224"})); got != "is invalid" {
			t.Errorf("%s by another kid: %q", name, got)
		}
	}
	if got := decide(t, x, tokenOf(t, "p256", map[string]any{"kid": nil})); got != "" {
		t.Errorf("without kid, one key fits: %q", got)
	}
	if got := decide(t, x, tokenOf(t, "other", map[string]any{"kid": "rsa"})); got != "is invalid" {
		t.Errorf("another key's token: %q", got)
	}
	if n := i.fetches.Load(); n != 1 { // an unknown kid does not have it fetched again so soon
		t.Errorf("fetched %d times", n)
	}
}

func TestKeysThatAreNotForThisAreLeftOut(t *testing.T) {
	oct := map[string]any{"kty": "oct", "kid": "oct", "k": base64.RawURLEncoding.EncodeToString([]byte("s"))}
	for name, key := range map[string]map[string]any{
		"encryption": jwkOf("rsa", map[string]any{"use": "enc"}), "signing only": jwkOf("rsa", map[string]any{"key_ops": []string{"sign"}}),
		"of another algorithm": jwkOf("rsa", map[string]any{"alg": "PS256"}), "algorithm of another kind": jwkOf("rsa", map[string]any{"alg": "HS256"}),
		"small": jwkOf("small", map[string]any{"kid": "rsa"}), "no number": jwkOf("rsa", map[string]any{"n": "!"}), "exponent": jwkOf("rsa", map[string]any{"e": "AAAAAAAB"}),
		"odd type": {"kty": 5, "kid": "rsa"}, "secret": oct,
	} {
		t.Run(name, func(t *testing.T) {
			x := newIssuer(t, setOf(key)).build(t, "")
			if got := decide(t, x, tokenOf(t, "rsa", nil)); got != "is invalid" {
				t.Errorf("got %q", got)
			}
			if got := decide(t, x, signed(t, "HS256", []byte("s"), lib.MapClaims{"exp": soon()}, map[string]any{"kid": "oct"})); got != "is invalid" {
				t.Errorf("HS256: got %q", got)
			}
		})
	}
	off := jwkOf("p256", map[string]any{"x": jwkOf("p256", nil)["y"]})
	if keys, err := parseKeys([]byte(setOf(off, jwkOf("p384", nil))), publicAlgorithms()); err != nil || len(keys) != 1 || keys[0].kid != "p384" {
		t.Errorf("a point that is not on the curve: %v, %v", keys, err)
	}
	narrow := newIssuer(t, setOf(jwkOf("rsa", nil), jwkOf("p256", nil))).build(t, `algorithm = "ES256"`)
	if got := decide(t, narrow, tokenOf(t, "rsa", nil)) + decide(t, narrow, tokenOf(t, "p256", nil)); got != "is invalid" {
		t.Errorf("one algorithm: %q", got)
	}
}

func TestKeysRotate(t *testing.T) {
	i := newIssuer(t, setOf(jwkOf("rsa", nil)))
	x := i.build(t, "")
	check := func(step, name, want string, fetches int64) {
		t.Helper()
		if got := decide(t, x, tokenOf(t, name, nil)); got != want || i.fetches.Load() != fetches {
			t.Errorf("%s: got %q after %d fetches, want %q after %d", step, got, i.fetches.Load(), want, fetches)
		}
	}
	check("first", "rsa", "", 1)
	i.say(200, setOf(jwkOf("p256", nil)))
	check("old key in time", "rsa", "", 1)
	check("unknown kid too soon", "p256", "is invalid", 1)
	age(x, 11*time.Second)
	check("unknown kid", "p256", "", 2)
	check("key that is gone", "rsa", "is invalid", 2)
	i.say(200, setOf(jwkOf("ed", nil)))
	age(x, time.Hour)
	check("too old", "p256", "is invalid", 3)
	check("new key", "ed", "", 3)
}

func TestKnownKeysServeOnWhileTheSetCannotBeFetched(t *testing.T) {
	i := newIssuer(t, setOf(jwkOf("rsa", nil)))
	x := i.build(t, `jwks_ttl = "1m"`)
	if got := decide(t, x, tokenOf(t, "rsa", nil)); got != "" {
		t.Fatal(got)
	}
	many := make([]map[string]any, maxKeys+1)
	for n := range many {
		many[n] = map[string]any{"kty": "oct"}
	}
	for n, bad := range []struct {
		status int
		body   string
	}{{500, setOf()}, {302, setOf()}, {200, "{"}, {200, "{}"}, {200, `{"keys": 1}`}, {200, setOf(many...)}, {200, setOf() + strings.Repeat(" ", maxSet)}} {
		i.say(bad.status, bad.body)
		age(x, time.Hour)
		got := decide(t, x, tokenOf(t, "rsa", nil))
		set := x.Decider.(*guard).keys.(*keySet)
		set.fetches.Wait() // after a failure nobody waits for the next fetch
		if got != "" || i.fetches.Load() != int64(n+2) {
			t.Errorf("%d %.20q: got %q after %d fetches", bad.status, bad.body, got, i.fetches.Load())
		}
	}
	i.say(200, setOf()) // revoked
	age(x, time.Hour)
	decide(t, x, tokenOf(t, "rsa", nil))
	x.Decider.(*guard).keys.(*keySet).fetches.Wait()
	if got := decide(t, x, tokenOf(t, "rsa", nil)); got != "is invalid" {
		t.Errorf("an empty set: %q", got)
	}
}

func TestOneFetchAtATime(t *testing.T) {
	i := newIssuer(t, setOf(jwkOf("p256", nil)))
	i.hold = make(chan struct{})
	x := i.build(t, `jwks_ttl = "1s"`)
	token := tokenOf(t, "p256", nil)
	results := make(chan string, 20)
	for range cap(results) {
		e := plugintest.New(t, "GET /\nAuthorization: Bearer "+token)
		go func() { results <- said(x.Decider.Decide(e)) }()
	}
	age(x, time.Hour) // even if time passes
	close(i.hold)
	for range cap(results) {
		if got := <-results; got != "" {
			t.Errorf("got %q", got)
		}
	}
	if n := i.fetches.Load(); n > 2 { // one, or a second where the first ended before somebody asked
		t.Errorf("fetched %d times", n)
	}
}

func TestInAWorkerTheSetIsFetchedAtOnceAndClosingEndsThat(t *testing.T) {
	i := newIssuer(t, setOf(jwkOf("p256", nil)))
	i.hold = make(chan struct{}) // never
	x := plugintest.Serve(t, Factory(), fmt.Sprintf("%sjwks_url = %q", byHeader, i.URL), &plugins.Services{Log: zap.NewNop()})
	waiting := make(chan string)
	e := plugintest.New(t, "GET /\nAuthorization: Bearer "+tokenOf(t, "p256", nil))
	go func() { waiting <- said(x.Decider.Decide(e)) }()
	start := time.Now()
	if err := x.Close(); err != nil {
		t.Error(err)
	}
	if got := <-waiting; got != "is invalid" {
		t.Errorf("got %q", got)
	}
	if waited := time.Since(start); waited > fetchTime-time.Second {
		t.Errorf("closing took %s", waited)
	}
	if got := decide(t, x, tokenOf(t, "p256", nil)); got != "is invalid" {
		t.Errorf("behind the end: %q", got)
	}
}

func TestTheIssuerIsVerified(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, setOf(jwkOf("p256", nil))) }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	for more, want := range map[string]string{"": "is invalid", fmt.Sprintf("jwks_ca = %q", ca): ""} {
		x := plugintest.Build(t, Factory(), fmt.Sprintf("%sjwks_url = %q\n%s", byHeader, s.URL, more))
		if got := decide(t, x, tokenOf(t, "p256", nil)); got != want {
			t.Errorf("%.20q: got %q", more, got)
		}
	}
}
