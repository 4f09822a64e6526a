package logfile

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pingap/ipc"
	"pingap/supervisor/archive"
)

// opened makes a file of some bytes and returns a descriptor to it.
func opened(t *testing.T, path string, size int) int {
	t.Helper()
	if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_APPEND|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

func TestAFileHasGrownAtItsSize(t *testing.T) {
	fd := opened(t, filepath.Join(t.TempDir(), "a"), 5000)
	for size, want := range map[int64]bool{0: false, 5001: false, 5000: true, 4096: true} {
		if got := Grown(ipc.LogTarget{Rotation: ipc.LogRotation{MaxSize: size}}, fd); got != want {
			t.Errorf("%d: %v", size, got)
		}
	}
}

func TestAFileIsPutAsideUnderAFreeName(t *testing.T) {
	dir := t.TempDir()
	path, now := filepath.Join(dir, "a.log"), time.Now()
	fd := opened(t, path, 3)
	if err := os.WriteFile(archive.AsideName(path, now), []byte("there"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := PutAside(path, fd, now); err != nil {
		t.Fatal(err)
	}
	moved, err := os.ReadFile(archive.AsideName(path, now.Add(time.Millisecond)))
	if err != nil || len(moved) != 3 {
		t.Errorf("%q, %v", moved, err)
	}
	if data, err := os.ReadFile(archive.AsideName(path, now)); err != nil || string(data) != "there" {
		t.Errorf("the other is %q, %v", data, err)
	}
}

// What is at the path now is not the file that has grown, or not to be moved.
func TestOnlyTheOpenFileIsPutAside(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.log")
	fd := opened(t, path, 3)
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := PutAside(path, fd, time.Now()); err != nil {
		t.Errorf("gone: %v", err)
	}
	if err := os.WriteFile(path, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := PutAside(path, fd, time.Now()); err != nil {
		t.Errorf("another: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path+".1", path); err != nil {
		t.Fatal(err)
	}
	if err := PutAside(path, fd, time.Now()); err == nil {
		t.Error("a link is put aside")
	}
	if names, _ := filepath.Glob(dir + "/*"); len(names) != 2 {
		t.Errorf("files %v", names)
	}
}
