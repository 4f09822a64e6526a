package transfer

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pingap/config"
	"pingap/control/source"
)

const text = `
# a comment
[servers.web]
addr = "127.0.0.1:1"
includes = ["s"]
locations = ["l"]
[locations.l]
upstream = "u"
[upstreams.u]
addrs = ["127.0.0.1:2"]
[storages.s]
category = "config"
value = "access_log = 'tiny'"
`

// load judges as far as package config does.
func load(docs []source.Document) []string {
	var in []config.Document
	for _, d := range docs {
		in = append(in, config.Document{Name: d.Path, Data: d.Data})
	}
	_, report := config.Load(in, config.Options{})
	var errs []string
	for _, p := range report.Errors {
		errs = append(errs, p.String())
	}
	return errs
}

func open(t *testing.T, loc source.Location) source.Store {
	t.Helper()
	s, err := source.OpenStore(context.Background(), loc)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func docs(text string) []source.Document {
	return []source.Document{{Path: "in.toml", Data: []byte(text)}}
}

// files are the files below a directory, hidden ones too.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			name, _ := filepath.Rel(dir, path)
			all = append(all, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestEachLayoutIsWrittenAndMeansTheSame(t *testing.T) {
	top := t.TempDir()
	for _, c := range []struct {
		loc  source.Location
		want []string
	}{
		{source.Location{Path: filepath.Join(top, "a", "p.toml")}, []string{"p.toml"}},
		{source.Location{Path: filepath.Join(top, "b")}, []string{"locations.toml", "servers.toml", "storages.toml", "upstreams.toml"}},
		{source.Location{Path: filepath.Join(top, "c"), Separation: true},
			[]string{"locations/l.toml", "servers/web.toml", "storages/s.toml", "upstreams/u.toml"}},
	} {
		out, err := Import(context.Background(), open(t, c.loc), "p.toml", docs(text), false, load)
		slices.Sort(out.Written)
		if err != nil || !slices.Equal(out.Written, c.want) {
			t.Errorf("%s: %v, %v", c.loc.Path, out, err)
			continue
		}
		dir := c.loc.Path
		if filepath.Ext(dir) != "" {
			dir = filepath.Dir(dir)
		}
		if got := files(t, dir); !slices.Equal(got, c.want) {
			t.Errorf("%s holds %v", dir, got)
		}
		now, err := c.loc.Read()
		if err != nil {
			t.Fatal(err)
		}
		for _, full := range []bool{false, true} {
			a, err := Export(docs(text), full)
			b, berr := Export(now, full)
			if err != nil || berr != nil || string(a) != string(b) || strings.Contains(string(a), "[storages") == full || strings.Contains(string(a), "includes") == full {
				t.Errorf("full %v: %s\nand %s (%v, %v)", full, a, b, err, berr)
			}
		}
		if out, err := Import(context.Background(), open(t, c.loc), "p.toml", docs(text), false, load); err != nil || len(out.Written) != 0 {
			t.Errorf("a second time: %v, %v", out, err)
		}
	}
}

func TestAnImportThatWouldNotLoadWritesNothing(t *testing.T) {
	loc := source.Location{Path: filepath.Join(t.TempDir(), "c"), Separation: true}
	s := open(t, loc)
	if _, err := Import(context.Background(), s, "", docs(text), false, load); err != nil {
		t.Fatal(err)
	}
	before, _ := s.List(context.Background())
	var invalid *Invalid
	for _, bad := range []string{"[upstreams.u]\naddrs = 1", "[", "[locations.l]\nupstream = \"gone\""} {
		if _, err := Import(context.Background(), s, "", docs(bad), false, load); !errors.As(err, &invalid) || len(invalid.Errors) == 0 {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := Import(context.Background(), s, "", docs("[servers.\"a/b\"]\naddr = \"127.0.0.1:3\""), false, load); !errors.Is(err, source.ErrName) {
		t.Errorf("a name that leads elsewhere: %v", err)
	}
	if _, err := Import(context.Background(), s, "", docs("# nothing"), false, load); err == nil {
		t.Error("nothing was imported")
	}
	after, err := s.List(context.Background())
	if err != nil || !slices.EqualFunc(before, after, func(a, b source.Item) bool { return a.Key == b.Key && a.Rev == b.Rev }) {
		t.Errorf("it became %v, %v", after, err)
	}
	out, err := Import(context.Background(), s, "", docs("[upstreams.u]\naddrs = [\"127.0.0.1:4\"]"), false, load)
	if err != nil || !slices.Equal(out.Written, []string{"upstreams/u.toml"}) || len(out.Kept) != 3 {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestWritingMeanwhileIsAConflict(t *testing.T) {
	loc := source.Location{Path: filepath.Join(t.TempDir(), "p.toml")}
	if err := os.WriteFile(loc.Path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	meddle := func(docs []source.Document) []string {
		if err := os.WriteFile(loc.Path, []byte("# somebody else"), 0o600); err != nil {
			t.Error(err)
		}
		return load(docs)
	}
	if _, err := Import(context.Background(), open(t, loc), "p.toml", docs(text), false, meddle); !errors.Is(err, source.ErrConflict) {
		t.Errorf("%v", err)
	}
	if data, _ := os.ReadFile(loc.Path); string(data) != "# somebody else" {
		t.Errorf("overwritten: %s", data)
	}
}

func TestADirectoryIsBroughtIntoItsLayout(t *testing.T) {
	ctx := context.Background()
	for _, history := range []bool{false, true} {
		dir := filepath.Join(t.TempDir(), "c")
		if err := os.MkdirAll(filepath.Join(dir, "sites"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "sites", "all.toml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		loc := source.Location{Path: dir, Separation: true, History: history}
		before, err := loc.Read()
		if err != nil {
			t.Fatal(err)
		}
		done, err := Migrate(ctx, open(t, loc), loc, load)
		want := []string{"locations/l.toml", "servers/web.toml", "sites/all.toml.bak", "storages/s.toml", "upstreams/u.toml"}
		told := "config layout migrated: sites/all.toml (renamed to sites/all.toml.bak)"
		if history {
			want = slices.Delete(want, 2, 3)
			told = "config layout migrated: sites/all.toml (kept in history)"
		}
		if err != nil || len(done) != 1 || done[0].String() != told || !slices.Equal(files(t, dir), want) {
			t.Errorf("history %v: %q, %v, %v", history, done, files(t, dir), err)
		}
		now, err := loc.Read()
		if err != nil {
			t.Fatal(err)
		}
		a, _ := Export(before, false)
		if b, _ := Export(now, false); string(a) != string(b) {
			t.Errorf("it became %s", b)
		}
		if kept := (source.Location{Path: dir + "-history"}); history {
			if all := files(t, kept.Path); len(all) != 1 || !strings.HasPrefix(all[0], "sites-all.toml-") {
				t.Errorf("history: %v", all)
			}
		}
		if lines, err := Migrate(ctx, open(t, loc), loc, load); err != nil || len(lines) != 0 {
			t.Errorf("a second time: %q, %v", lines, err)
		}
	}
}

func TestADirectoryThatDoesNotParseIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x.toml"), []byte("["), 0o644); err != nil {
		t.Fatal(err)
	}
	loc := source.Location{Path: dir}
	if _, err := Migrate(context.Background(), open(t, loc), loc, load); err == nil || !strings.Contains(err.Error(), "migration fail") {
		t.Error(err)
	}
	if got := files(t, dir); !slices.Equal(got, []string{"x.toml"}) {
		t.Errorf("%v", got)
	}
}
