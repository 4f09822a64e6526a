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
		Remote: netip.MustParseAddrPort("192.0.2.7:50123"), Local: message.EndpointOf(netip.MustParseAddrPort("198.51.100.1:8080")),
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
		{"length", config.Location{ProxySetHeaders: []string{"content-length:5"}}, "the proxy itself"},
		{"coding", config.Location{ProxyAddHeaders: []string{"Transfer_Encoding:chunked"}}, "the proxy itself"},
		{"connection", config.Location{ProxySetHeaders: []string{"Connection:close"}}, "the proxy itself"},
		{"second host", config.Location{ProxyAddHeaders: []string{"host:a"}}, "a request has one"},
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

// A configuration that is accepted can be built, and what cannot be built is refused before it gets here.
func TestLoadRefusesWhatCannotBeCompiled(t *testing.T) {
	long := strings.Repeat("x", config.MaxHost)
	cases := []struct{ key, value string }{
		{"host", "."}, {"host", "a."}, {"host", ".."}, {"host", long}, {"host", long + "."}, {"host", long + "y"},
		{"host", "*"}, {"host", "*."}, {"host", "*.."}, {"host", "*.a"}, {"host", "*.a."}, {"host", "*a"}, {"host", "a.*"},
		{"host", "*.*.a"}, {"host", "~"}, {"host", "~("}, {"host", "~ ^a$"}, {"host", "::1"}, {"host", "[::1]"},
		{"path", ""}, {"path", "~("}, {"path", " ~("}, {"path", "=("}, {"path", "~(?P<a>"}, {"path", "~(?=a)"},
		{"rewrite", "( x"}, {"rewrite", "$1"}, {"rewrite", "^/a(.*)$ /$1"}, {"rewrite", "a b c"},
	}
	for _, name := range []string{"Host", "host", "X-Any", "x_any", "Content-Length", "content_length", "Transfer-Encoding",
		"Connection", "Upgrade", "TE", "Te_", "Trailer", "Keep-Alive", "keep_alive", "Proxy-Connection", "HTTP2-Settings",
		"http2_settings", "Expect", "", "a b", "Forwarded"} {
		for _, key := range []string{"proxy_set_headers", "proxy_add_headers"} {
			cases = append(cases, struct{ key, value string }{key, name + ":1"})
		}
	}
	refused := 0
	for _, c := range cases {
		value := "'" + c.value + "'"
		cfg := &config.Location{Name: "l", Weight: -1}
		switch c.key {
		case "host":
			cfg.Host = c.value
		case "path":
			cfg.Path = c.value
		case "rewrite":
			cfg.Rewrite = c.value
		case "proxy_set_headers":
			cfg.ProxySetHeaders, value = []string{c.value}, "["+value+"]"
		case "proxy_add_headers":
			cfg.ProxyAddHeaders, value = []string{c.value}, "["+value+"]"
		}
		_, err := Compile(cfg, nil)
		_, report := config.Load([]config.Document{{Name: "p.toml", Data: []byte("[locations.l]\n" + c.key + " = " + value + "\n")}}, config.Options{})
		if (err == nil) != (report.Err() == nil) {
			t.Errorf("%s = %s: compiled with %v, loaded with %v", c.key, value, err, report.Err())
		}
		if err != nil {
			refused++
		}
	}
	if refused < 20 {
		t.Errorf("only %d of %d were refused", refused, len(cases))
	}
}
