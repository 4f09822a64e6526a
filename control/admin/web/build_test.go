package web

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// modules are where `make tools` (or npm ci in this folder) puts the packages that the panel is built with.
func modules(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not installed")
	}
	for _, dir := range []string{"node_modules", "../../../bin/tools/panel/node_modules"} {
		if _, err := os.Stat(filepath.Join(dir, "vite")); err == nil {
			abs, err := filepath.Abs(dir)
			if err != nil {
				t.Fatal(err)
			}
			return abs
		}
	}
	t.Skip("the packages of the panel are not installed (make tools)")
	return ""
}

// workshop is a copy of the sources, with the packages beside them: nothing is written to the tree.
func workshop(t *testing.T) string {
	t.Helper()
	packages, dir := modules(t), t.TempDir()
	for _, name := range []string{"src", "mock", "test"} {
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"package.json", "tsconfig.json", "vite.config.ts", "index.html"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(packages, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func run(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "NODE_ENV=production")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
}

func TestAFreshBuildGivesTheSameBytes(t *testing.T) {
	dir := workshop(t)
	run(t, dir, "node", "node_modules/vite/bin/vite.js", "build", "--logLevel", "error")
	fresh, kept := contents(t, filepath.Join(dir, "dist")), contents(t, "dist")
	names := []string{}
	for name := range kept {
		names = append(names, name)
		if !bytes.Equal(fresh[name], kept[name]) {
			t.Errorf("dist/%s is not what the sources make (make panel)", name)
		}
	}
	for name := range fresh {
		if !slices.Contains(names, name) {
			t.Errorf("dist/%s is missing (make panel)", name)
		}
	}
}

func contents(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	root := os.DirFS(dir)
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files[name], err = fs.ReadFile(root, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestTypesAreRight(t *testing.T) {
	run(t, workshop(t), "node", "node_modules/typescript/bin/tsc", "--noEmit")
}

func TestThePartsOfThePanelDoWhatTheyShould(t *testing.T) {
	run(t, workshop(t), "node", "test/run.mjs")
}
