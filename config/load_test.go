package config

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// checkTestPlugin stands in for the real list of plugins: it knows the 26 categories, and
// of limit the parameters max and rules.
func checkTestPlugin(_, category, step string, params map[string]any) []PluginProblem {
	const categories = " accept_encoding admin basic_auth cache combined_auth compression cors csrf directory forward_auth" +
		" geo_restriction image_optim ip_restriction jwt key_auth limit mock ping redirect referer_restriction request_id" +
		" response_headers stats sub_filter traffic_splitting ua_restriction "
	if !strings.Contains(categories, " "+category+" ") {
		return []PluginProblem{{Key: "category", Message: "unknown category"}}
	}
	if category != "limit" {
		return []PluginProblem{{Key: "category", Message: "not yet in effect", Warning: true}}
	}
	var found []PluginProblem
	if _, ok := params["max"].(int64); !ok && params["max"] != nil {
		found = append(found, PluginProblem{Key: "max", Message: "expected an integer"})
	}
	if step == "response" {
		found = append(found, PluginProblem{Key: "step", Message: "expected request or proxy_upstream"})
	}
	rules, _ := params["rules"].([]any)
	for i, rule := range rules {
		if tag := rule.(map[string]any)["tag"]; tag != "ip" {
			found = append(found, PluginProblem{Key: fmt.Sprintf("rules[%d].tag", i), Message: "expected ip"})
		}
	}
	return found
}

func knownTestPlugin(name string) Availability {
	switch name {
	case "pingap:ping":
		return Available
	case "pingap:stats", "pingap:requestId", "pingap:compression", "pingap:acceptEncodingAdjustment":
		return Later
	}
	return Unknown
}

func upstreamOfTestPlugin(_ string, params map[string]any) []Reference {
	name, _ := params["upstream"].(string)
	return []Reference{{Key: "upstream", Name: name}}
}

func testOptions() Options {
	return Options{PluginChecker: checkTestPlugin, PluginUpstreams: upstreamOfTestPlugin, KnownPlugin: knownTestPlugin}
}

func loadText(t *testing.T, text string, opt Options) (*Config, Report) {
	t.Helper()
	return Load([]Document{{Name: "pingap.toml", Data: []byte(text)}}, opt)
}

// mustLoad fails on errors; warnings are allowed.
func mustLoad(t *testing.T, text string) *Config {
	t.Helper()
	c, report := loadText(t, text, testOptions())
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	return c
}

func lines(problems []Problem) string {
	var b strings.Builder
	for _, p := range problems {
		b.WriteString(p.String() + "\n")
	}
	return b.String()
}

// update rewrites the expected texts; what it wrote is to be read before it is committed.
var update = flag.Bool("update", false, "rewrite the expected texts in testdata")

func TestEveryMistakeIsReportedWithItsPlace(t *testing.T) {
	files, err := filepath.Glob("testdata/*.bad.toml")
	if err != nil || len(files) < 20 {
		t.Fatalf("found %d files: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c, report := Load([]Document{{Name: filepath.Base(file), Data: data}}, testOptions())
			if c != nil || report.Err() == nil {
				t.Fatal("the configuration was accepted")
			}
			got := lines(report.Errors)
			expected := strings.TrimSuffix(file, ".toml") + ".txt"
			if *update {
				if err := os.WriteFile(expected, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(expected)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got:\n%swant:\n%s", got, want)
			}
		})
	}
}

func TestSampleLoadsWithWarningsOnly(t *testing.T) {
	data, err := os.ReadFile("testdata/sample.toml")
	if err != nil {
		t.Fatal(err)
	}
	c, report := Load([]Document{{Name: "sample.toml", Data: data}}, testOptions())
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	for _, w := range report.Warnings {
		if !strings.Contains(w.Message, "effect") {
			t.Errorf("unexpected warning %s", w)
		}
	}
	weights := map[string]int{"static": 519, "apiV1": 404, "root": 0}
	for name, want := range weights {
		if got := c.Locations[name].EffectiveWeight(); got != want {
			t.Errorf("weight of %s is %d, want %d", name, got, want)
		}
	}
	for _, got := range []int{c.Servers["web"].TCPProbeCount, c.Upstreams["api"].TCPProbeCount} {
		if got != 9 {
			t.Errorf("included tcp_probe_count is %d, want 9", got)
		}
	}
}

