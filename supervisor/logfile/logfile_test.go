package logfile

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pingap/ipc"
)

func TestNames(t *testing.T) {
	dir := t.TempDir()
	at := time.Date(2026, 3, 1, 23, 30, 0, 0, time.FixedZone("", -3600)) // 00:30 of the next day in UTC
	for _, c := range []struct{ path, rolling, want string }{
		{"/x/a.log", "daily", "/x/a.log.2026-03-02"},
		{"/x/a.log", "minutely", "/x/a.log.2026-03-02-00-30"},
		{"/x/a.log", "never", "/x/a.log"},
		{"/x/a.log", "", "/x/a.log"},
		{dir, "daily", dir + "/2026-03-02"},
		{dir, "never", dir + "/2026-03-02"},
	} {
		if got := Path(ipc.LogTarget{Path: c.path, Rolling: c.rolling}, at); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.path, c.rolling, got, c.want)
		}
	}
}

func TestWhatCannotBeOpenedSaysWhich(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]ipc.LogTarget{
		"relative": {Path: "a.log"}, "below a file": {Path: file + "/a.log"}, "no socket": {Network: "unixgram", Path: file},
		"unknown network": {Network: "tcp", Path: "/x"},
	} {
		if fd, path, err := Open(target, time.Now()); err == nil || fd != -1 || path != target.Path {
			t.Errorf("%s: %d %s %v", name, fd, path, err)
		}
	}
}

func TestFilesAreAppendedToAndPipesNotWaitedFor(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(dir, "below", "a.log"), pipe} {
		fd, _, err := Open(ipc.LogTarget{Path: path}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		if err != nil || flags&unix.O_APPEND == 0 || flags&unix.O_NONBLOCK == 0 {
			t.Errorf("%s: flags %o, %v", path, flags, err)
		}
		if _, err := unix.Write(fd, []byte("line\n")); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		unix.Close(fd)
	}
}
