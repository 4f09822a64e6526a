package rules

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

const module = "pingap"

// source is one Go file that is part of the program: no test, not generated.
type source struct {
	path    string // relative to the top, with slashes
	pkg     string // its folder, "" for the top
	file    *ast.File
	imports []string
	lines   int
}

// tree is the project's Go code.
type tree struct {
	fset    *token.FileSet
	sources []source
}

// top is the folder of go.mod.
func top(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test's folder")
		}
		dir = parent
	}
}

func skipDir(name string) bool {
	return strings.HasPrefix(name, ".") && name != "." || name == "testdata" || name == "node_modules" || name == "bin"
}

// eachFile calls fn with every file of the project, by its path relative to the top.
func eachFile(t *testing.T, fn func(rel string, text []byte)) {
	t.Helper()
	root := os.DirFS(top(t))
	err := fs.WalkDir(root, ".", func(rel string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && skipDir(d.Name()):
			return fs.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		text, err := fs.ReadFile(root, rel)
		if err != nil {
			return err
		}
		fn(rel, text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// readTree parses the program. It fails when it finds hardly anything, since rules about nothing always hold.
func readTree(t *testing.T) *tree {
	t.Helper()
	tr := &tree{fset: token.NewFileSet()}
	eachFile(t, func(rel string, text []byte) {
		if !strings.HasSuffix(rel, ".go") || strings.HasSuffix(rel, "_test.go") {
			return
		}
		if err := tr.add(rel, text); err != nil {
			t.Error(err)
		}
	})
	if len(tr.sources) < 20 {
		t.Fatalf("found only %d source files", len(tr.sources))
	}
	return tr
}

// add parses a file into the tree, unless it is generated.
func (tr *tree) add(rel string, text []byte) error {
	f, err := parser.ParseFile(tr.fset, rel, text, parser.ParseComments)
	if err != nil {
		return err
	}
	if ast.IsGenerated(f) {
		return nil
	}
	s := source{path: rel, pkg: path.Dir(rel), file: f, lines: strings.Count(string(text), "\n")}
	for _, imp := range f.Imports {
		s.imports = append(s.imports, strings.Trim(imp.Path.Value, `"`))
	}
	tr.sources = append(tr.sources, s)
	return nil
}

// packages groups the files by folder.
func (tr *tree) packages() map[string][]source {
	byFolder := map[string][]source{}
	for _, s := range tr.sources {
		byFolder[s.pkg] = append(byFolder[s.pkg], s)
	}
	return byFolder
}

// snippet is a tree of a single file, to show that a rule can fail.
func snippet(t *testing.T, rel, text string) *tree {
	t.Helper()
	tr := &tree{fset: token.NewFileSet()}
	if err := tr.add(rel, []byte(text)); err != nil {
		t.Fatal(err)
	}
	return tr
}

func report(t *testing.T, problems []string) {
	t.Helper()
	for _, p := range problems {
		t.Error(p)
	}
}
