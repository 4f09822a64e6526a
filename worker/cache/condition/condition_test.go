package condition

import (
	"bytes"
	"strings"
	"testing"
)

func TestRanges(t *testing.T) {
	cases := []struct {
		text   string
		length int64
		want   Span
	}{
		{"bytes=0-1", 10, Span{0, 2, Part}}, {"bytes=1-", 10, Span{1, 9, Part}}, {"bytes=-3", 10, Span{7, 3, Part}}, {"bytes=-30", 10, Span{0, 10, Part}},
		{"BYTES=9-100", 10, Span{9, 1, Part}}, {"bytes=10-", 10, Span{How: Unsatisfied}}, {"bytes=-0", 10, Span{How: Unsatisfied}},
		{"bytes=0-", 0, Span{How: Unsatisfied}}, {"bytes=-1", 0, Span{How: Unsatisfied}}, {"bytes=2-1", 10, Span{}}, {"bytes=0-1,3-4", 10, Span{}}, {"bytes=", 10, Span{}},
		{"bytes=-", 10, Span{}}, {"lines=0-1", 10, Span{}}, {"bytes=a-b", 10, Span{}}, {"bytes=0-99999999999999999999", 10, Span{}}, {"bytes= 0-1", 10, Span{0, 2, Part}},
	}
	for _, c := range cases {
		if got := ParseRange([]byte(c.text), c.length); got != c.want {
			t.Errorf("%s of %d: %+v", c.text, c.length, got)
		}
	}
}

func FuzzRange(f *testing.F) {
	for _, seed := range []string{"bytes=0-1", "bytes=-5", "bytes=5-", "bytes=1-2,3-4", "bytes=999999999999999999-999999999999999999"} {
		f.Add(seed, int64(10))
	}
	f.Fuzz(func(t *testing.T, text string, length int64) {
		if length < 0 {
			return
		}
		s := ParseRange([]byte(text), length)
		if s.How == Part && (s.From < 0 || s.Length < 1 || s.From+s.Length > length) {
			t.Fatalf("%q of %d: %+v", text, length, s)
		}
	})
}

func TestEntityTags(t *testing.T) {
	cases := []struct {
		list, tag string
		want      bool
	}{
		{`"a"`, `"a"`, true}, {`W/"a"`, `"a"`, true}, {`"a"`, `W/"a"`, true}, {`"b", "a"`, `"a"`, true}, {`"b" , W/"a"`, `"a"`, true},
		{`*`, `"a"`, true}, {`"ab"`, `"a"`, false}, {`"a,b"`, `"a,b"`, true}, {`"a,b"`, `"b"`, false}, {``, `"a"`, false}, {`"a`, `"a"`, false}, {`a`, `a`, true},
		{`"a"`, ``, false},
	}
	for _, c := range cases {
		if got := Matches([]byte(c.list), []byte(c.tag)); got != c.want {
			t.Errorf("%s in %s: %v", c.tag, c.list, got)
		}
	}
}

func FuzzEntityTags(f *testing.F) {
	f.Add(`"a", W/"b"`, `"b"`)
	f.Add(`W/`, `W/`)
	f.Add(`"`, `"a"`)
	f.Fuzz(func(t *testing.T, list, tag string) {
		if Matches([]byte(list), []byte(tag)) && !strings.Contains(list, "*") && !strings.Contains(list, string(opaque(bytes.TrimSpace([]byte(tag))))) {
			t.Fatalf("%q in %q", tag, list)
		}
	})
}
