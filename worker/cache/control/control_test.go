package control

import (
	"strings"
	"testing"

	"pingap/message"
)

// fields reads "Name: value" lines.
func fields(text string) []message.Field {
	var all []message.Field
	for line := range strings.SplitSeq(text, "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			n := []byte(strings.TrimSpace(name))
			all = append(all, message.Field{Name: n, Value: []byte(strings.TrimSpace(value)), ID: message.LookupName(n)})
		}
	}
	return all
}

func TestPragmaCountsWithoutCacheControl(t *testing.T) {
	if d := ParseDirectives(fields("Pragma: no-cache")); !d.NoCache {
		t.Error("ignored")
	}
	if d := ParseDirectives(fields("Pragma: no-cache\nCache-Control: max-age=1")); d.NoCache {
		t.Error("counts beside Cache-Control")
	}
}

func FuzzCacheControl(f *testing.F) {
	for _, seed := range []string{"max-age=60", "max-age=\"60\", private=\"a, b\"", "no-cache=\"", "a=b=c", ",,,", "max-age=99999999999999999999", "=", "\"\\\"", "x=\"\\"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list := []message.Field{{ID: message.CacheControl, Value: []byte(text)}}
		c := Parse(list)
		for _, n := range []int64{c.MaxAge, c.SMaxAge, c.StaleIfError, c.StaleWhileRevalidate} {
			if n < None || n > MaxSeconds {
				t.Fatalf("%q: %+v", text, c)
			}
		}
		for _, name := range append(c.NoCacheFields, c.PrivateFields...) {
			if !message.ValidToken([]byte(name)) {
				t.Fatalf("%q: field %q", text, name)
			}
		}
		// What forbids to store is found wherever it stands.
		list[0].Value = []byte("no-store, " + text)
		if c := Parse(list); !c.NoStore {
			t.Fatalf("%q: no-store in front is lost", text)
		}
		ParseDirectives(list)
	})
}
