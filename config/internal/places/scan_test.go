package places

import (
	"errors"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

func path(dotted string) []string { return strings.Split(dotted, "|") }

func TestKeysHaveTheirLines(t *testing.T) {
	const text = `# comment with = and [x]
top = 1 # [no.table]
dotted.key = "a # b" # c

[servers.web]   # comment
addr = "x=y"
'quoted key' = 1
"esc\u0061ped" = '''
one ''two
'''
after = """x \
  y"""
next = 'it''s' # not valid, but harmless
list = [ # comment ]
  "a]", 'b,',
  # comment, "c"
  """d
]""",
  [1, 2],
  {x = 1, y = [3]},
]
inline = { a = "}", b.c = 2 }

[ spaced . "name" ]
k = 2021-01-01T00:00:00Z

[[tables]]
n = 1
[[tables]]
n = 2
[tables.sub]
m = 3
`
	m, err := Scan(text)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		path       string
		line, text int
	}{
		{"top", 2, 0}, {"dotted", 3, 0}, {"dotted|key", 3, 0},
		{"servers", 5, 0}, {"servers|web", 5, 0}, {"servers|web|addr", 6, 0}, {"servers|web|quoted key", 7, 0},
		{"servers|web|escaped", 8, 9}, {"servers|web|after", 11, 0}, {"servers|web|next", 13, 0},
		{"servers|web|list", 14, 0}, {"servers|web|list|#0", 15, 0}, {"servers|web|list|#1", 15, 0},
		{"servers|web|list|#2", 17, 17}, {"servers|web|list|#3", 19, 0}, {"servers|web|list|#3|#1", 19, 0},
		{"servers|web|list|#4|y|#0", 20, 0}, {"servers|web|inline|b|c", 22, 0},
		{"spaced|name|k", 25, 0}, {"tables|#0|n", 28, 0}, {"tables|#1|n", 30, 0}, {"tables|#1|sub|m", 32, 0},
		{"servers|web|missing", 5, 0}, {"none", 0, 0},
	}
	for _, tt := range tests {
		if at := m.Find(path(tt.path)...); at.Line != tt.line || at.Text != tt.text {
			t.Errorf("%s is at %+v, want line %d text %d", tt.path, at, tt.line, tt.text)
		}
	}
}

func TestLinesOfWindowsFiles(t *testing.T) {
	m, err := Scan("[a]\r\nb = '''\r\nx\r\n'''\r\nc = 1\r\n")
	if err != nil {
		t.Fatal(err)
	}
	if at := m.Find("a", "b"); at.Line != 2 || at.Text != 3 {
		t.Errorf("b is at %+v", at)
	}
	if at := m.Find("a", "c"); at.Line != 5 {
		t.Errorf("c is at %+v", at)
	}
}

func TestNestingIsBounded(t *testing.T) {
	deep := func(n int) []string {
		return []string{
			"x = " + strings.Repeat("[", n) + strings.Repeat("]", n),
			"x = " + strings.Repeat("{a=", n) + "1" + strings.Repeat("}", n),
			"x" + strings.Repeat(".x", n-1) + " = 1",
			"[x" + strings.Repeat(".x", n-1) + "]",
		}
	}
	for _, text := range deep(MaxNesting - 1) {
		if _, err := Scan(text); err != nil {
			t.Errorf("%.20s: %v", text, err)
		}
	}
	for _, text := range append(deep(MaxNesting+1), deep(1_000_000)...) {
		if _, err := Scan(text); !errors.Is(err, ErrNesting) {
			t.Errorf("%.20s: got %v", text, err)
		}
	}
}

// FuzzScan holds the scanner against the library: every key it decodes has a line.
func FuzzScan(f *testing.F) {
	for _, text := range []string{
		"a = 1", "[a]\nb.c = [1, {x = 2}]", "a = '''\n'''''", `a = """\""""`, "a = \"\\\"", "[[a]]\n[[a]]\n[a.b]", "[", "= 1", "a = [1", "{", "'a' = {b = 1",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := Scan(text)
		if only := Check(text); !errors.Is(only, err) {
			t.Fatalf("Check says %v, Scan %v", only, err)
		}
		if err != nil {
			return
		}
		last := 1 + strings.Count(text, "\n")
		for key, at := range m {
			if at.Line < 1 || at.Line > last {
				t.Fatalf("%q is at line %d of %d", key, at.Line, last)
			}
		}
		var tree map[string]any
		if _, err := toml.Decode(text, &tree); err == nil {
			checkTree(t, m, nil, tree)
		}
	})
}

func checkTree(t *testing.T, m Map, at []string, v any) {
	t.Helper()
	switch v := v.(type) {
	case map[string]any:
		for key, child := range v {
			checkChild(t, m, at, key, child)
		}
	case []any:
		for i, child := range v {
			checkChild(t, m, at, Element(i), child)
		}
	case []map[string]any:
		for i, child := range v {
			checkChild(t, m, at, Element(i), child)
		}
	}
}

func checkChild(t *testing.T, m Map, at []string, key string, child any) {
	t.Helper()
	at = append(at[:len(at):len(at)], key)
	if _, ok := m[join(at...)]; !ok {
		t.Fatalf("%q has no line", at)
	}
	checkTree(t, m, at, child)
}
