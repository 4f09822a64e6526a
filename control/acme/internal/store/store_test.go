package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func open(t *testing.T) (*Store, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "state", "acme")
	s, err := Make(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, dir
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	s, dir := open(t)
	for _, text := range []string{"one", "two"} {
		if err := s.Write("folder/file.json", map[string]string{"secret": text}); err != nil {
			t.Fatal(err)
		}
		var got map[string]string
		if err := s.Read("folder/file.json", &got); err != nil || got["secret"] != text {
			t.Errorf("got %q, %v", got, err)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "folder", "file.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	info, err = os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestAnOpenFolderIsClosedToOthers(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s, err := Make(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
}

// A write that was cut off leaves the old file, and no hindrance.
func TestWhatACrashLeftIsNoHindrance(t *testing.T) {
	s, dir := open(t)
	if err := s.Write("a.json", "old"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a.json.new"), []byte(`"ne`), 0o600); err != nil {
		t.Fatal(err)
	}
	var got string
	if err := s.Read("a.json", &got); err != nil || got != "old" {
		t.Errorf("got %q, %v", got, err)
	}
	if err := s.Write("a.json", "new"); err != nil {
		t.Fatal(err)
	}
	if names, err := s.Names("."); err != nil || !slices.Equal(names, []string{"a.json"}) {
		t.Errorf("files %q, %v", names, err)
	}
}

func TestWhatIsNotOursIsRefused(t *testing.T) {
	s, dir := open(t)
	if err := os.WriteFile(filepath.Join(dir, "damaged.json"), []byte(`{"key": "the secret`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo.json"), 0o600); err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join(t.TempDir(), "outside.json")
	if err := os.WriteFile(outside, []byte(`"outside"`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link.json")); err != nil {
		t.Fatal(err)
	}
	var got any
	for _, name := range []string{"damaged.json", "fifo.json"} {
		err := s.Read(name, &got)
		if !errors.Is(err, ErrDamaged) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"link.json", "../outside.json"} {
		if err := s.Read(name, &got); err == nil {
			t.Errorf("%s was read: %v", name, got)
		}
	}
	if err := s.Read("missing.json", &got); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if err := s.SetAside("damaged.json"); err != nil {
		t.Error(err)
	}
	if names, err := s.Names("."); err != nil || slices.Contains(names, "damaged.json") {
		t.Errorf("files %q, %v", names, err)
	}
	if names, err := s.Names("nowhere"); err != nil || len(names) != 0 {
		t.Errorf("files %q, %v", names, err)
	}
}

func TestOneProcessWorksWithTheFolder(t *testing.T) {
	s, dir := open(t)
	unlock, first, err := s.Lock(context.Background())
	if err != nil || !first {
		t.Fatalf("first %v, error %v", first, err)
	}
	other, err := Make(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if _, _, err := other.Lock(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the lock was given twice: %v", err)
	}
	type result struct {
		first bool
		err   error
	}
	done := make(chan result)
	go func() {
		unlock, first, err := other.Lock(context.Background())
		if err == nil {
			err = unlock()
		}
		done <- result{first, err}
	}()
	select {
	case r := <-done:
		t.Fatalf("not waited: %+v", r)
	case <-time.After(2 * lockEvery):
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	if r := <-done; r.err != nil || r.first {
		t.Errorf("after it: %+v", r)
	}
}
