package route

import (
	"testing"

	"pingap/config"
	"pingap/message"
)

func TestRewriteReplacesTheFirstMatch(t *testing.T) {
	cases := []struct {
		name, path, rewrite, target, want string
	}{
		{"none", "", "", "/a/b", "/a/b"},
		{"prefix removed", "", "^/api/ /", "/api/users?id=1", "/users?id=1"},
		{"group", "", "^/api/(.*)$ /v2/$1", "/api/users", "/v2/users"},
		{"first match only", "", "a b", "/aa", "/ba"},
		{"no match", "", "^/x/ /", "/api", "/api"},
		{"braces", "", "^/(a) /${1}x", "/a/b", "/ax/b"},
		{"longest name is taken", "", "^/(a) /$1x/", "/a/b", "///b"},
		{"dollar", "", "^/a /$$1", "/a", "/$1"},
		{"lonely dollar", "", "^/a /$-$", "/a", "/$-$"},
		{"open brace", "", "^/a /c${1", "/a", "/c${1"},
		{"not ASCII", "", "^/a /é", "/a", "/a"},
		{"group beyond the last", "", "^/(a) /b$2", "/a", "/b"},
		{"named group of the rewrite", "", "^/(?P<id>[0-9]+) /item/$id", "/17", "/item/17"},
		{"variable of the path", "~^/(?P<tenant>t[0-9])/", "^/t[0-9]/ /tenants/${tenant}/", "/t7/x?y", "/tenants/t7/x?y"},
		{"variable before group", "~^/(?P<id>.)", "^/(?P<id>.)(.) /$id-$2", "/ab", "/a-b"},
		{"name without dollar stays", "~^/(?P<a>x)", "^/x /banana/$a", "/x", "/banana/x"},
		{"value is not expanded again", "~^/(?P<v>.+)$", "^/.* /$v", "/$1", "/$1"},
		{"whole path", "", ".* /fixed/$1", "/a", "/fixed/$1"},
		{"whole path by variable", "~^/(?P<to>[a-z]+)/", "/only/$to", "/abc/d", "/only/abc"},
		{"whole path, unknown name", "", "/only/$to", "/abc", "/only/$to"},
		{"one token removes", "", "/abc", "/abc/d", "/d"},
		{"three tokens remove", "", "/abc x y", "/abc/d", "/d"},
		{"two blanks remove", "", "/abc  /x", "/abc/d", "/d"},
		{"empty result", "", "^.*$ ", "/abc", "/abc"},
		{"no slash", "", "^/ ", "/abc", "/abc"},
		{"fragment", "", "^/a /b#c", "/a", "/a"},
		{"same", "", "^/a /a", "/a", "/a"},
		{"query added", "", "^/a /b?from=a", "/a", "/b?from=a"},
		{"query added to one", "", "^/a /b?from=a", "/a?x=1", "/b?from=a&x=1"},
		{"question mark stays", "", "^/a /b", "/a?", "/b?"},
	}
	for _, c := range cases {
		cfg := locationOf("x", "", c.path)
		cfg.Rewrite = c.rewrite
		table := tableOf(t, Options{}, cfg)
		rec := record("h", c.target)
		l := table.Match(rec)
		if l == nil {
			t.Errorf("%s: no match", c.name)
			continue
		}
		if changed := l.Rewrite(rec, false); changed != (c.want != c.target) {
			t.Errorf("%s: changed %v", c.name, changed)
		}
		if got := string(rec.Request.Target); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestRewriteSeesTheNormalPathUnlessPathsAreRaw(t *testing.T) {
	l := compile(t, &config.Location{Rewrite: "^/a/(.*) /b/$1"})
	for _, c := range []struct {
		target, normal, raw string
	}{
		{"/%61/x", "/b/x", "/%61/x"},
		{"/x/..//a/y", "/b/y", "/x/..//a/y"},
		{"/a/../c", "/a/../c", "/b/../c"}, // normal: no match, so the path stays as it came
	} {
		for raw, want := range map[bool]string{false: c.normal, true: c.raw} {
			rec := record("h", c.target)
			l.Rewrite(rec, raw)
			if got := string(rec.Request.Target); got != want {
				t.Errorf("%s raw %v: %q, want %q", c.target, raw, got, want)
			}
		}
	}
}

func TestGroupsOfTheRewriteAreCapturedIfThePathChanged(t *testing.T) {
	l := compile(t, &config.Location{Rewrite: "^/(?P<pool>[a-z]+)/ /"})
	for target, want := range map[string]string{"/blue/x": "blue", "/%62lue//x": "blue", "/1/x": ""} {
		rec := record("h", target)
		l.Rewrite(rec, false)
		rec.Request.RewritePath([]byte("/some//other/path"))
		rec.Request.NormalPath()
		if got, _ := rec.Capture("pool"); string(got) != want {
			t.Errorf("%s: %q, want %q", target, got, want)
		}
	}
	same := compile(t, &config.Location{Rewrite: "^/(?P<pool>[a-z]+)/ /$pool/"})
	rec := record("h", "/blue/x")
	if same.Rewrite(rec, false) || len(rec.Captures) != 0 {
		t.Errorf("unchanged path captured %q", rec.Captures)
	}
}

func FuzzReplacementsExpandAsRegexpDoes(f *testing.F) {
	for _, seed := range []string{"/$1", "/${1}x", "$1x", "$$1", "$", "${", "${1", "${id}-$id", "$01", "$9", "$$$2", "${}", "$none"} {
		f.Add(seed, "/aab12")
	}
	match, err := compileExpression(`/(a+)(b)?(?P<id>[0-9]*)`)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, replacement, path string) {
		for _, c := range []byte(replacement) {
			if c >= 0x80 {
				t.Skip("names of other letters are told differently on purpose: words are ASCII")
			}
		}
		found := match.regex.FindSubmatchIndex([]byte(path))
		if found == nil {
			return
		}
		want := match.regex.Expand(nil, []byte(replacement), []byte(path), found)
		got := appendTemplate(nil, compileTemplate(replacement, match), &message.Record{}, []byte(path), found)
		if string(got) != string(want) {
			t.Errorf("%q on %q: %q, want %q", replacement, path, got, want)
		}
	})
}