func TestSameTableInTwoFilesNamesBoth(t *testing.T) {
	_, report := Load([]Document{
		{Name: "a/basic.toml", Data: []byte("[servers.a]\naddr='127.0.0.1:1'\n[basic]\nthreads=1\n")},
		{Name: "a/servers.toml", Data: []byte("[servers.b]\naddr='127.0.0.1:2'\n\n[servers.a]\naddr='127.0.0.1:3'\n[basic]\n")},
	}, testOptions())
	want := "a/servers.toml:4: servers.a: the table is defined twice, first at a/basic.toml:1\n" +
		"a/servers.toml:6: basic: the table is defined twice, first at a/basic.toml:3\n"
	if got := lines(report.Errors); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

func TestTablesMayBeSpreadOverFiles(t *testing.T) {
	c, report := Load([]Document{
		{Name: "l.toml", Data: []byte("[locations.a]\nupstream='u'\nincludes=['s']\n")},
		{Name: "s.toml", Data: []byte("[storages.s]\ncategory='config'\nvalue='weight=7'\n")},
		{Name: "u.toml", Data: []byte("[upstreams.u]\naddrs=['127.0.0.1']\n")},
		{Name: "w.toml", Data: []byte("[servers.w]\naddr='127.0.0.1:0'\nlocations=['a']\n")},
	}, testOptions())
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	if c.Locations["a"].Weight != 7 || len(c.Upstreams) != 1 || len(c.Servers) != 1 {
		t.Errorf("loaded %+v", c)
	}
}

func TestReferencesAreNotJudgedWhenADocumentIsBroken(t *testing.T) {
	_, report := Load([]Document{
		{Name: "a.toml", Data: []byte("[locations.l]\nupstream='u'\nplugins=['p']\nweight='x'\n[servers.s]\naddr='127.0.0.1:1'\nlocations=['m']\n")},
		{Name: "b.toml", Data: []byte("[upstreams.u\n")},
	}, testOptions())
	if len(report.Errors) != 2 || report.Errors[0].Key != "locations.l.weight" || report.Errors[1].File != "b.toml" {
		t.Errorf("got:\n%s", lines(report.Errors))
	}
}

func TestUnknownKeysWarnOrFail(t *testing.T) {
	const text = "[servre.x]\n[basic]\nthread = 2\n[servers.web]\naddr = '127.0.0.1:80'\ntcp_fast_open = 5\nzzz = 1\n"
	want := `pingap.toml:1: servre: unknown table, it is ignored, did you mean "servers"?
pingap.toml:3: basic.thread: unknown key, it is ignored, did you mean "threads"?
pingap.toml:6: servers.web.tcp_fast_open: unknown key, it is ignored, did you mean "tcp_fastopen"?
pingap.toml:7: servers.web.zzz: unknown key, it is ignored
`
	_, report := loadText(t, text, Options{})
	if got := lines(report.Warnings); got != want || report.Err() != nil {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	_, report = loadText(t, text, Options{Strict: true})
	if got := lines(report.Errors); got != want {
		t.Errorf("strict got:\n%swant:\n%s", got, want)
	}
}

func TestRemovedKeysLoadSilently(t *testing.T) {
	_, report := loadText(t, "[basic]\ncache_directory='/x'\ncache_max_size=5\n[certificates.c]\ntls_chain='x'\n", Options{Strict: true})
	if len(report.Errors)+len(report.Warnings) > 0 {
		t.Errorf("got %s%s", lines(report.Errors), lines(report.Warnings))
	}
}

func TestKeysOfLaterFeaturesWarnOncePerKey(t *testing.T) {
	_, report := loadText(t, `
[storages.a]
value = "max_retries = 1"
secret = "x"
[storages.b]
value = "max_retries = 1"
secret = "x"
`, testOptions())
	want := "pingap.toml:4: storages.a.secret: accepted, but not yet in effect: decrypting storages\n"
	if got := lines(report.Warnings); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

func TestWarnings(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"log level", "[basic]\nlog_level='loud'", "pingap.toml:2: basic.log_level: expected trace"},
		{"log tag", "[servers.s]\naddr='127.0.0.1:1'\naccess_log='{host} {hots} {:locatoin}'", "unknown tag {hots}"},
		{"constant log line", "[servers.s]\naddr='127.0.0.1:1'\naccess_log='combned'", "the format has no {tag}"},
		{"no location at all", "[servers.s]\naddr='127.0.0.1:1'\nlocations=['a']", `location "a" is not defined`},
		{"empty location", "[locations.a]\npath='/'", "neither an upstream nor a plugin"},
		{"later plugin", "[locations.a]\nplugins=['pingap:stats']", `plugin "pingap:stats" is accepted, but not yet in effect`},
		{"hidden plugin", "[plugins.'pingap:ping']\ncategory='limit'", "the built-in plugin of this name"},
		{"later category", "[plugins.a]\ncategory='jwt'", "plugins.a.category: not yet in effect"},
		{"rewrite of three words", "[locations.a]\nplugins=['pingap:ping']\nrewrite='a b c'", "expected a regex and a replacement"},
		{"rewrite of one word", "[locations.a]\nplugins=['pingap:ping']\nrewrite='a'", "expected a regex and a replacement"},
		{"bare hash", "[upstreams.a]\naddrs=['127.0.0.1']\nalgo='hash'", "hash without a type is round_robin"},
		{"other hash", "[upstreams.a]\naddrs=['127.0.0.1']\nalgo='hash:moon'", "unknown type of hash"},
		{"other algo", "[upstreams.a]\naddrs=['127.0.0.1']\nalgo='least_con'", `did you mean "least_conn"?`},
		{"other discovery", "[upstreams.a]\naddrs=['127.0.0.1']\ndiscovery='moon'", `unknown discovery "moon"`},
		{"breaker without data", "[upstreams.a]\naddrs=['127.0.0.1']\ncircuit_break_max_failure_percent=5", "gets no data"},
		{"duration of a health check", "[upstreams.a]\naddrs=['127.0.0.1']\nhealth_check='http://a/?check_frequency=10'", "pingap.toml:3: upstreams.a.health_check: check_frequency: number 10 needs a unit such as ms, s, m, h or days; 10s is used"},
		{"health check of what has no backends", "[upstreams.a]\naddrs=['a.test']\ndiscovery='transparent'\nhealth_check='tcp://a'", "upstreams.a.health_check: without effect: transparent"},
		{"key without effect", "[servers.a]\naddr='127.0.0.1:1'\nthreads=4", "without effect: all servers share"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, report := loadText(t, tt.text, testOptions())
			if err := report.Err(); err != nil {
				t.Fatal(err)
			}
			if got := lines(report.Warnings); !strings.Contains(got, tt.want) {
				t.Errorf("got:\n%swant %q", got, tt.want)
			}
		})
	}
}

