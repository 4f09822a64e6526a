package csrf

import (
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pingap/plugins"
	"pingap/plugins/plugintest"
)

const table = `token_path = "/token"
key = "k"
`

// known was made by hand: printf 'AAAAAAAAAAAA.65000000k' | openssl dgst -sha256 -binary | base64
const known = "AAAAAAAAAAAA.65000000.wfxfn+ZVDTDtBrCCeGQzO17D1HpnlC7ajHpd3GnCdX0="

func TestGivesATokenOut(t *testing.T) {
	for extra, tail := range map[string]string{"": "", "ttl = \"90s\"\n": "; Max-Age=90", "name = \"X-T\"\n": ""} {
		name := "x-csrf-token"
		if strings.HasPrefix(extra, "name") {
			name = "X-T"
		}
		x := plugintest.Build(t, Factory(), table+extra)
		for _, request := range []string{"GET /token?a", "POST //token"} {
			a := x.Decider.Decide(plugintest.New(t, request)).Answer
			if a == nil || a.Status != 204 || len(a.Body) != 0 || plugintest.Field(a, "Cache-Control") != "private, no-store" {
				t.Fatalf("%s: %+v", request, a)
			}
			form := regexp.MustCompile(`^` + name + `=[-_0-9A-Za-z]{12}\.[0-9a-f]{8}\.[A-Za-z0-9+/]{43}=; Path=/` + tail + `$`)
			if got := plugintest.Field(a, "Set-Cookie"); !form.MatchString(got) {
				t.Errorf("Set-Cookie %q", got)
			}
		}
	}
}

func TestTokensAreThoseOfTheOriginal(t *testing.T) {
	if !valid([]byte(known), []byte("k"), time.Now(), 0) {
		t.Error("a token that was made elsewhere is not valid")
	}
}

func TestOnlyRequestsWithATokenChangeSomething(t *testing.T) {
	x := plugintest.Build(t, Factory(), table)
	token, other := tokenOf(t, x), tokenOf(t, x)
	forged := token[:len(token)-5] + "AAAA="
	cases := []struct {
		name, request string
		passes        bool
	}{
		{"both", "POST /\nx-csrf-token: " + token + "\nCookie: a=b; x-csrf-token=" + token, true},
		{"any method", "DELETE /\nX-CSRF-Token: " + token + "\nCookie: x-csrf-token=" + token, true},
		{"GET", "GET /", true},
		{"HEAD", "HEAD /", true},
		{"OPTIONS", "OPTIONS /", true},
		{"nothing", "POST /", false},
		{"other method", "PROPFIND /", false},
		{"method in lower case", "get /", false},
		{"cookie only", "POST /\nCookie: x-csrf-token=" + token, false},
		{"field only", "POST /\nx-csrf-token: " + token, false},
		{"empty", "POST /\nx-csrf-token:\nCookie: x-csrf-token=", false},
		{"two tokens", "POST /\nx-csrf-token: " + token + "\nCookie: x-csrf-token=" + other, false},
		{"forged", "POST /\nx-csrf-token: " + forged + "\nCookie: x-csrf-token=" + forged, false},
		{"of another key", "POST /\nx-csrf-token: " + newToken([]byte("K"), time.Now()) + "\nCookie: x-csrf-token=" + newToken([]byte("K"), time.Now()), false},
		{"no token", "POST /\nx-csrf-token: a\nCookie: x-csrf-token=a", false},
	}
	for _, c := range cases {
		d := x.Decider.Decide(plugintest.New(t, c.request))
		if c.passes != (d.Answer == nil) {
			t.Errorf("%s: %+v", c.name, d)
		}
		if d.Answer != nil && (d.Answer.Status != 401 || string(d.Answer.Body) != "Csrf token is empty or invalid") {
			t.Errorf("%s: %d %q", c.name, d.Answer.Status, d.Answer.Body)
		}
	}
}

func TestTokensGetOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		short, forever := plugintest.Build(t, Factory(), table+"ttl = \"1m\""), plugintest.Build(t, Factory(), table)
		token := tokenOf(t, short)
		request := "POST /\nx-csrf-token: " + token + "\nCookie: x-csrf-token=" + token
		for _, step := range []struct {
			sleep  time.Duration
			passes bool
		}{{0, true}, {time.Minute, true}, {time.Second, false}} {
			time.Sleep(step.sleep)
			if d := short.Decider.Decide(plugintest.New(t, request)); step.passes != (d.Answer == nil) {
				t.Errorf("at %s: %+v", time.Now(), d)
			}
		}
		if d := forever.Decider.Decide(plugintest.New(t, request)); d.Answer != nil {
			t.Error("without ttl a token got old")
		}
		if token := newToken([]byte("k"), time.Now().Add(time.Hour)); valid([]byte(token), []byte("k"), time.Now(), time.Minute) {
			t.Error("a token of the future is valid")
		}
	})
}

func TestRefusesWrongParameters(t *testing.T) {
	const path, key = "token_path = \"/t\"\n", "key = \"k\"\n"
	plugintest.Refused(t, Factory(), []plugintest.RefusedCase{
		{Table: path + `key = ""`, Key: "key", Message: "is required: What tokens are signed with; the same on all hosts of a site."},
		{Table: key, Key: "token_path", Message: "is required: Path that is answered with a fresh token; compared whole, without the query."},
		{Table: key + `token_path = "t"`, Key: "token_path", Message: `expected a path such as /status, without query and blanks, found "t"`},
		{Table: path + key + `name = "a b"`, Key: "name", Message: `"a b" is not the name of a field`},
		{Table: path + key + `ttl = "10ms"`, Key: "ttl", Message: "expected at least 1s, or 0s for ever, found 10ms"},
		{Table: path + `key = 5`, Key: "key", Message: "expected text, found an integer"},
	})
}

func TestPassingDoesNotAllocate(t *testing.T) {
	x := plugintest.Build(t, Factory(), table)
	token := tokenOf(t, x)
	for _, request := range []string{"GET /", "POST /\nx-csrf-token: " + token + "\nCookie: x-csrf-token=" + token} {
		e := plugintest.New(t, request)
		if n := testing.AllocsPerRun(100, func() { x.Decider.Decide(e) }); n != 0 {
			t.Errorf("%q: %v allocations", request, n)
		}
	}
}

func FuzzTokensAreNotForged(f *testing.F) {
	key, now := []byte("k"), time.Unix(0x65000000, 0)
	for _, seed := range []string{known, "", ".", "..", "a.b.c", strings.Repeat("A", 12) + ".zz." + strings.Repeat("A", 44), known + ".", "." + known} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, token []byte) {
		for _, ttl := range []time.Duration{0, time.Minute} {
			if valid(token, key, now, ttl) && string(token) != known {
				t.Errorf("%q is valid", token)
			}
		}
	})
}

func tokenOf(t *testing.T, x *plugins.Instance) string {
	d := x.Decider.Decide(plugintest.New(t, "GET /token"))
	_, value, _ := strings.Cut(plugintest.Field(d.Answer, "Set-Cookie"), "=")
	token, _, _ := strings.Cut(value, ";")
	return token
}
