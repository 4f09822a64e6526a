package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pingap/config"
)

// described is the program as the binary of this tree describes itself.
func described(t *testing.T) program {
	t.Helper()
	out, err := exec.Command("go", "run", "pingap/cmd/pingap", "describe").Output()
	if err != nil {
		t.Fatal(err)
	}
	p, err := readProgram(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPagesNameEveryFlagCommandAndKey(t *testing.T) {
	p := described(t)
	text := programPage(p, "2026-01-31")
	for _, c := range p.Commands {
		if !strings.Contains(text, "\n.SS \"pingap "+c.Name+"\"\n") {
			t.Errorf("command %s is not in the page", c.Name)
		}
	}
	for _, f := range p.everything() {
		if !strings.Contains(text, `\-\-`+roff(f.Long)+`\fP`) {
			t.Errorf("--%s is not in the page", f.Long)
		}
	}
	text = configPage("1", "2026-01-31")
	for _, table := range config.Tables() {
		_, section, found := strings.Cut(text, "\n.SS \"["+table.Name)
		if !found {
			t.Fatalf("no section of %s", table.Name)
		}
		section, _, _ = strings.Cut(section, "\n.SS ")
		for _, k := range table.Keys {
			if strings.Count(section, "\n"+`\fB`+roff(k.Name)+`\fP (`) != 1 {
				t.Errorf("%s.%s is not in its section", table.Name, k.Name)
			}
		}
	}
}

// A word in running text must not become a macro, and what is typed must be copied as it was.
func TestRoffMeansText(t *testing.T) {
	for text, want := range map[string]string{
		".toml files": `\&.toml files`, "--run-dir": `\-\-run\-dir`, `a\nb`: `a\enb`, "~x": `\(tix`, "'quoted'": `\(aqquoted\(aq`,
	} {
		if got := roff(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
	m := newPage("x", 1, "d", "v", "s")
	m.text("first " + strings.Repeat("word ", 30) + "\n\n  kept   as is\n  .and this")
	for line := range strings.Lines(m.String()) {
		if len(line) > 80 {
			t.Errorf("long line %q", line)
		}
	}
	if !strings.Contains(m.String(), "\n  kept   as is\n  .and this\n") {
		t.Errorf("the example is not kept:\n%s", m)
	}
}

// install writes the documents to a directory of the test.
func install(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range documents(described(t), "2026-01-31") {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// need skips a test by the name of the program that is missing.
func need(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("%s is not installed", name)
	}
}

func output(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

func TestManualPagesAreGoodRoff(t *testing.T) {
	need(t, "mandoc")
	dir := install(t)
	for _, page := range []string{"man/man8/pingap.8", "man/man5/pingap.toml.5"} {
		if out := output(t, dir, "mandoc", "-T", "lint", "-W", "style", page); out != "" {
			t.Error(out)
		}
	}
}

func TestBashCompletes(t *testing.T) {
	need(t, "bash")
	dir := install(t)
	if err := os.WriteFile(filepath.Join(dir, "my.toml"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	complete := func(line string) []string {
		words := strings.Split(line, " ")
		for i, w := range words {
			words[i] = shellQuoted(w)
		}
		return strings.Fields(output(t, dir, "bash", "--norc", "-c", `. bash-completion/completions/pingap
COMP_WORDS=(`+strings.Join(words, " ")+`); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _pingap; printf '%s\n' "${COMPREPLY[@]}"`))
	}
	for line, want := range map[string][]string{
		"pingap sta":                   {"status"},
		"pingap stop --f":              {"--fast"},
		"pingap status --js":           {"--json"},
		"pingap --run-dir man rel":     {"reload"},
		"pingap -c my":                 {"my.toml"},
		"pingap -c my.toml --auto":     {"--autoreload", "--autorestart"},
		"pingap --run-dir ma":          {"man"},
		"pingap reload --timeout ":     {},
		"pingap help reo":              {"reopen"},
		"pingap status --no-such-flag": {},
	} {
		got := complete(line)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

func TestFishCompletes(t *testing.T) {
	need(t, "fish")
	dir := install(t)
	for line, want := range map[string]string{"pingap sta": "status", "pingap stop --f": "--fast", "pingap help reo": "reopen"} {
		out := output(t, dir, "fish", "--no-config", "-c", "source fish/vendor_completions.d/pingap.fish; complete -C "+fishQuoted(line))
		if first, _, _ := strings.Cut(strings.TrimSpace(out), "\t"); first != want {
			t.Errorf("%q: %q, want %q", line, out, want)
		}
	}
}

func TestZshUnderstands(t *testing.T) {
	need(t, "zsh")
	output(t, install(t), "zsh", "-n", "zsh/vendor-completions/_pingap")
}

func TestRunNeedsItsArguments(t *testing.T) {
	for _, args := range [][]string{nil, {"dir"}, {"-date", "2026-01-31"}} {
		if err := run(args, strings.NewReader("{}")); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
	if err := run([]string{"-date", "2026-01-31", t.TempDir()}, strings.NewReader("{}")); err == nil {
		t.Error("a description of nothing was taken")
	}
}

// Whose code is in the binary is in the copyright file that goes with it.
func TestCopyrightNamesEveryModule(t *testing.T) {
	const self = "pingap"
	text, err := os.ReadFile("../../copyright")
	if err != nil {
		t.Fatal(err)
	}
	modules := map[string]bool{}
	for name := range strings.FieldsSeq(output(t, ".", "go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", self+"/cmd/pingap")) {
		modules[name] = true
	}
	if !modules[self] || len(modules) < 4 {
		t.Fatalf("modules: %v", modules)
	}
	delete(modules, self)
	for name := range modules {
		if !strings.Contains(string(text), "\nFiles: "+name+"\nCopyright: ") {
			t.Errorf("packaging/copyright does not name %s", name)
		}
	}
}
