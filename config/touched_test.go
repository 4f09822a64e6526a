package config

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// index is a list of objects: names of locations with their hash behind a colon, among objects of other kinds.
func index(text string) []Object {
	all := []Object{{Kind: KindBasic}, {Kind: KindServer, Name: "a", Sha: Sha{byte(len(text))}}}
	for _, word := range strings.Fields(text) {
		name, sha, _ := strings.Cut(word, ":")
		all = append(all, Object{Kind: KindLocation, Name: name, Sha: Sha{sha[0]}})
	}
	return append(all, Object{Kind: KindUpstream, Name: "a", Sha: Sha{byte(len(text))}})
}

func TestTouchedLocations(t *testing.T) {
	for _, c := range []struct{ before, after, want string }{
		{"", "", ""},
		{"a:1 b:1", "a:1 b:1", ""},
		{"a:1 b:1 c:1", "a:1 b:2 c:1", "b"},
		{"a:1 b:1 c:1", "b:1", "a c"},
		{"b:1", "a:1 b:1 c:1", "a c"},
		{"a:1 c:1", "b:1 d:1", "a b c d"},
		{"", "a:1", "a"},
		{"a:1", "", "a"},
	} {
		got := strings.Join(slices.Sorted(maps.Keys(TouchedLocations(index(c.before), index(c.after)))), " ")
		if got != c.want {
			t.Errorf("from %q to %q: got %q, want %q", c.before, c.after, got, c.want)
		}
	}
	if got := TouchedLocations(nil, index("a:1")); !got["a"] {
		t.Error("at the start every location is new")
	}
}
