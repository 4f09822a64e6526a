package route

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pingap/config"
	"pingap/message"
)

// naiveMatch is the rule as it is written: sorted by weight, the first whose path, host and
// conditions match. It shares nothing with the index.
func naiveMatch(locations []*Location, rec *message.Record, raw bool) *Location {
	sorted := slices.Clone(locations)
	slices.SortStableFunc(sorted, func(a, b *Location) int { return b.Weight - a.Weight })
	path := string(rec.Request.Path)
	if !raw {
		path = string(rec.Request.NormalPath())
	}
	for _, l := range sorted {
		if naivePath(strings.TrimSpace(l.Config.Path), path) && naiveHost(l.Config.Host, string(rec.Request.HostName())) &&
			naiveConditions(l.Config, rec) {
			return l
		}
	}
	return nil
}

func naivePath(rule, path string) bool {
	switch {
	case strings.HasPrefix(rule, "="):
		return path == strings.TrimSpace(rule[1:])
	case strings.HasPrefix(rule, "~"):
		return regexp.MustCompile(strings.TrimSpace(rule[1:])).MatchString(path)
	}
	return strings.HasPrefix(path, rule)
}

func naiveHost(list, host string) bool {
	any := true
	for entry := range strings.SplitSeq(list, ",") {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			continue
		}
		any = false
		name := strings.TrimSuffix(strings.ToLower(host), ".")
		switch {
		case entry[0] == '~':
			if regexp.MustCompile(strings.TrimSpace(entry[1:])).MatchString(host) {
				return true
			}
		case entry[0] == '*':
			if rest, ok := strings.CutSuffix(name, strings.ToLower(entry[1:])); ok && rest != "" && rest[0] != '.' {
				return true
			}
		case strings.ToLower(entry) == name:
			return true
		}
	}
	return any
}

func naiveConditions(cfg *config.Location, rec *message.Record) bool {
	for _, c := range cfg.MatchHeaders {
		name, value, exact := strings.Cut(c, ":")
		got, ok := rec.Request.Fields.Lookup(name)
		if !ok || exact && string(got) != value {
			return false
		}
	}
	for _, c := range cfg.MatchQuery {
		name, value, exact := strings.Cut(c, ":")
		at := bytes.Index(append([]byte("&"), rec.Request.Query...), []byte("&"+name+"="))
		if at < 0 {
			return false
		}
		got, _, _ := strings.Cut(string(rec.Request.Query[at+len(name)+1:]), "&")
		if exact && got != value {
			return false
		}
	}
	return true
}

// few draws up to n words, joined.
func few(r *rand.Rand, n int, sep string, words []string) string {
	var out []string
	for range r.IntN(n + 1) {
		out = append(out, words[r.IntN(len(words))])
	}
	return strings.Join(out, sep)
}

var (
	hostWords   = []string{"a.com", "A.com", "b.a.com", "*.a.com", "*.b.a.com", "*.com", "~^a", "~b", "~a\\.com$", "x", " c.org "}
	segments    = []string{"a", "b", "ab", "abc", "api", "v1"}
	pathMarks   = []string{"", "", "/", "/", "=/", "~", "~^/", "~^/a", "~b$", "~(?i)^/A", "~^/(a|b)", "~^/a|b", "~^/ab*"}
	oddSegments = []string{"a", "b", "ab", "abc", "api", "v1", "", ".", "..", "%61", "A"}
	requestHost = []string{"a.com", "A.COM", "b.a.com", "c.b.a.com:80", "x", "x.com.", "", "c.org", ".a.com", "[::1]:80"}
)

func randomLocation(r *rand.Rand, i int) *config.Location {
	cfg := &config.Location{Name: fmt.Sprint(i), Weight: -1, Host: few(r, 3, ",", hostWords)}
	cfg.Path = pathMarks[r.IntN(len(pathMarks))]
	if strings.HasSuffix(cfg.Path, "/") {
		cfg.Path += few(r, 3, "/", segments)
	}
	if r.IntN(5) == 0 {
		cfg.Weight = r.IntN(4) * 300
	}
	if r.IntN(4) == 0 {
		cfg.MatchHeaders = []string{[]string{"X-A", "X-A:1", "x-b:2"}[r.IntN(3)]}
	}
	if r.IntN(6) == 0 {
		cfg.MatchQuery = []string{[]string{"q", "q:1"}[r.IntN(2)]}
	}
	return cfg
}

func randomRequest(r *rand.Rand) *message.Record {
	target := "/" + few(r, 4, "/", oddSegments)
	if r.IntN(3) == 0 {
		target += "?" + few(r, 3, "&", []string{"q=1", "q=2", "q", "p=1"})
	}
	var headers []string
	for _, h := range []string{"X-A: 1", "X-A: 2", "X-B: 2"} {
		if r.IntN(3) == 0 {
			headers = append(headers, h)
		}
	}
	return record(requestHost[r.IntN(len(requestHost))], target, headers...)
}

func TestTableFindsWhatTheNaiveLoopFinds(t *testing.T) {
	configurations := 1500
	if testing.Short() {
		configurations = 200
	}
	r := rand.New(rand.NewPCG(1, 2))
	found := 0
	for range configurations {
		raw := r.IntN(3) == 0
		var locations []*Location
		for i := range r.IntN(20) {
			locations = append(locations, compile(t, randomLocation(r, i)))
		}
		table := NewTable(locations, Options{RawPath: raw})
		for range 20 {
			rec := randomRequest(r)
			want, got := naiveMatch(locations, rec, raw), table.Match(rec)
			if want != got {
				t.Fatalf("host %q target %q raw %v: found %q, want %q in:\n%s", rec.Request.Host, rec.Request.Target,
					raw, nameOf(got), nameOf(want), describe(locations))
			}
			if got != nil {
				found++
			}
		}
	}
	if found < configurations*5 {
		t.Fatalf("only %d of %d requests matched: the test shows little", found, configurations*20)
	}
}

func describe(locations []*Location) string {
	var b strings.Builder
	for _, l := range locations {
		fmt.Fprintf(&b, "%s: weight %d host %q path %q headers %q query %q\n", l.Name, l.Weight, l.Config.Host,
			l.Config.Path, l.Config.MatchHeaders, l.Config.MatchQuery)
	}
	return b.String()
}

func TestLiteralPrefixIsWhatEveryMatchBeginsWith(t *testing.T) {
	for text, want := range map[string]string{
		"^/api/v[0-9]+": "/api/v", `\A/api`: "/api", `^/a\.b$`: "/a.b", "/api": "", "^/a|/b": "", "^(/a)": "", "^/ab*": "/a",
		"^/a?b": "/", "(?i)^/api": "", "(?m)^/api": "", "^/a|^/ab": "", "^/é/x+": "/é/", "^/\uFFFDx+": "/", "^": "", "": "",
		"(": "",
	} {
		if got := literalPrefix(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
