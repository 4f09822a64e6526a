package route

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"pingap/config"
)

func TestHostMatches(t *testing.T) {
	long := strings.Repeat("a", 255)
	cases := []struct {
		hosts, request string
		want           bool
	}{
		{"", "a.com", true}, {"", "", true}, {" , ,", "a.com", true},
		{"a.com", "a.com", true}, {"a.com", "A.Com", true}, {"A.com", "a.com", true},
		{"a.com", "a.com:8080", true}, {"a.com", "a.com.", true}, {"a.com.", "a.com", true},
		{"a.com", "b.com", false}, {"a.com", "xa.com", false}, {"a.com", "", false},
		{" b.com , a.com ", "a.com", true},
		{"*.a.com", "x.a.com", true}, {"*.a.com", "X.y.A.com:80", true}, {"*.a.com", "a.com", false},
		{"*.a.com", ".a.com", false}, {"*.a.com", "xa.com", false}, {"*.a.com", ".x.a.com", false},
		{"*.com", "a.b.c.d.e.com", true}, {"*.com", "com", false},
		{"~^a[0-9]+$", "a12", true}, {"~^a[0-9]+$", "A12", false}, {"~b", "abc.com", true},
		{"~ ^a$ ", "a", true}, {"x.com,~^a", "abc", true}, {"x.com,~^a", "X.COM", true},
		{"[::1]", "[::1]:80", true}, {"::1", "[::1]", true}, {"[::1]", "[::2]", false},
		{long, long, true}, {long, long + "a", false}, {"", long + long, true}, {"~a$", long + long, true},
	}
	for _, c := range cases {
		table := tableOf(t, Options{}, locationOf("x", c.hosts, ""))
		if got := table.Match(record(c.request, "/")) != nil; got != c.want {
			t.Errorf("hosts %q, request %q: %v", c.hosts, c.request, got)
		}
	}
}

func TestPathMatches(t *testing.T) {
	cases := []struct {
		path, target string
		normal, raw  bool
	}{
		{"", "/any", true, true}, {"", "*", true, true}, {"/", "*", false, false},
		{"/api", "/api", true, true}, {"/api", "/apix", true, true}, {"/api", "/ap", false, false},
		{"/api", "/API", false, false}, {" /api ", "/api", true, true},
		{"/api", "/api?x=/y", true, true}, {"/api", "/?/api", false, false},
		{"=/api", "/api", true, true}, {"= /api", "/api?q", true, true}, {"=/api", "/api/", false, false},
		{"~^/v[0-9]+/", "/v12/x", true, true}, {"~v[0-9]", "/a/v1", true, true}, {"~^/v$", "/V", false, false},
		{"/admin", "//admin", true, false}, {"/admin", "/%61dmin", true, false},
		{"/admin", "/x/../admin", true, false}, {"=/admin", "/./admin", true, false},
		{"~^/admin", "/x/..//%61dmin", true, false}, {"/x", "/x/../admin", false, true},
		{"//admin", "//admin", true, true}, {"=/a/./b", "/a/b", true, false}, {"/%7Euser", "/~user", true, false},
		{"/%7Euser", "/%7Euser", true, true}, {"/.", "/.git", true, true}, {"/a/..", "/a/..x", true, true},
		{"/caf%C3", "/caf%C3%A9", true, true}, {"/a?b", "/a?b", false, false}, {"=/a?b", "/a?b", false, false},
	}
	for _, c := range cases {
		for _, raw := range []bool{false, true} {
			want := c.normal
			if raw {
				want = c.raw
			}
			table := tableOf(t, Options{RawPath: raw}, locationOf("x", "", c.path))
			if got := table.Match(record("h", c.target)) != nil; got != want {
				t.Errorf("path %q, target %q, raw %v: %v", c.path, c.target, raw, got)
			}
		}
	}
}

