package main

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"

	"pingap/config"
	"pingap/plugins"
)

// updatePlugins rewrites the generated parts; what it wrote is to be read before it is committed.
var updatePlugins = flag.Bool("update-plugins", false, "rewrite the generated parts of docs/plugins.md and plugins/*/README.md")

const pluginRoot = "../../plugins"

func TestEveryPluginFolderIsInTheList(t *testing.T) {
	var listed []string
	for _, f := range pluginList() {
		listed = append(listed, f.Category)
	}
	entries, err := os.ReadDir(pluginRoot)
	if err != nil {
		t.Fatal(err)
	}
	var folders []string
	for _, e := range entries {
		if e.IsDir() && e.Name() != "plugintest" && e.Name() != "testdata" { // the harness and its data
			folders = append(folders, e.Name())
		}
	}
	slices.Sort(listed)
	if !slices.Equal(listed, folders) {
		t.Errorf("listed  %v\nfolders %v", listed, folders)
	}
	for _, folder := range folders {
		for _, file := range []string{"README.md", "doc.go"} {
			if _, err := os.Stat(filepath.Join(pluginRoot, folder, file)); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestPluginListMakesARegistryWithItsBuiltins(t *testing.T) {
	r := plugins.NewRegistry(pluginList(), nil) // a wrong declaration panics
	for _, name := range []string{"pingap:ping", "pingap:requestId", "pingap:stats", "pingap:acceptEncodingAdjustment"} {
		cfg, _, built := r.Builtin(name)
		if !built {
			t.Errorf("%s is not built", name)
			continue
		}
		x, err := r.Build(cfg)
		if err != nil {
			t.Error(err)
			continue
		}
		if x.Decider == nil || x.Name != name {
			t.Errorf("%+v", x)
		}
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestPluginDocsAreCurrent(t *testing.T) {
	code, err := os.ReadFile(filepath.Join(pluginRoot, "ping", "ping.go"))
	if err != nil {
		t.Fatal(err)
	}
	const guide = "../../docs/plugins.md"
	keepCurrent(t, guide, "ping.go", "```go\n"+string(code)+"```\n")
	keepCurrent(t, guide, "reference", plugins.Reference(pluginList()))
	for _, f := range pluginList() {
		keepCurrent(t, filepath.Join(pluginRoot, f.Category, "README.md"), "parameters", plugins.ParamTable(f.Params))
	}
}

func TestPluginExamplesAreAccepted(t *testing.T) {
	check := plugins.NewRegistry(pluginList(), nil).ConfigChecker()
	files, err := filepath.Glob(filepath.Join(pluginRoot, "*", "README.md"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range append(files, "../../docs/plugins.md") {
		found := 0
		for name, table := range exampleTables(t, file) {
			found++
			category, _ := table["category"].(string)
			step, _ := table["step"].(string)
			delete(table, "category")
			delete(table, "step")
			for _, p := range check(name, category, step, table) {
				t.Errorf("%s: plugins.%s: %+v", file, name, p)
			}
		}
		if found == 0 {
			t.Errorf("%s has no example", file)
		}
	}
}

func TestUpstreamsThatPluginsNameMustBeThere(t *testing.T) {
	const table = "[plugins.canary]\ncategory = \"traffic_splitting\"\nupstream = \"next\"\n"
	for text, want := range map[string]string{
		table: "x.toml:3: plugins.canary.upstream: upstream \"next\" is not defined",
		table + "[upstreams.next]\naddrs = [\"127.0.0.1:1\"]\n": "",
	} {
		_, report := config.Load([]config.Document{{Name: "x.toml", Data: []byte(text)}}, configOptions())
		err := report.Err()
		if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot %v, want %q", text, err, want)
		}
	}
}

// exampleDatabase is what examples call a file that users bring; tests put one of ours in its place.
const exampleDatabase = "/usr/share/GeoIP/GeoLite2-Country.mmdb"

// exampleTables returns the tables of plugins in the TOML examples of a file.
func exampleTables(t *testing.T, file string) map[string]map[string]any {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	database, err := filepath.Abs(filepath.Join(pluginRoot, "geo_restriction", "testdata", "country.mmdb"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string]any{}
	for _, part := range strings.Split(string(text), "```toml\n")[1:] {
		code, _, _ := strings.Cut(part, "```")
		code = strings.ReplaceAll(code, exampleDatabase, database)
		var example struct{ Plugins map[string]map[string]any }
		if _, err := toml.Decode(code, &example); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		for name, table := range example.Plugins {
			all[name] = table
		}
	}
	return all
}

// keepCurrent checks what stands between the marks of a file, or rewrites it.
func keepCurrent(t *testing.T, file, mark, want string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+mark+" -->\n", "<!-- /"+mark+" -->"
	before, rest, ok := strings.Cut(string(text), begin)
	got, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no marks for %s", file, mark)
	}
	if got == want {
		return
	}
	if !*updatePlugins {
		t.Errorf("%s: %s is not what the code says; run go test ./cmd/pingap -run Plugin -update-plugins", file, mark)
		return
	}
	if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// What people are told of a change is made without the plugins: the names of what they call secret, or the forms of it, have to say so.
func TestADifferenceHoldsNoSecretOfAPlugin(t *testing.T) {
	secrets := 0
	for _, f := range pluginList() {
		for path, value := range secretsOf(f.Params, "hidden") {
			secrets++
			is := &config.Config{Plugins: map[string]*config.Plugin{"p": {Name: "p", Category: f.Category, Params: map[string]any{path: value}}}}
			was := &config.Config{Plugins: map[string]*config.Plugin{"p": {Name: "p", Category: f.Category}}}
			for _, text := range []string{config.Diff(was, is).Text(), config.Diff(is, was).Text()} {
				if !strings.Contains(text, path) || strings.Contains(text, "hidden") {
					t.Errorf("%s.%s: told\n%s", f.Category, path, text)
				}
			}
		}
	}
	if secrets < 5 {
		t.Errorf("%d parameters with secrets", secrets)
	}
}

// secretsOf makes values of parameters that are secret. Those that are URLs hold it as a password.
func secretsOf(params []plugins.Param, secret string) map[string]any {
	values := map[string]any{}
	for _, p := range params {
		switch {
		case len(p.Table) > 0:
			if inner := secretsOf(p.Table, secret); len(inner) > 0 {
				values[p.Name] = []any{inner}
			}
		case !p.Secret:
		case p.Type == plugins.Strings:
			values[p.Name] = []any{secret}
		case p.Name == "storage":
			values[p.Name] = "redis://:" + secret + "@cache.test:6379/0"
		default:
			values[p.Name] = secret
		}
	}
	return values
}
