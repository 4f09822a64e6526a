package simple

import (
	"reflect"
	"testing"

	"github.com/BurntSushi/toml"
)

// readable are documents that need no library.
func readable() []string {
	return []string{
		"", "# only a comment", "a = 1\nb = true # c\nc=false", "a = \"~^/x\\\\.html\\\"#\"\nb = \"\\\\\"", "a = \"x # y\"\n'b c' = 'd\\e'\n\"f g\" = []",
		"[a]\nx = 1\n[a.b]\ny = 2\n\n[ c . 'd e' ] # f\nz = 'ä€'", "[a.b.c]\n[a.d]",
		"a = [\n  \"x\", # y\n  'z',\n]\nb = ['p', \"q\"]", "a = \"\"\"\nx\n  y\"\"\"\nb = '''z\\n'''", "a = 123456789012345678",
		"a = \"\"\nb = ''\nc = \"\"\"\"\"\"",
	}
}

func TestReadsWhatTheLibraryReads(t *testing.T) {
	for _, text := range readable() {
		tree, ok := Read(text)
		if !ok {
			t.Errorf("%q was left to the library", text)
			continue
		}
		checkSame(t, text, tree)
	}
}

// leftOver are documents for the library, be they right or wrong.
func leftOver() []string {
	return []string{
		"a = 1.5", "a = 1e3", "a = 0x1f", "a = 007", "a = +1", "a = -1", "a = 1_000", "a = 1234567890123456789", "a = 2021-01-01", "a = 07:32:00",
		"a = \"\\t\"", "a = \"\\", "a = \"\\\"", "a = \"\\\\\n\"", "a = \"\"\"\\\n x\"\"\"", "a = \"\"\"x\"\"\"\"", "a = {b = 1}", "a = [1]", "a = [[]]", "a = ['x' 'y']", "a = [,]", "a = ['x',,]", "a = [",
		"a.b = 1", "[[a]]", "a = 1\na = 2", "[a]\n[a]", "[a.b]\n[a]", "a = 1\n[a.b]", "a = 1\n[a]", "[a]\nb = 1\n[a.b]",
		"a", "a =", "= 1", "[", "[a", "[]", "[a.]", "[a.a.a.a.a.a.a.a.a]", "[a] b", "a = 1 b", "a = 'x", "a = \"x\ny\"", "a = '''x", "a = truex", "a = 'x'y",
		"a = 1\r\n", "a = 'x\x00'", "a = 'x\x7f'", "# \x01", "a = '\xff'", "\ufeffa = 1", "ä = 1",
	}
}

func TestLeavesTheRestToTheLibrary(t *testing.T) {
	for _, text := range leftOver() {
		if tree, ok := Read(text); ok {
			t.Errorf("%q was read as %v", text, tree)
		}
	}
}

// FuzzRead holds every document that is read against the library.
func FuzzRead(f *testing.F) {
	for _, text := range append(readable(), leftOver()...) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if tree, ok := Read(text); ok {
			checkSame(t, text, tree)
		}
	})
}

func checkSame(t *testing.T, text string, tree map[string]any) {
	t.Helper()
	want := map[string]any{}
	if _, err := toml.Decode(text, &want); err != nil {
		t.Fatalf("%q was read, the library refuses it: %v", text, err)
	}
	if !reflect.DeepEqual(tree, want) {
		t.Fatalf("%q was read as %#v, the library reads %#v", text, tree, want)
	}
}