func TestConditionsMustAllHold(t *testing.T) {
	headers := []string{"X-Env: prod", "X-Env: test", "Cookie: a=1; theme=dark", "Cookie: b = 2 ; a=9", "X-Empty: "}
	const target = "/?q=1&q=2&flag&empty=&enc=%20"
	cases := []struct {
		headers, query, cookies []string
		want                    bool
	}{
		{headers: []string{"x-env:prod"}, want: true}, {headers: []string{"X-Env : prod "}, want: true},
		{headers: []string{"X-Env:test"}}, {headers: []string{"X-Env:PROD"}}, {headers: []string{"X-None"}},
		{headers: []string{"X-Env"}, want: true}, {headers: []string{"X-Empty"}, want: true},
		{headers: []string{"X-Empty:"}, want: true}, {headers: []string{"X-Env", "X-None"}},
		{query: []string{"q:1"}, want: true}, {query: []string{"q:2"}}, {query: []string{"flag"}},
		{query: []string{"empty"}, want: true}, {query: []string{"empty:"}, want: true},
		{query: []string{"enc:%20"}, want: true}, {query: []string{"Q"}},
		{cookies: []string{"a:1"}, want: true}, {cookies: []string{"a:9"}}, {cookies: []string{"b:2"}, want: true},
		{cookies: []string{"theme"}, want: true}, {cookies: []string{"Theme"}}, {cookies: []string{"none"}},
		{headers: []string{"X-Env"}, query: []string{"q"}, cookies: []string{"a"}, want: true},
		{headers: []string{"X-Env"}, query: []string{"q"}, cookies: []string{"none"}},
	}
	for _, c := range cases {
		cfg := &config.Location{MatchHeaders: c.headers, MatchQuery: c.query, MatchCookies: c.cookies}
		if got := tableOf(t, Options{}, cfg).Match(record("h", target, headers...)) != nil; got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestHighestWeightWinsThenListOrder(t *testing.T) {
	wild, exact := locationOf("wild", "*.a.com", "/"), locationOf("exact", "x.a.com", "/")
	prefix, longer := locationOf("prefix", "", "/api"), locationOf("longer", "", "/api/v1")
	whole, regex := locationOf("whole", "", "=/api/v1"), locationOf("regex", "", "~^/api")
	heavy := locationOf("heavy", "", "~zz")
	heavy.Weight = 2000
	strict := locationOf("strict", "", "/api/v1/strict")
	strict.MatchHeaders = []string{"X-Yes"}
	table := tableOf(t, Options{}, regex, prefix, longer, whole, heavy, strict, wild, exact)
	for target, want := range map[string]string{
		"/api": "prefix", "/api/v1": "whole", "/api/v1/": "longer", "/api/zz": "heavy", "/other": "wild",
		"/api/v1/strict": "longer",
	} {
		if got := nameOf(table.Match(record("x.a.com", target))); got != want {
			t.Errorf("%s: %q, want %q", target, got, want)
		}
	}
	if got := nameOf(table.Match(record("other", "/"))); got != "" {
		t.Errorf("other host: %q", got)
	}
	if got := nameOf(table.Match(record("other", "/api/v1/strict", "X-Yes: 1"))); got != "strict" {
		t.Errorf("condition: %q", got)
	}
}

func TestNamedGroupsAreCaptured(t *testing.T) {
	table := tableOf(t, Options{}, locationOf("x", `plain.com,~^(?P<tenant>\w+)\.(?<zone>\w+)`, `~^/(?P<version>v\d+)/(?:x/)?(?P<rest>.*?)(?P<none>Q)?$`))
	rec := record("acme.eu.example.com:80", "/%76%32/./a%20b")
	for range 2 { // captures of an earlier match do not stay
		if table.Match(rec) == nil {
			t.Fatal("no match")
		}
	}
	rec.Request.RewritePath([]byte("/overwritten/path/which/is/long"))
	if got := string(rec.Request.NormalPath()); got != "/overwritten/path/which/is/long" {
		t.Fatal(got)
	}
	rec.Request.SetTarget([]byte("/%7E%7E%7E%7E%7E%7E%7E%7E"))
	rec.Request.NormalPath() // a new normal form overwrites the memory of the former
	want := map[string]string{"tenant": "acme", "zone": "eu", "version": "v2", "rest": "a%20b"}
	if len(rec.Captures) != len(want) {
		t.Fatalf("captures %q", rec.Captures)
	}
	for name, value := range want {
		if got, ok := rec.Capture(name); !ok || string(got) != value {
			t.Errorf("%s = %q, want %q", name, got, value)
		}
	}
	table.Match(record("plain.com", "/v1/"))
	rec = record("plain.com", "/v1/")
	table.Match(rec)
	if _, ok := rec.Capture("tenant"); ok {
		t.Error("a literal host captured")
	}
}

// manyLocations are literal locations over hosts and paths: a tenth per host.
func manyLocations(n int) []*config.Location {
	var out []*config.Location
	for i := range n {
		out = append(out, locationOf(fmt.Sprintf("l%d", i), fmt.Sprintf("h%d.example.com", i%10), fmt.Sprintf("/service/%d/", i)))
	}
	return out
}

func stepsOf(table *Table, host, target string) (int, *Location) {
	var s search
	table.find(&s, record(host, target))
	if s.best == math.MaxInt32 {
		return s.steps, nil
	}
	return s.steps, table.ranked[s.best]
}

func TestTenThousandLocationsTakeAboutTheStepsOfTen(t *testing.T) {
	worst := map[int]int{}
	for _, n := range []int{10, 10_000} {
		table := tableOf(t, Options{}, manyLocations(n)...)
		for i := 0; i < n; i += max(1, n/500) {
			steps, l := stepsOf(table, fmt.Sprintf("h%d.example.com", i%10), fmt.Sprintf("/service/%d/x", i))
			if nameOf(l) != fmt.Sprintf("l%d", i) {
				t.Fatalf("%d of %d: found %q", i, n, nameOf(l))
			}
			worst[n] = max(worst[n], steps)
		}
		steps, l := stepsOf(table, "h1.example.com", "/none")
		if l != nil {
			t.Fatal("found a location for no path")
		}
		worst[n] = max(worst[n], steps)
	}
	if worst[10_000] > 3*worst[10] {
		t.Errorf("steps: %d for 10,000 locations, %d for 10", worst[10_000], worst[10])
	}
}

func TestExpressionsAreTriedOnlyWhereTheyCanWin(t *testing.T) {
	var cfgs []*config.Location
	for i := range 1000 {
		cfgs = append(cfgs, locationOf(fmt.Sprintf("r%d", i), "", fmt.Sprintf("~^/svc%d/v[0-9]+", i)))
	}
	cfgs = append(cfgs, locationOf("prefix", "", "/files"))
	cfgs = append(cfgs, locationOf("loose", "", "~es/"))
	table := tableOf(t, Options{}, cfgs...)
	for _, c := range []struct {
		target, want string
		most         int
	}{
		{"/files/x", "prefix", 12},  // the prefix outweighs every expression
		{"/svc77/v1", "r77", 12},    // only expressions whose literal text is there
		{"/svc77/none", "", 12},     //
		{"/yes/", "loose", 12},      // not anchored
		{"/svc7/v7777", "r7", 12},   //
		{"/svc999/v1/", "r999", 12}, //
	} {
		steps, l := stepsOf(table, "h", c.target)
		if nameOf(l) != c.want || steps > c.most {
			t.Errorf("%s: %q in %d steps, want %q in at most %d", c.target, nameOf(l), steps, c.want, c.most)
		}
	}
}

func TestLiteralMatchDoesNotAllocate(t *testing.T) {
	table := tableOf(t, Options{}, append(manyLocations(100), locationOf("wild", "*.example.org", "/"))...)
	for _, host := range []string{"h3.example.com:8080", "H3.EXAMPLE.com.", "a.b.example.org", "none"} {
		for _, target := range []string{"/service/93/x?y", "//service/./93/x"} {
			rec := record(host, target)
			table.Match(rec) // the memory of the normal form is kept
			if n := testing.AllocsPerRun(100, func() { table.Match(rec) }); n != 0 {
				t.Errorf("%s %s: %v allocations", host, target, n)
			}
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	for _, n := range []int{10, 100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			table := tableOf(b, Options{}, manyLocations(n)...)
			rec := record(fmt.Sprintf("h%d.example.com", (n-1)%10), fmt.Sprintf("/service/%d/x", n-1))
			b.ReportAllocs()
			for b.Loop() {
				if table.Match(rec) == nil {
					b.Fatal("no match")
				}
			}
		})
	}
}

func BenchmarkCompileAndIndexTenThousand(b *testing.B) {
	cfgs := manyLocations(10_000)
	b.Run("compile", func(b *testing.B) {
		for b.Loop() {
			for _, cfg := range cfgs {
				compile(b, cfg)
			}
		}
	})
	b.Run("index", func(b *testing.B) {
		var locations []*Location
		for _, cfg := range cfgs {
			locations = append(locations, compile(b, cfg))
		}
		b.ReportAllocs()
		for b.Loop() {
			NewTable(locations, Options{})
		}
	})
}
