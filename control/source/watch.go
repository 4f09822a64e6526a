package source

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Defaults of a Watcher.
const (
	DefaultQuiet   = 300 * time.Millisecond
	DefaultRecheck = 90 * time.Second
	// maxBurst bounds how long a stream of events can put off the look.
	maxBurst = time.Second
)

// Change is what a Watcher reports: the digest of the new contents, or why
// they cannot be read. What is live is not affected by either.
type Change struct {
	Digest string
	Err    error
}

// Watcher reports changed contents of a location, or of files.
type Watcher struct {
	Location Location
	// Files, where there are any, are absolute paths to be watched in place of Location.
	Files []string
	// Quiet is how long nothing may happen before the contents are read;
	// 0 is DefaultQuiet.
	Quiet time.Duration
	// Recheck is how often the contents are read without an event, for file
	// systems that report none (NFS, some FUSE); 0 is DefaultRecheck.
	Recheck time.Duration
}

// Run reports to changed until ctx ends: once the contents at the start, then
// every time they differ from what was reported before. It calls changed from
// its own goroutine only, one call at a time.
func (w Watcher) Run(ctx context.Context, changed func(Change)) error {
	if w.Location.Fixed() && len(w.Files) == 0 {
		<-ctx.Done()
		return nil
	}
	fs, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch %s: %w", w.Location.Path, err)
	}
	defer fs.Close() // ends fsnotify's goroutine
	l := loop{loc: w.Location, files: w.Files, fs: fs, points: points{}, report: changed}
	l.quiet = orDefault(w.Quiet, DefaultQuiet)
	l.recheck = orDefault(w.Recheck, DefaultRecheck)
	return l.run(ctx)
}

func orDefault(d, def time.Duration) time.Duration {
	if d <= 0 {
		return def
	}
	return d
}

// loop is the state of one Run.
type loop struct {
	loc            Location
	files          []string // in place of loc
	fs             *fsnotify.Watcher
	points         points // what is watched now
	report         func(Change)
	last           Change
	quiet, recheck time.Duration
}

func (l *loop) run(ctx context.Context) error {
	l.look()
	timer := time.NewTimer(l.recheck)
	defer timer.Stop()
	var burst time.Time // when the first event not yet looked at came
	for {
		select {
		case <-ctx.Done():
			return nil
		case ev, ok := <-l.fs.Events:
			if !ok {
				return errors.New("watch: event stream ended")
			}
			if !l.concern(ev) {
				continue
			}
			if burst.IsZero() {
				burst = time.Now()
			}
			timer.Reset(max(0, min(l.quiet, maxBurst-time.Since(burst))))
		case _, ok := <-l.fs.Errors:
			if !ok {
				return errors.New("watch: error stream ended")
			}
			// An overflow: events were lost, so look.
			timer.Reset(l.quiet)
		case <-timer.C:
			burst = time.Time{}
			l.look()
			timer.Reset(l.recheck)
		}
	}
}

// concern reports whether an event can have changed what is watched. A key may become readable.
func (l *loop) concern(ev fsnotify.Event) bool {
	if len(l.files) > 0 && ev.Op == fsnotify.Chmod {
		return slices.Contains(l.files, ev.Name)
	}
	return l.points.concern(ev)
}

// look brings the watched directories up to date first and reads second, so
// that whatever is written after the reading causes another event.
func (l *loop) look() {
	l.follow()
	c := l.read()
	if c.Digest == l.last.Digest && text(c.Err) == text(l.last.Err) {
		return
	}
	l.last = c
	l.report(c)
}

func (l *loop) read() Change {
	if len(l.files) > 0 {
		return Change{Digest: FilesDigest(l.files)}
	}
	docs, err := l.loc.Read()
	if err != nil {
		return Change{Err: err}
	}
	return Change{Digest: Digest(docs)}
}

// paths are what to watch.
func (l *loop) paths() points {
	if len(l.files) == 0 {
		return watchPoints(l.loc.Path)
	}
	p := points{}
	for _, path := range l.files {
		p.walk(path)
	}
	return p
}

// follow watches what the path leads over now and lets go of the rest. A
// directory that cannot be watched (no permission, inotify limit) is left to
// the recheck.
func (l *loop) follow() {
	next := l.paths()
	for dir := range l.points {
		if _, still := next[dir]; !still {
			_ = l.fs.Remove(dir) // it may be gone already
		}
	}
	for dir := range next {
		// Add again even what is known: the name may stand for another
		// directory by now.
		_ = l.fs.Add(dir)
	}
	l.points = next
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
