package source

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// write makes a file and the directories above it.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

func TestReadDirectoryIsRecursiveAlphabeticalAndSkipsHiddenNames(t *testing.T) {
	dir := t.TempDir()
	other := t.TempDir()
	for _, name := range []string{"b.toml", "a/z.toml", "a/b/c.toml", "servers.toml", ".hidden.toml",
		".#a.toml", "..2024/a.toml", "a/notes.txt", "x.toml.bak"} {
		write(t, filepath.Join(dir, name), name)
	}
	write(t, filepath.Join(other, "linked.toml"), "linked")
	link(t, other, filepath.Join(dir, "more"))
	link(t, "..", filepath.Join(dir, "a", "up"))
	link(t, "nowhere", filepath.Join(dir, "dangling"))

	docs, err := Location{Path: dir}.Read()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range docs {
		rel, err := filepath.Rel(dir, d.Path)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, rel)
	}
	want := []string{"a/b/c.toml", "a/z.toml", "b.toml", "more/linked.toml", "servers.toml"}
	if !slices.Equal(got, want) {
		t.Errorf("read %q, want %q", got, want)
	}
}

func TestReadRefuses(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "hcl", "a.hcl"), "")
	write(t, filepath.Join(dir, "none", "a.txt"), "")
	write(t, filepath.Join(dir, "big", "a.toml"), "")
	if err := os.Truncate(filepath.Join(dir, "big", "a.toml"), MaxBytes+1); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "fifo"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo", "a.toml"), 0o644); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, strings.Repeat("d/", maxDepth+2), "a.toml"), "")
	if err := os.MkdirAll(filepath.Join(dir, "gone"), 0o755); err != nil {
		t.Fatal(err)
	}
	link(t, "nowhere.toml", filepath.Join(dir, "gone", "a.toml"))
	cases := []struct {
		path, text string
		is         error
	}{
		{"missing.toml", "does not exist", ErrNotFound},
		{"missing", "does not exist", ErrNotFound},
		{"gone", "a.toml does not exist", ErrNotFound},
		{"none", "no .toml file", ErrEmpty},
		{"hcl", "not supported yet", ErrUnsupported},
		{"big", "more than 64 MiB", nil},
		{"fifo", "not a regular file", nil},
		{"d", "directories deep", nil},
	}
	for _, c := range cases {
		_, err := Location{Path: filepath.Join(dir, c.path)}.Read()
		if err == nil || !strings.Contains(err.Error(), c.text) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: error %v, want one with %q", c.path, err, c.text)
		}
	}
}

func TestUnreadableFileIsExplained(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.toml")
	write(t, path, "")
	if err := os.Chmod(path, 0o200); err != nil {
		t.Fatal(err)
	}
	// Through explain, so that the test also holds when run as root.
	err := explain(path, &os.PathError{Op: "open", Path: path, Err: syscall.EACCES})
	for _, part := range []string{path, "permission denied", "belongs to uid", "mode 0200", "chmod g+r"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q lacks %q", err, part)
		}
	}
	if !errors.Is(err, syscall.EACCES) {
		t.Errorf("%v does not wrap EACCES", err)
	}
}

func TestMemoryLocation(t *testing.T) {
	docs, err := Memory("--upstream", "x = 1").Read()
	if err != nil || len(docs) != 1 || docs[0].Path != "--upstream" || !bytes.Equal(docs[0].Data, []byte("x = 1")) {
		t.Errorf("got %+v, %v", docs, err)
	}
}

func TestDigestSeesNamesBordersAndData(t *testing.T) {
	seen := map[string]int{}
	for i, docs := range [][]Document{
		{{"a", []byte("bc")}},
		{{"ab", []byte("c")}},
		{{"a", []byte("b")}, {"c", nil}},
		{{"a", []byte("bd")}},
		nil,
	} {
		d := Digest(docs)
		if j, ok := seen[d]; ok {
			t.Errorf("documents %d and %d have the same digest", i, j)
		}
		seen[d] = i
	}
}
