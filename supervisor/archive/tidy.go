package archive

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"pingap/config"
)

// Log is a log whose old files are looked after.
type Log struct {
	Path    string `json:"path"` // without what rolling adds
	Rolling string `json:"rolling,omitempty"`
	Current string `json:"current"` // the file that is written now

	MaxAge   time.Duration `json:"max_age,omitempty"`   // of the last line; older files are removed; 0 keeps them
	MaxFiles int           `json:"max_files,omitempty"` // beside Current; 0 is all

	Compression string        `json:"compression,omitempty"` // config.Gzip, config.Zstd or none
	Level       int           `json:"level,omitempty"`
	After       time.Duration `json:"after,omitempty"` // files neither written nor read for so long are compressed
}

// Job is what the supervisor asks for.
type Job struct {
	Logs  []Log  `json:"logs"`
	Level string `json:"level,omitempty"` // of the application log
	JSON  bool   `json:"json,omitempty"`  // its form
}

// ErrBusy says that a file is being written to and was left for another time.
var ErrBusy = errors.New("a log file is still written to")

// Tidy does the job. What goes wrong with a file is logged and keeps nothing else from being done; the error is ErrBusy where only
// that came in between.
func Tidy(job Job, now time.Time, log *zap.Logger) error {
	current := map[string]bool{}
	for _, l := range job.Logs {
		current[filepath.Clean(l.Current)] = true
	}
	var first error
	note := func(err error) {
		if err != nil && (first == nil || errors.Is(first, ErrBusy)) {
			first = err
		}
	}
	for _, l := range job.Logs {
		t := tidier{Log: l, family: familyOf(l.Path, l.Rolling, l.Current), current: current, now: now, log: log}
		err := t.run()
		if err != nil && !errors.Is(err, ErrBusy) {
			log.Error("old log files", zap.String("path", l.Path), zap.Error(err))
		}
		note(err)
	}
	return first
}

// tidier looks after one log.
type tidier struct {
	Log
	family
	current map[string]bool // of all logs
	now     time.Time
	log     *zap.Logger
	folder  *os.File
}

// old is a file of the log's, and its archives.
type old struct {
	plain string
	names []string
	last  time.Time // written
}

// run removes first: that makes room for what is compressed.
func (t *tidier) run() error {
	folder, err := os.Open(t.family.folder)
	if err != nil {
		return err
	}
	defer folder.Close()
	t.folder = folder
	found, err := t.find()
	if err != nil {
		return err
	}
	var busy, failed error
	for i, o := range found {
		if t.MaxFiles > 0 && i >= t.MaxFiles || t.MaxAge > 0 && t.now.Sub(o.last) > t.MaxAge {
			err = t.remove(o)
		} else {
			err = t.compressAll(o)
		}
		switch {
		case errors.Is(err, ErrBusy):
			busy = err
		case err != nil:
			failed = errors.Join(failed, err)
		}
		if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
			break // more would not fit either
		}
	}
	return cmp.Or(failed, busy)
}

// find lists the old files, the newest first, and removes what a killed process has begun.
func (t *tidier) find() ([]old, error) {
	names, err := t.folder.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	byPlain := map[string]*old{}
	for _, name := range names {
		if of, ok := isTemporary(name); ok {
			if _, ours := t.plain(of); ours {
				t.dropTemporary(name, of)
			}
			continue
		}
		plain, ours := t.plain(name)
		if !ours || t.current[filepath.Join(t.family.folder, name)] {
			continue
		}
		var st unix.Stat_t
		if err := unix.Fstatat(t.fd(), name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
			continue
		}
		o := byPlain[plain]
		if o == nil {
			o = &old{plain: plain}
			byPlain[plain] = o
		}
		o.names = append(o.names, name)
		if at := time.Unix(st.Mtim.Unix()); at.After(o.last) {
			o.last = at
		}
	}
	found := make([]old, 0, len(byPlain))
	for _, o := range byPlain {
		found = append(found, *o)
	}
	slices.SortFunc(found, func(a, b old) int { return cmp.Or(b.last.Compare(a.last), cmp.Compare(b.plain, a.plain)) })
	return found, nil
}

func (t *tidier) fd() int { return int(t.folder.Fd()) }

// remove removes all there is of an old file, unless somebody writes to it.
func (t *tidier) remove(o old) error {
	for _, name := range o.names {
		source, err := t.take(name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		err = unix.Unlinkat(t.fd(), name, 0)
		source.Close()
		if err != nil {
			return fmt.Errorf("remove %s: %w", name, err)
		}
		t.log.Info("old log file removed", zap.String("path", filepath.Join(t.family.folder, name)))
	}
	return nil
}

func (t *tidier) compressAll(o old) error {
	extension := ""
	switch t.Compression {
	case config.Gzip:
		extension = gzipExtension
	case config.Zstd:
		extension = zstdExtension
	}
	if extension == "" || !slices.Contains(o.names, o.plain) {
		return nil
	}
	return t.compress(o.plain, extension)
}
