package route

import (
	"net/netip"
	"strings"
	"testing"

	"pingap/config"
	"pingap/message"
)

// record is a request as the engine hands it over; headers are "Name: value".
func record(host, target string, headers ...string) *message.Record {
	rec := &message.Record{Conn: &message.Conn{
		Remote: netip.MustParseAddrPort("192.0.2.7:50123"), Local: netip.MustParseAddrPort("198.51.100.1:8080"),
		RemoteText: []byte("192.0.2.7"),
	}}
	rec.Request.SetMethod([]byte("GET"))
	rec.Request.SetTarget([]byte(target))
	rec.Request.Host = []byte(host)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		rec.Request.Fields.Add(name, []byte(value))
	}
	return rec
}

// locationOf is a configuration with a computed weight, as loading gives it.
func locationOf(name, host, path string) *config.Location {
	return &config.Location{Name: name, Host: host, Path: path, Weight: -1}
}

func compile(t testing.TB, cfg *config.Location) *Location {
	t.Helper()
	l, err := Compile(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func tableOf(t testing.TB, opt Options, cfgs ...*config.Location) *Table {
	t.Helper()
	var locations []*Location
	for _, cfg := range cfgs {
		locations = append(locations, compile(t, cfg))
	}
	return NewTable(locations, opt)
}

func nameOf(l *Location) string {
	if l == nil {
		return ""
	}
	return l.Name
}

func TestWeightIsComputedFromPathAndHostAsConfigured(t *testing.T) {
	cases := []struct {
		path, host string
		want       int
	}{
		{"", "", 0}, {"/", "", 0}, {"=/api", "", 1029}, {"/api", "", 516}, {"~/api", "", 261},
		{"/", "a.com", 128}, {"~^/v[0-9]+", "", 266}, {"", "*.a.com", 128}, {"", "a.com,b.com", 128},
		{"", "~^a", 3}, {"", "a.com,~b", 8}, {"", "a.com, ~b", 128},
		{"/" + strings.Repeat("x", 100), "", 512 + 64}, {"/a ", "", 512 + 3},
		{"", "~" + strings.Repeat("x", 300), 301},
	}
	for _, c := range cases {
		l := compile(t, locationOf("x", c.host, c.path))
		if l.Weight != c.want {
			t.Errorf("path %q host %q: weight %d, want %d", c.path, c.host, l.Weight, c.want)
		}
	}
	for _, weight := range []int{0, 7, 65535} {
		cfg := locationOf("x", "a.com", "=/api")
		cfg.Weight = weight
		if l := compile(t, cfg); l.Weight != weight {
			t.Errorf("weight %d became %d", weight, l.Weight)
		}
	}
}

func TestCompileRefusesWhatCannotWork(t *testing.T) {
	cases := []struct {
		name string
		cfg  config.Location
		want string
	}{
		{"path expression", config.Location{Path: "~("}, "path: error parsing regexp"},
		{"host expression", config.Location{Host: "a.com,~["}, "host: error parsing regexp"},
		{"star inside", config.Location{Host: "a.*.com"}, "invalid host wildcard pattern: a.*.com"},
		{"two stars", config.Location{Host: "*.*.com"}, "invalid host wildcard pattern"},
		{"only a star", config.Location{Host: "*."}, "invalid host wildcard pattern"},
		{"star without a dot", config.Location{Host: "*com"}, "invalid host wildcard pattern"},
		{"long host", config.Location{Host: strings.Repeat("a", 256)}, "at most 255"},
		{"rewrite expression", config.Location{Rewrite: "( /"}, "rewrite: error parsing regexp"},
		{"header without colon", config.Location{ProxySetHeaders: []string{"X-A"}}, "expected name:value"},
		{"header name", config.Location{ProxyAddHeaders: []string{"X A:1"}}, `header name "X A"`},
		{"header value", config.Location{ProxySetHeaders: []string{"X-A:a\r\nX-B: 1"}}, "value of header X-A"},
		{"condition", config.Location{MatchQuery: []string{"a", ":1"}}, "match_query: expected name:value"},
		{"condition on a field", config.Location{MatchHeaders: []string{""}}, "match_headers: expected"},
		{"condition on a cookie", config.Location{MatchCookies: []string{":"}}, "match_cookies: expected"},
		{"host of a dot", config.Location{Host: "."}, "invalid host"},
		{"length", config.Location{ProxySetHeaders: []string{"content-length:5"}}, "frames messages itself"},
		{"coding", config.Location{ProxyAddHeaders: []string{"Transfer_Encoding:chunked"}}, "frames messages itself"},
		{"connection", config.Location{ProxySetHeaders: []string{"Connection:close"}}, "frames messages itself"},
		{"second host", config.Location{ProxyAddHeaders: []string{"host:a"}}, "one Host"},
	}
	for _, c := range cases {
		c.cfg.Name = "web"
		l, err := Compile(&c.cfg, nil)
		if err == nil || l != nil {
			t.Errorf("%s: accepted", c.name)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), `location "web"`) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestUpstreamNameMayBeAVariable(t *testing.T) {
	for upstream, want := range map[string]string{"": "", "web": "", "$": "", "$pool": "pool"} {
		if l := compile(t, &config.Location{Upstream: upstream}); l.UpstreamVar != want {
			t.Errorf("%q: %q, want %q", upstream, l.UpstreamVar, want)
		}
	}
}