func TestNamesThatDoNotResolve(t *testing.T) {
	asked := map[string]int{}
	opt := testOptions()
	opt.Resolve = func(host string) error {
		asked[host]++
		if host == "good" {
			return nil
		}
		return errors.New("no such host")
	}
	_, report := loadText(t, `
[upstreams.u]
addrs = ["good:80", "127.0.0.1:80", "missing:80", "missing:81"]
[upstreams.t]
addrs = ["unasked"]
discovery = "transparent"
[servers.s]
addr = "nowhere:80"
`, opt)
	want := "pingap.toml:8: servers.s.addr: address nowhere:80: expected a name that resolves: no such host\n"
	if got := lines(report.Errors); got != want {
		t.Errorf("got errors:\n%s", got)
	}
	want = "pingap.toml:3: upstreams.u.addrs[2]: missing does not resolve, the backend is down until it does: no such host\n" +
		"pingap.toml:3: upstreams.u.addrs[3]: missing does not resolve, the backend is down until it does: no such host\n"
	if got := lines(report.Warnings); got != want {
		t.Errorf("got warnings:\n%s", got)
	}
	if asked["missing"] != 1 || asked["127.0.0.1"] != 0 || asked["unasked"] != 0 {
		t.Errorf("asked for %v", asked)
	}
}

func TestIncludesOverrideOwnKeys(t *testing.T) {
	c := mustLoad(t, `
[storages.a]
category = "config"
value = 'max_retries = 3'
[storages.b]
category = "config"
value = '''
weight = 9
path = "/from-b"
'''
[locations.l]
path = "/own"
max_retries = 1
includes = ["a", "b"]
plugins = ["pingap:ping"]
`)
	l := c.Locations["l"]
	if l.Path != "/from-b" || l.Weight != 9 || l.MaxRetries != 3 || l.Includes != nil {
		t.Errorf("loaded %+v", l)
	}
}

func TestReportIsBounded(t *testing.T) {
	var text strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&text, "[locations.l%d]\nupstream='missing'\n", i)
	}
	_, report := loadText(t, text.String(), testOptions())
	last := report.Errors[len(report.Errors)-1]
	if len(report.Errors) != maxProblems+1 || last.Message != "and 2000 more errors" {
		t.Errorf("%d errors, the last is %q", len(report.Errors), last)
	}
}

func TestPoolSizeComesFromBasic(t *testing.T) {
	c := mustLoad(t, "[basic]\nupstream_keepalive_pool_size=7\n[upstreams.a]\naddrs=['127.0.0.1']\n[upstreams.b]\naddrs=['127.0.0.1']\nmax_idle_connections=3\n")
	if a, b := c.Upstreams["a"].MaxIdleConnections, c.Upstreams["b"].MaxIdleConnections; a != 7 || b != 3 {
		t.Errorf("pools of %d and %d, want 7 and 3", a, b)
	}
}
