package source

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
)

// patience bounds every wait for an event; it is never reached in a good run.
const patience = 20 * time.Second

// watching runs a Watcher until the test ends.
type watching struct {
	t       *testing.T
	loc     Location
	changes chan Change
}

func watch(t *testing.T, path string) *watching {
	t.Helper()
	w := &watching{t: t, loc: Location{Path: path}, changes: make(chan Change, 100)}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		err := Watcher{Location: w.loc, Quiet: 10 * time.Millisecond, Recheck: time.Hour}.
			Run(ctx, func(c Change) { w.changes <- c })
		if err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	w.expectContents()
	return w
}

// expectContents waits until the contents that are there now are reported.
func (w *watching) expectContents() {
	w.t.Helper()
	docs, err := w.loc.Read()
	if err != nil {
		w.t.Fatal(err)
	}
	want := Digest(docs)
	w.expect(func(c Change) bool { return c.Digest == want })
}

func (w *watching) expect(good func(Change) bool) {
	w.t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case c := <-w.changes:
			if good(c) {
				return
			}
		case <-timeout:
			w.t.Fatal("the change was not reported")
		}
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func TestWatchSeesAFileWrittenInPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.toml")
	write(t, path, "1")
	w := watch(t, path)
	for _, text := range []string{"2", "3"} {
		write(t, path, text)
		w.expectContents()
	}
}

// Vim and most others write beside the file and rename over it, or rename the
// old one away first.
func TestWatchSurvivesEditorsThatRename(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "p.toml")
	write(t, path, "1")
	w := watch(t, path)
	for _, text := range []string{"2", "3"} {
		write(t, path+".tmp", text)
		rename(t, path+".tmp", path)
		w.expectContents()

		rename(t, path, path+"~")
		write(t, path, text+"vim")
		w.expectContents()
	}
}

func TestWatchSurvivesSymlinkSwap(t *testing.T) {
	for _, target := range []string{"p.toml", ""} { // a file, the whole directory
		dir := t.TempDir()
		write(t, filepath.Join(dir, "..1", "p.toml"), "1")
		link(t, "..1", filepath.Join(dir, "..data"))
		link(t, "..data/p.toml", filepath.Join(dir, "p.toml"))
		w := watch(t, filepath.Join(dir, target))
		for _, v := range []string{"..2", "..3"} {
			write(t, filepath.Join(dir, v, "p.toml"), v)
			link(t, v, filepath.Join(dir, "..tmp"))
			rename(t, filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data"))
			w.expectContents()
		}
		// The target of the link, written in place.
		write(t, filepath.Join(dir, "..3", "p.toml"), "in place")
		w.expectContents()
	}
}

func TestWatchSeesNewAndRemovedFilesInSubdirectories(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "basic.toml"), "1")
	w := watch(t, dir)
	write(t, filepath.Join(dir, "locations", "deep", "a.toml"), "a")
	w.expectContents()
	write(t, filepath.Join(dir, "locations", "deep", "b.toml"), "b")
	w.expectContents()
	if err := os.RemoveAll(filepath.Join(dir, "locations")); err != nil {
		t.Fatal(err)
	}
	w.expectContents()
}

func TestWatchSurvivesAReplacedDirectory(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "conf")
	write(t, filepath.Join(dir, "a.toml"), "1")
	w := watch(t, dir)
	write(t, filepath.Join(top, "next", "a.toml"), "2")
	rename(t, dir, filepath.Join(top, "old"))
	w.expect(func(c Change) bool { return c.Err != nil && strings.Contains(c.Err.Error(), "does not exist") })
	rename(t, filepath.Join(top, "next"), dir)
	w.expectContents()
	write(t, filepath.Join(dir, "a.toml"), "3")
	w.expectContents()
}

// The same contents again, however written, are no change: the next report is
// that of the real change.
func TestWatchIgnoresWhatDoesNotChangeTheContents(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "p.toml")
	write(t, path, "1")
	w := watch(t, path)
	write(t, path+".tmp", "1")
	rename(t, path+".tmp", path)
	write(t, filepath.Join(dir, "other.toml"), "x")
	write(t, path, "2")
	docs, err := w.loc.Read()
	if err != nil {
		t.Fatal(err)
	}
	want := Digest(docs)
	empty := Digest([]Document{{Path: path}}) // a write in place truncates first
	w.expect(func(c Change) bool {
		if c.Digest != want && c.Digest != empty {
			t.Errorf("reported %+v, which is no change", c)
		}
		return c.Digest == want
	})
}

func TestFixedLocationEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := Watcher{Location: Memory("sample", "x")}.Run(ctx, func(c Change) { t.Errorf("reported %+v", c) })
	if err != nil {
		t.Error(err)
	}
}

func TestEventsThatConcernTheConfiguration(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "conf", "sub", "a.toml"), "")
	p := watchPoints(filepath.Join(dir, "conf"))
	file := watchPoints(filepath.Join(dir, "conf", "sub", "a.toml"))
	cases := []struct {
		points points
		name   string
		op     fsnotify.Op
		want   bool
	}{
		{p, "conf/new.toml", fsnotify.Create, true},
		{p, "conf/dir", fsnotify.Create, true},
		{p, "conf/.a.swp", fsnotify.Write, false},
		{p, "conf/sub", fsnotify.Chmod, false},
		{p, "conf/sub/a.toml", fsnotify.Chmod, true},
		{p, "conf", fsnotify.Rename, true},
		{p, "other", fsnotify.Write, false},
		{file, "conf/sub/a.toml", fsnotify.Write, true},
		{file, "conf/sub/b.toml", fsnotify.Write, false},
		{file, "conf/sub", fsnotify.Remove, true},
	}
	for _, c := range cases {
		ev := fsnotify.Event{Name: filepath.Join(dir, c.name), Op: c.op}
		if got := c.points.concern(ev); got != c.want {
			t.Errorf("%s %s: %v, want %v", c.op, c.name, got, c.want)
		}
	}
}
