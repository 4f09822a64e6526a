package limit

import (
	"strings"
	"testing"
)

// FuzzQuoted: any name of a table is a string of structured fields (RFC 9651 section 3.3.3) in what clients are told.
func FuzzQuoted(f *testing.F) {
	for _, name := range []string{"", "few", `a"b\c`, "é\x00\n", "a;r=9,\x7f"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		text := quoted(name)
		inner, ok := strings.CutPrefix(text, `"`)
		if ok {
			inner, ok = strings.CutSuffix(inner, `"`)
		}
		if !ok {
			t.Fatalf("%q: %s is not quoted", name, text)
		}
		for i := 0; i < len(inner); i++ {
			switch c := inner[i]; {
			case c < ' ' || c > '~', c == '"':
				t.Fatalf("%q: %q at %d", name, c, i)
			case c == '\\':
				if i++; i == len(inner) || inner[i] != '"' && inner[i] != '\\' {
					t.Fatalf("%q: %s escapes nothing", name, text)
				}
			}
		}
	})
}
