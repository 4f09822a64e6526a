package rules

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every plugin is in the one list, and says what it is for.
func TestEveryPluginIsListed(t *testing.T) {
	listed := map[string]bool{}
	folders := map[string]bool{}
	for _, s := range readTree(t).sources {
		if s.path == "cmd/pingap/plugins.go" {
			for _, imp := range s.imports {
				listed[strings.TrimPrefix(imp, module+"/")] = true
			}
		}
		if path.Dir(s.pkg) == "plugins" && s.pkg != "plugins/plugintest" {
			folders[s.pkg] = true
		}
	}
	if len(folders) < 2 {
		t.Fatalf("found only %d plugins", len(folders))
	}
	for folder := range folders {
		if !listed[folder] {
			t.Errorf("%s is not in cmd/pingap/plugins.go", folder)
		}
		if _, err := os.Stat(filepath.Join(top(t), folder, "README.md")); err != nil {
			t.Errorf("%s has no README.md", folder)
		}
	}
}

// documents are the texts for people that name files.
func documents(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	eachFile(t, func(rel string, text []byte) {
		if path.Ext(rel) == ".md" && (path.Dir(rel) == "." || strings.HasPrefix(rel, "docs/")) {
			texts[rel] = string(text)
		}
	})
	for _, must := range []string{"README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/glossary.md"} {
		if texts[must] == "" {
			t.Errorf("%s is missing", must)
		}
	}
	return texts
}

// A file or folder that a document names in backticks or links to exists.
func TestDocumentsNameWhatExists(t *testing.T) {
	quoted := regexp.MustCompile("`([a-z0-9_]+(?:/[a-zA-Z0-9_.-]+)*(?:/|\\.(?:go|md|sh|c|h|toml)))`")
	linked := regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	found := 0
	for doc, text := range documents(t) {
		for _, m := range quoted.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(m[1], "/") {
				continue // a bare file name stands beside the folder it is in
			}
			found++
			if _, err := os.Stat(filepath.Join(top(t), m[1])); err != nil {
				t.Errorf("%s names %s, which does not exist", doc, m[1])
			}
		}
		for _, m := range linked.FindAllStringSubmatch(text, -1) {
			found++
			if _, err := os.Stat(filepath.Join(top(t), path.Dir(doc), m[1])); err != nil {
				t.Errorf("%s links to %s, which does not exist", doc, m[1])
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d names of files found in the documents", found)
	}
}

// The recipes of CONTRIBUTING.md stay recipes: at most six steps.
func TestRecipesAreShort(t *testing.T) {
	text := documents(t)["CONTRIBUTING.md"]
	recipes := 0
	for _, section := range strings.Split(text, "\n## ") {
		if !strings.HasPrefix(section, "How to add") {
			continue
		}
		recipes++
		steps := regexp.MustCompile(`(?m)^\d+\. `).FindAllString(section, -1)
		if len(steps) == 0 || len(steps) > 6 {
			title, _, _ := strings.Cut(section, "\n")
			t.Errorf("%q has %d steps, want 1 to 6", title, len(steps))
		}
	}
	if recipes < 3 {
		t.Errorf("found %d recipes, want those for a plugin, a metric and a config key", recipes)
	}
}
