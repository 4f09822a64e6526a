package source

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pingap/config"
)

func TestNamedFilesAreFound(t *testing.T) {
	dir := t.TempDir()
	base := Base{Home: dir, Dir: filepath.Join(dir, "work")}
	for _, name := range []string{"work/a.pem", "home.pem", "both/cert.pem", "both/cert.crt"} {
		write(t, filepath.Join(dir, name), name)
	}
	if err := os.Symlink("both", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	names := []string{"fullchain.pem", "cert.pem", "cert.crt"}
	for path, want := range map[string]string{"a.pem": "work/a.pem", "~/home.pem": "home.pem", "../both": "both/cert.pem",
		dir + "/both": "both/cert.pem", dir + "/both/cert.crt": "both/cert.crt", "~/link": "both/cert.pem"} {
		found, err := base.Named(path, names)
		if err != nil || string(found.Data) != want || found.Directory != (want == "both/cert.pem") || !filepath.IsAbs(found.Path) {
			t.Errorf("%s: %+v, %v", path, found, err)
		}
	}
}

func TestNamedFilesThatCannotBeReadAreRefused(t *testing.T) {
	dir := t.TempDir()
	base := Base{Dir: dir}
	write(t, filepath.Join(dir, "empty"), "")
	write(t, filepath.Join(dir, "large"), strings.Repeat("x", maxNamed+1))
	write(t, filepath.Join(dir, "folder", "other.txt"), "x")
	if err := unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"gone": "gone does not exist", "empty": "the file is empty", "large": "larger than 1024 KiB",
		"fifo": "not a regular file", "folder": "expected one of cert.pem in the directory, found none", "~/x": "the home directory is not known"} {
		if _, err := base.Named(path, []string{"cert.pem"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
	if _, err := base.Named("folder", nil); err == nil || !strings.Contains(err.Error(), "expected a file, found a directory") {
		t.Errorf("a directory where a file is wanted: %v", err)
	}
	if os.Geteuid() == 0 {
		return // root reads everything
	}
	write(t, filepath.Join(dir, "closed"), "x")
	if err := os.Chmod(filepath.Join(dir, "closed"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := base.Named("closed", nil); err == nil || !strings.Contains(err.Error(), "permission denied for uid") {
		t.Errorf("closed: %v", err)
	}
}

func TestTheDigestOfFilesIsThatOfTheirContents(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	write(t, a, "1")
	write(t, b, "2")
	sum := func(path string) config.File {
		t.Helper()
		cfg, report := config.Load([]config.Document{{Name: "x", Data: []byte("[certificates.c]\nocsp_staple = '" + path + "'\n")}},
			config.Options{ReadFile: Base{Dir: dir}.Named})
		if err := report.Err(); err != nil {
			t.Fatal(err)
		}
		return cfg.Certificates["c"].Files["ocsp_staple"]
	}
	found := FoundDigest([]config.File{sum(b), sum(a), sum(b)})
	if got := FilesDigest([]string{a, b}); got != found {
		t.Errorf("%s, found %s", got, found)
	}
	write(t, b, "3")
	changed := FilesDigest([]string{a, b})
	if err := os.Remove(b); err != nil {
		t.Fatal(err)
	}
	gone := FilesDigest([]string{a, b})
	if changed == found || gone == found || gone == changed {
		t.Error("different contents have one digest")
	}
}

func TestWatchedFilesAreReportedHoweverTheyAreReplaced(t *testing.T) {
	dir := t.TempDir()
	// As Let's Encrypt's client keeps them: a link into an archive.
	write(t, filepath.Join(dir, "archive", "cert1.pem"), "1")
	write(t, filepath.Join(dir, "archive", "cert2.pem"), "2")
	write(t, filepath.Join(dir, "plain", "key.pem"), "k1")
	if err := os.MkdirAll(filepath.Join(dir, "live"), 0o700); err != nil {
		t.Fatal(err)
	}
	link, plain := filepath.Join(dir, "live", "cert.pem"), filepath.Join(dir, "plain", "key.pem")
	relink := func(target string) {
		t.Helper()
		if err := os.Symlink("../archive/"+target, link+".new"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(link+".new", link); err != nil {
			t.Fatal(err)
		}
	}
	relink("cert1.pem")
	paths := []string{link, plain}
	changes := make(chan Change, 100)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := (Watcher{Files: paths, Quiet: 10 * time.Millisecond, Recheck: time.Hour}).Run(ctx, func(c Change) { changes <- c }); err != nil {
			t.Error(err)
		}
	})
	defer wg.Wait()
	defer cancel()
	for _, c := range []struct {
		name   string
		change func()
	}{
		{"nothing", func() {}}, // the first report
		{"a link", func() { relink("cert2.pem") }},
		{"behind the link", func() { write(t, filepath.Join(dir, "archive", "cert2.pem"), "3") }},
		{"in place", func() { write(t, plain, "k2") }},
		{"not one of theirs", func() { write(t, filepath.Join(dir, "live", "other"), "x") }},
		{"the whole folder", func() { _ = os.Rename(filepath.Join(dir, "plain"), filepath.Join(dir, "gone")) }},
		{"back again", func() { write(t, plain, "k3") }},
		{"removed", func() { _ = os.Remove(plain) }},
	} {
		before := FilesDigest(paths)
		c.change()
		want := FilesDigest(paths)
		if want == before && c.name != "nothing" {
			continue // nothing to be reported
		}
		timeout := time.After(patience)
		for got := ""; got != want; {
			select {
			case c := <-changes:
				got = c.Digest
			case <-timeout:
				t.Fatalf("%s: not reported", c.name)
			}
		}
	}
}
