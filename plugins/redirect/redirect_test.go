package redirect

import (
	"strconv"
	"strings"
	"testing"

	"pingap/message"
	"pingap/plugins"
	"pingap/plugins/plugintest"
)

func TestRedirects(t *testing.T) {
	const https, prefix, both = `http_to_https = true`, `prefix = "/api"`, "http_to_https = true\nprefix = \"/api\""
	cases := []struct {
		name, table, request string
		tls                  bool
		location             string // empty: goes on
	}{
		{"to https", https, "GET /a?b=c\nHost: example.com", false, "https://example.com/a?b=c"},
		{"is https", https, "GET /a\nHost: example.com", true, ""},
		{"port is dropped", https, "GET /\nHost: example.com:8080", false, "https://example.com/"},
		{"IPv6", https, "GET /\nHost: [2001:db8::1]:80", false, "https://[2001:db8::1]/"},
		{"empty query", https, "GET /?\nHost: a", false, "https://a/?"},
		{"path is as it came", https, "GET //x/%2e%2E/y\nHost: a", false, "https://a//x/%2e%2E/y"},
		{"star", https, "OPTIONS *\nHost: example.com", false, "https://example.com/"},
		{"to http by default", ``, "GET /a\nHost: a", true, "http://a/a"},
		{"is http by default", ``, "GET /a\nHost: a", false, ""},
		{"prefix", prefix, "GET /users?x\nHost: a:81", false, "http://a/api/users?x"},
		{"has prefix", prefix, "GET /api/users\nHost: a", false, ""},
		{"has prefix in other form", prefix, "GET //%61pi/users\nHost: a", false, ""},
		{"prefix undone by dots", prefix, "GET /api/../users\nHost: a", false, "http://a/api/users"},
		{"prefix is no segment", prefix, "GET /apis\nHost: a", false, ""},
		{"star and prefix", prefix, "OPTIONS *\nHost: a", false, "http://a/api"},
		{"no leading slash", `prefix = "api"`, "GET /x\nHost: a", false, "http://a/api/x"},
		{"trailing slash", `prefix = "/api/"`, "GET /x\nHost: a", false, "http://a/api/x"},
		{"one character is none", `prefix = "x"`, "GET /a\nHost: a", false, ""},
		{"both", both, "GET /x\nHost: a", false, "https://a/api/x"},
		{"scheme wrong, prefix there", both, "GET /api/x?y\nHost: a", false, "https://a/api/x?y"},
		{"both right", both, "GET /api/x\nHost: a", true, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e := plugintest.New(t, c.request)
			if c.tls {
				e.Conn.TLS = &message.TLS{}
			}
			got := decide(t, c.table, e)
			if c.location == "" {
				if got != nil {
					t.Fatalf("redirected to %q", plugintest.Field(got, "location"))
				}
				return
			}
			if got == nil {
				t.Fatal("went on")
			}
			if location := plugintest.Field(got, "location"); location != c.location || got.Status != 307 || len(got.Body) != 0 {
				t.Errorf("answer %d, location %q, want %q", got.Status, location, c.location)
			}
		})
	}
}

func TestStatusIsConfigurable(t *testing.T) {
	for _, status := range []string{"301", "302", "307", "308"} {
		got := decide(t, "http_to_https = true\nstatus = "+status, plugintest.New(t, "GET /\nHost: a"))
		if got == nil || status != strconv.Itoa(got.Status) {
			t.Errorf("%s: %+v", status, got)
		}
	}
}

func TestNothingOfAHostReachesTheAnswerUnlessPlain(t *testing.T) {
	for _, host := range []string{"", "a\r\nSet-Cookie: x", "a/b", "a@evil.example", "a b", "a?b", "[::1", "[]", "[a/b]", "é", "a%2fb", "a\x00"} {
		e := plugintest.New(t, "GET /a")
		e.Request.Host = []byte(host)
		got := decide(t, "http_to_https = true", e)
		if got == nil || got.Status != 400 {
			t.Fatalf("host %q: %+v", host, got)
		}
		if text := plugintest.FieldText(got.Fields) + string(got.Body); host != "" && strings.Contains(text, host) {
			t.Errorf("host %q is in the answer", host)
		}
	}
}

// A client that follows must arrive, however it writes the path.
func TestFollowingARedirectEnds(t *testing.T) {
	for _, prefix := range []string{"/api", "/api/", "//api/./v1", "a%70i", "/a/../b", "/.."} {
		for _, target := range []string{"/", "//", "/../x", "/../../x", "/x/..", "/api", "/a%70i", "/api/..?q", "/./api/", "*"} {
			e := plugintest.New(t, "GET "+target+"\nHost: a")
			table := "prefix = \"" + prefix + "\""
			first := decide(t, table, e)
			if first == nil {
				continue
			}
			next := strings.TrimPrefix(plugintest.Field(first, "location"), "http://a")
			if !message.ValidTarget([]byte(next)) || next[0] != '/' {
				t.Fatalf("%s, %s: location %q", prefix, target, next)
			}
			if again := decide(t, table, plugintest.New(t, "GET "+next+"\nHost: a")); again != nil {
				t.Errorf("%s, %s: %s again to %s", prefix, target, next, plugintest.Field(again, "location"))
			}
		}
	}
}

func TestRefusesWrongParameters(t *testing.T) {
	plugintest.Refused(t, Factory(), []plugintest.RefusedCase{
		{Table: `status = 303`, Key: "status", Message: "expected 301, 302, 307 or 308, found 303"},
		{Table: `status = "301"`, Key: "status", Message: "expected an integer, found text"},
		{Table: `prefix = "/a b"`, Key: "prefix", Message: "expected the begin of a path, without query and blanks"},
		{Table: `prefix = "/a?b"`, Key: "prefix", Message: "expected the begin of a path, without query and blanks"},
		{Table: `http_to_https = 1`, Key: "http_to_https", Message: "expected true or false, found an integer"},
		{Table: `step = "proxy_upstream"`, Key: "step", Message: `redirect has no step "proxy_upstream", expected request`},
	})
}

func TestPassingDoesNotAllocate(t *testing.T) {
	x := plugintest.Build(t, Factory(), `prefix = "/api"`)
	e := plugintest.New(t, "GET /api/x\nHost: a")
	if n := testing.AllocsPerRun(100, func() { x.Decider.Decide(e) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func decide(t *testing.T, table string, e *plugins.Exchange) *plugins.Answer {
	t.Helper()
	return plugintest.Build(t, Factory(), table).Decider.Decide(e).Answer
}