func TestHeadersAreSetThenAdded(t *testing.T) {
	env := func(name string) (string, bool) { return "pod-7", name == "POD" }
	l, err := Compile(&config.Location{
		EnableReverseProxyHeaders: true,
		ProxySetHeaders: []string{"Host:backend.internal", "X-Forwarded-Proto:https", "X-Pod:$POD", "X-Tenant: $tenant ",
			"User-Agent:", "X-Text:a$host", "X-Time:12:30"},
		ProxyAddHeaders: []string{"X-Tag:one", "X-Tag:two", "Via:1.1 pingap"},
	}, env)
	if err != nil {
		t.Fatal(err)
	}
	rec := record("example.com:8080", "/", "Host: example.com:8080", "X-Forwarded-For: 203.0.113.1", "X-Tag: zero",
		"User-Agent: curl", "x-forwarded-proto: gopher")
	rec.Captures = append(rec.Captures, message.Capture{Name: "tenant", Value: []byte("acme")})
	out := &rec.Request.Fields
	l.RequestHeaders(rec, out)
	want := map[string][]string{
		"Host": {"backend.internal"}, "X-Real-IP": {"192.0.2.7"}, "X-Forwarded-For": {"203.0.113.1, 192.0.2.7"},
		"X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"example.com"}, "X-Forwarded-Port": {"8080"},
		"X-Pod": {"pod-7"}, "X-Tenant": {"acme"}, "User-Agent": {""}, "X-Text": {"a$host"}, "X-Time": {"12:30"},
		"X-Tag": {"zero", "one", "two"}, "Via": {"1.1 pingap"},
	}
	total := 0
	for name, values := range want {
		total += len(values)
		var got []string
		for _, f := range out.List() {
			if message.EqualFold(f.Name, name) {
				got = append(got, string(f.Value))
			}
		}
		if len(got) != len(values) {
			t.Errorf("%s: %q, want %q", name, got, values)
			continue
		}
		for i := range got {
			if got[i] != values[i] {
				t.Errorf("%s: %q, want %q", name, got, values)
			}
		}
	}
	if out.Len() != total {
		t.Errorf("%d fields, want %d", out.Len(), total)
	}
}

func TestHeadersDoNotAllocate(t *testing.T) {
	l := compile(t, &config.Location{EnableReverseProxyHeaders: true, ProxySetHeaders: []string{"Host:b"},
		ProxyAddHeaders: []string{"X-A:$host"}})
	rec := record("example.com", "/", "X-Forwarded-For: 203.0.113.1")
	var out message.Fields
	if n := testing.AllocsPerRun(100, func() { out.Reset(); l.RequestHeaders(rec, &out) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
