package archive

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"pingap/config"
)

// files makes files with their names as content, each an hour older than the one before.
func files(t *testing.T, dir string, names ...string) {
	t.Helper()
	for i, name := range names {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(strings.Repeat(name+"\n", 1000)), 0o640); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-time.Duration(i+1) * time.Hour)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
}

func list(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func tidyOne(l Log) error { return Tidy(Job{Logs: []Log{l}}, time.Now(), zap.NewNop()) }

func unpack(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var r io.Reader = bytes.NewReader(data)
	if strings.HasSuffix(path, gzipExtension) {
		r, err = gzip.NewReader(r)
	} else {
		r, err = zstd.NewReader(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestOnlyNamesOfTheLogAreItsFiles(t *testing.T) {
	const day, hour, minute, aside = "2026-01-01", "2026-01-01-23", "2026-01-01-23-59", "20260101T235959.123Z"
	for name, c := range map[string]struct {
		f    family
		ours []string
		not  []string
	}{
		"never": {familyOf("/x/a.log", "never", "/x/a.log"),
			[]string{"a.log." + aside, "a.log." + aside + ".gz", "a.log." + aside + ".2.zst"},
			[]string{"a.log", "a.log.gz", "a.log.1", "a.log.1.gz", "a.log." + day, "b.log." + aside, "a.log." + aside + ".bak", "a.log." + aside + ".2",
				"a.log." + aside + ".1.gz", "a.log." + aside + ".02.gz", "a.log.20261301T000000.000Z", "a.log", ".a.log." + aside, "a.log." + aside + ".gz.tmp"}},
		"daily": {familyOf("/x/a.log", "daily", "/x/a.log."+day),
			[]string{"a.log." + day, "a.log." + hour, "a.log." + minute, "a.log." + day + "." + aside, "a.log." + day + "." + aside + ".zst", "a.log." + day + ".3.gz"},
			[]string{"a.log", "a.log." + aside, "a.log.2026-1-1", "a.log.2026-02-30", "a.log." + day + ".3", "a.log." + day + "x", "a.log-" + day, "xa.log." + day}},
		"directory": {familyOf("/x", "hourly", "/x/"+hour),
			[]string{hour, hour + ".gz", hour + "." + aside, day},
			[]string{"a.log." + day, "x", hour + ".txt", "." + hour, ""}},
	} {
		for _, n := range c.ours {
			if _, ok := c.f.plain(n); !ok {
				t.Errorf("%s: %s is not ours", name, n)
			}
		}
		for _, n := range c.not {
			if _, ok := c.f.plain(n); ok {
				t.Errorf("%s: %s is ours", name, n)
			}
		}
	}
}

func TestOldFilesAreCompressedAndAllElseStays(t *testing.T) {
	for _, c := range []struct{ algorithm, extension string }{{config.Gzip, ".gz"}, {config.Zstd, ".zst"}} {
		dir := t.TempDir()
		others := []string{"a.log", "a.log.1", "other.log.2026-01-01", "a.log.2026-01-02.bak"}
		files(t, dir, append(others, "a.log.2026-01-03", "a.log.2026-01-02", "a.log.2026-01-01")...)
		if err := os.Symlink("a.log.1", filepath.Join(dir, "a.log.2025-01-01")); err != nil {
			t.Fatal(err)
		}
		if err := tidyOne(Log{Path: dir + "/a.log", Rolling: "daily", Current: dir + "/a.log.2026-01-03", Compression: c.algorithm}); err != nil {
			t.Fatal(err)
		}
		want := append(others, "a.log.2025-01-01", "a.log.2026-01-03", "a.log.2026-01-02"+c.extension, "a.log.2026-01-01"+c.extension)
		slices.Sort(want)
		if got := list(t, dir); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		path := filepath.Join(dir, "a.log.2026-01-02"+c.extension)
		if unpack(t, path) != strings.Repeat("a.log.2026-01-02\n", 1000) {
			t.Error("another content")
		}
		if st, err := os.Stat(path); err != nil || time.Since(st.ModTime()) < 4*time.Hour || st.Mode().Perm() != 0o640 {
			t.Errorf("%v, %v", st, err)
		}
	}
}

func TestTheOldestAreRemoved(t *testing.T) {
	dir := t.TempDir()
	files(t, dir, "a.log", "a.log.20260105T000000.000Z", "a.log.20260104T000000.000Z.gz", "a.log.20260103T000000.000Z", "a.log.20260102T000000.000Z.zst", "a.log.9")
	l := Log{Path: dir + "/a.log", Current: dir + "/a.log", MaxFiles: 2}
	if err := tidyOne(l); err != nil {
		t.Fatal(err)
	}
	want := []string{"a.log", "a.log.20260104T000000.000Z.gz", "a.log.20260105T000000.000Z", "a.log.9"}
	if got := list(t, dir); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	l.MaxFiles, l.MaxAge = 0, 150*time.Minute
	if err := tidyOne(l); err != nil {
		t.Fatal(err)
	}
	want = []string{"a.log", "a.log.20260105T000000.000Z", "a.log.9"}
	if got := list(t, dir); !slices.Equal(got, want) {
		t.Errorf("by age: %v, want %v", got, want)
	}
}

// Whoever still writes to a file finds it where it was, and every line of it is in the archive later.
func TestAFileThatIsWrittenToIsLeft(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "a.log.20260105T000000.000Z")
	files(t, dir, filepath.Base(name))
	w, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	l := Log{Path: dir + "/a.log", Current: dir + "/a.log", Compression: config.Gzip}
	for _, l := range []Log{l, {Path: l.Path, Current: l.Current, MaxAge: time.Minute}} {
		if err := tidyOne(l); !errors.Is(err, ErrBusy) {
			t.Errorf("%+v: %v", l, err)
		}
	}
	fmt.Fprintln(w, "late")
	w.Close()
	if err := tidyOne(l); err != nil {
		t.Fatal(err)
	}
	if text := unpack(t, name+".gz"); !strings.HasSuffix(text, "\nlate\n") || strings.Count(text, "\n") != 1001 {
		t.Error("lines are missing")
	}
}

// A process that was killed has left half of an archive, or both the archive and the file.
func TestWhatAKilledProcessLeftIsPutInOrder(t *testing.T) {
	dir := t.TempDir()
	const one, two = "a.log.20260105T000000.000Z", "a.log.20260104T000000.000Z"
	files(t, dir, one, two, "."+one+".gz.tmp", ".a.log.20250104T000000.000Z.zst.tmp", ".other.gz.tmp")
	l := Log{Path: dir + "/a.log", Current: dir + "/a.log", Compression: config.Gzip}
	whole, err := os.ReadFile(filepath.Join(dir, two))
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write(whole)
	w.Close()
	if err := os.WriteFile(filepath.Join(dir, two+".gz"), packed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := tidyOne(l); err != nil {
		t.Fatal(err)
	}
	if got, want := list(t, dir), []string{".other.gz.tmp", two + ".gz", one + ".gz"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// A name that came back, as after the clock was set, gets an archive beside the first. So does one whose archive was cut.
func TestNoArchiveIsWrittenOver(t *testing.T) {
	dir := t.TempDir()
	const name = "a.log.2026-01-01"
	l := Log{Path: dir + "/a.log", Rolling: "daily", Current: dir + "/a.log.2026-01-02", Compression: config.Gzip}
	for n := range 3 {
		if err := os.WriteFile(filepath.Join(dir, name), []byte{byte('0' + n), '\n'}, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := tidyOne(l); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := list(t, dir), []string{name + ".2.gz", name + ".3.gz", name + ".gz"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	data, err := os.ReadFile(filepath.Join(dir, name+".gz"))
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(dir, "a.log.2026-01-03")
	if err := os.WriteFile(cut, []byte("0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cut+".gz", data[:len(data)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := tidyOne(l); err != nil {
		t.Fatal(err)
	}
	if got := unpack(t, cut+".2.gz"); got != "0\n" {
		t.Errorf("%q", got)
	}
}

func TestFilesThatAreReadOrYoungAreCompressedLater(t *testing.T) {
	dir := t.TempDir()
	files(t, dir, "a.log.2026-01-02", "a.log.2026-01-01") // one and two hours old
	l := Log{Path: dir + "/a.log", Rolling: "daily", Current: dir + "/a.log.2026-01-03", Compression: config.Zstd, After: 90 * time.Minute}
	if err := tidyOne(l); err != nil {
		t.Fatal(err)
	}
	if got, want := list(t, dir), []string{"a.log.2026-01-01.zst", "a.log.2026-01-02"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func FuzzNames(f *testing.F) {
	for _, n := range []string{"a.log.2026-01-01", "a.log.20260101T235959.123Z.2.gz", ".a.log.2026-01-01.gz.tmp", "a.log...gz", "a.log"} {
		f.Add(n)
	}
	fam := familyOf("/x/a.log", "daily", "/x/a.log.2026-01-01")
	f.Fuzz(func(t *testing.T, name string) {
		plain, ours := fam.plain(name)
		if ours && (!strings.HasPrefix(name, "a.log.") || !strings.HasPrefix(name, plain)) {
			t.Errorf("%q is ours, %q", name, plain)
		}
		if of, ok := isTemporary(name); ok && temporaryName(of, name[len(of)+1:len(name)-4]) != name {
			t.Errorf("%q is of %q", name, of)
		}
	})
}

// Where there is no room for an archive the file stays, and nothing half done.
func TestAFullDiskKeepsTheFile(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=512k"); err != nil {
		t.Skipf("mounts a small file system: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	noise := make([]byte, 300<<10)
	_, _ = rand.Read(noise)
	const name, other = "a.log.2026-01-01", "a.log.2026-01-02"
	for n, data := range map[string][]byte{name: noise, other: noise[:100<<10]} {
		if err := os.WriteFile(filepath.Join(dir, n), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l := Log{Path: dir + "/a.log", Rolling: "daily", Current: dir + "/a.log.2026-01-03", Compression: config.Zstd}
	if err := os.Chtimes(filepath.Join(dir, name), time.Time{}, time.Now().Add(time.Hour)); err != nil { // the newest is the first
		t.Fatal(err)
	}
	if err := tidyOne(l); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("%v", err)
	}
	if got, want := list(t, dir), []string{name, other}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if data, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(data, noise) {
		t.Errorf("the file is not what it was: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, other)); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT, "size=2m"); err != nil {
		t.Fatal(err)
	}
	if err := tidyOne(l); err != nil {
		t.Fatal(err)
	}
	if unpack(t, filepath.Join(dir, name+".zst")) != string(noise) {
		t.Error("another content")
	}
}
