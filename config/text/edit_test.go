package text

import (
	"strings"
	"testing"
)

const sample = `# the front, all of it
title = "x"

[servers.web] # here
addr = "127.0.0.1:80"
locations = ["a", # one
  "b"]

# about a
# more about a
[locations.a]
path = "/a" # why
upstream = "u"

# stands by itself

[locations.b]
path = """
/b"""

[locations."with.dot"]
path = '/c'

[plugins.p]
category = "x"
[[plugins.p.rules]]
name = "1"
[[plugins.p.rules]]
name = "2"
`

func TestEditsLeaveTheRestAsItStands(t *testing.T) {
	cases := []struct {
		name     string
		edit     func(d *Document)
		old, new string // what of the sample is replaced by what
	}{
		{"a value", func(d *Document) { d.Set("path", "path", `"/z"`, "locations", "a") }, `"/a" # why`, `"/z" # why`},
		{"a value over lines", func(d *Document) { d.Set("locations", "locations", `["c"]`, "servers", "web") }, "[\"a\", # one\n  \"b\"]", `["c"]`},
		{"a long text", func(d *Document) { d.Set("path", "path", `"/z"`, "locations", "b") }, "\"\"\"\n/b\"\"\"", `"/z"`},
		{"a new key", func(d *Document) { d.Set("host", "host", `"h"`, "locations", "a") }, "upstream = \"u\"\n", "upstream = \"u\"\nhost = \"h\"\n"},
		{"a new key before tables in it", func(d *Document) { d.Set("step", "step", `"s"`, "plugins", "p") }, "category = \"x\"\n", "category = \"x\"\nstep = \"s\"\n"},
		{"a key less", func(d *Document) { d.Unset("upstream", "locations", "a") }, "upstream = \"u\"\n", ""},
		{"a key over lines less", func(d *Document) { d.Unset("locations", "servers", "web") }, "locations = [\"a\", # one\n  \"b\"]\n", ""},
		{"tables in a table less", func(d *Document) { d.Unset("rules", "plugins", "p") },
			"[[plugins.p.rules]]\nname = \"1\"\n[[plugins.p.rules]]\nname = \"2\"\n", ""},
		{"a table with its comments less", func(d *Document) { d.Remove("locations", "a") },
			"# about a\n# more about a\n[locations.a]\npath = \"/a\" # why\nupstream = \"u\"\n\n", ""},
		{"a table with a quoted name less", func(d *Document) { d.Remove("locations", "with.dot") }, "[locations.\"with.dot\"]\npath = '/c'\n\n", ""},
		{"the last table less", func(d *Document) { d.Remove("plugins", "p") }, "\n" + sample[strings.Index(sample, "[plugins.p]"):], ""},
		{"a table in place of another", func(d *Document) { d.Replace("[locations.b]\npath = \"/n\"\n", "locations", "b") }, "path = \"\"\"\n/b\"\"\"\n", "path = \"/n\"\n"},
		{"a new table behind its kind", func(d *Document) { d.Replace("[locations.n]\npath = \"/n\"", "locations", "n") }, "path = '/c'\n", "path = '/c'\n\n[locations.n]\npath = \"/n\"\n"},
		{"two new tables", func(d *Document) {
			d.Replace("[locations.n]", "locations", "n")
			d.Replace("[locations.o]", "locations", "o")
		}, "path = '/c'\n", "path = '/c'\n\n[locations.n]\n\n[locations.o]\n"},
		{"one goes and one comes", func(d *Document) {
			d.Remove("locations", "with.dot")
			d.Replace("[locations.n]", "locations", "n")
		}, "[locations.\"with.dot\"]\npath = '/c'\n", "[locations.n]\n"},
		{"the first of its kind", func(d *Document) { d.Replace("[upstreams.u]", "upstreams", "u") }, "name = \"2\"\n", "name = \"2\"\n\n[upstreams.u]\n"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d, err := Parse(sample)
			if err != nil {
				t.Fatal(err)
			}
			c.edit(d)
			if strings.Count(sample, c.old) != 1 {
				t.Fatalf("%q is not once in the sample", c.old)
			}
			if got, want := d.String(), strings.Replace(sample, c.old, c.new, 1); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestWhatCannotBeEditedInPlaceIsSaid(t *testing.T) {
	for _, c := range []struct{ doc, key string }{
		{"locations = { a = { path = \"/\" } }\n", "host"}, // no header
		{"[locations]\na.path = \"/\"\n", "host"},
		{"[plugins.p]\n[[plugins.p.path]]\nx = 1\n", "path"},
	} {
		d, err := Parse(c.doc)
		if err != nil {
			t.Fatal(err)
		}
		table := []string{"locations", "a"}
		if strings.HasPrefix(c.doc, "[plugins") {
			table = []string{"plugins", "p"}
		}
		if d.Set(c.key, c.key, `"x"`, table...) {
			t.Errorf("%q: set in place: %q", c.doc, d.String())
		}
	}
}

func TestATextWithoutItsLastLineEndTakesAKey(t *testing.T) {
	d, err := Parse("[locations.a]\npath = \"/\"")
	if err != nil {
		t.Fatal(err)
	}
	d.Set("host", "host", `"h"`, "locations", "a")
	d.Replace("[locations.b]", "locations", "b")
	if got := d.String(); got != "[locations.a]\npath = \"/\"\nhost = \"h\"\n\n[locations.b]\n" {
		t.Errorf("%q", got)
	}
}

func TestTheTextOfATableIsAllOfItsStatements(t *testing.T) {
	d, err := Parse(sample + "[plugins.q]\n[[plugins.p.rules]]\nname = \"3\"")
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Table("locations", "a"); got != "# about a\n# more about a\n[locations.a]\npath = \"/a\" # why\nupstream = \"u\"\n" {
		t.Errorf("%q", got)
	}
	if got := d.Table("plugins", "p"); strings.Count(got, "rules") != 3 || strings.Contains(got, "plugins.q") {
		t.Errorf("%q", got)
	}
	if d.Table("plugins", "none") != "" || d.Has("plugins", "none") || !d.Has("plugins", "q") {
		t.Error("a table that is not there")
	}
}

func TestValuesAndCommentsAreReplaced(t *testing.T) {
	doc := "[a.b] # c1\nx = \"1 # no\" # c2\ny = [ \"2\", # c3\n { z = '3' } ]\n# c4\nw = \"\"\"\n# no\n\"\"\" # c5\n[[a.b.l]]\nk = \"4\""
	s, err := Values(doc)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range [][]string{{"a", "b", "x"}, {"a", "b", "y", "#0"}, {"a", "b", "y", "#1", "z"}, {"a", "b", "w"}, {"a", "b", "l", "#0", "k"}} {
		if !s.Replace(`"*"`, path...) {
			t.Errorf("%q has no place", path)
		}
	}
	if s.Replace("x", "a", "b", "none") || s.Replace("x", "a", "b") {
		t.Error("what has no value was replaced")
	}
	s.Comments(func(c string) string { return strings.ToUpper(c) })
	want := "[a.b] # C1\nx = \"*\" # C2\ny = [ \"*\", # C3\n { z = \"*\" } ]\n# C4\nw = \"*\" # C5\n[[a.b.l]]\nk = \"*\""
	if got := s.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func FuzzEdit(f *testing.F) {
	f.Add(sample, "locations", "a", "path")
	f.Add("[locations.a]\npath=1", "locations", "a", "host")
	f.Add("locations.a.path = [1,\n2]\r\n[basic]\r\nx=1", "locations", "a", "path")
	f.Add("[[locations]]\n# x\n[locations.a", "locations", "a", "path")
	f.Fuzz(func(t *testing.T, doc, table, name, key string) {
		d, err := Parse(doc)
		if err != nil {
			return
		}
		if d.String() != doc {
			t.Errorf("without edits %q became %q", doc, d.String())
		}
		d.Set(key, "k", `"v"`, table, name)
		_ = d.String()
		d.Unset(key, table, name)
		d.Replace("[t.n]\n", table, name)
		if got := d.String(); d.Has(table, name) && !strings.Contains(got, "[t.n]") {
			t.Errorf("%q: the table is missing in %q", doc, got)
		}
		s, err := Values(doc)
		if err != nil {
			t.Fatal(err)
		}
		s.Comments(func(c string) string {
			if !strings.HasPrefix(c, "#") {
				t.Errorf("%q is no comment", c)
			}
			return c
		})
		if s.String() != doc {
			t.Errorf("without edits %q became %q", doc, s.String())
		}
	})
}
