package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// The well-known directories, and the names in them.
const (
	systemRunDir   = "/run/pingap"
	systemStateDir = "/var/lib/pingap"
	socketName     = "control.sock"
	pidName        = "pingap.pid"
)

// dirs finds the run and state directories. The zero value of system* is the
// well-known path; tests set their own.
type dirs struct {
	getenv func(string) string
	uid    int
	run    string // explicit, from flag or variable
	system string
}

func (d dirs) systemRun() string {
	if d.system != "" {
		return d.system
	}
	return systemRunDir
}

// candidates are the run directories in order of preference. The list depends
// on nothing but user and environment, so that verbs find what start chose.
func (d dirs) candidates() []string {
	if d.run != "" {
		return []string{d.run}
	}
	list := []string{d.systemRun()}
	if xdg := d.getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(xdg) {
		list = append(list, filepath.Join(xdg, "pingap"))
	}
	tmp := d.getenv("TMPDIR")
	if !filepath.IsAbs(tmp) {
		tmp = "/tmp"
	}
	return append(list, filepath.Join(tmp, "pingap-"+strconv.Itoa(d.uid)))
}

// create returns a run directory that this user may use alone, made where it
// was missing.
func (d dirs) create() (string, error) {
	if d.run != "" {
		path, err := filepath.Abs(d.run)
		if err != nil {
			return "", fmt.Errorf("run directory: %w", err)
		}
		if err := os.MkdirAll(path, 0o750); err != nil {
			return "", fmt.Errorf("run directory: %w", err)
		}
		return path, d.trusted(path)
	}
	if sys := d.systemRun(); d.usable(sys) {
		return sys, nil
	}
	var errs []error
	for _, path := range d.candidates()[1:] {
		err := d.private(path)
		if err == nil {
			return path, nil
		}
		errs = append(errs, err)
	}
	return "", fmt.Errorf("no run directory, give --run-dir: %w", errors.Join(errs...))
}

// usable reports whether a system directory is there, or can be made by root,
// is safe and can be written by this user.
func (d dirs) usable(path string) bool {
	if d.uid == 0 {
		// What cannot be made here fails the checks below.
		_ = os.Mkdir(path, 0o750)
	}
	return d.trusted(path) == nil && unix.Access(path, unix.W_OK|unix.X_OK) == nil
}

// private makes sure of a directory that belongs to this user and is closed to
// all others.
func (d dirs) private(path string) error {
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := d.trusted(path); err != nil {
		return err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s: mode %04o lets others in, expected 0700", path, info.Mode().Perm())
	}
	return nil
}

// trusted refuses a directory in which somebody else could have put things: one
// that is a link, belongs to another user than this one or root, or is open to
// everybody's writes.
func (d dirs) trusted(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		if info, err = d.followed(path); err != nil {
			return err
		}
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok || !info.IsDir():
		return fmt.Errorf("%s is not a directory", path)
	case int(st.Uid) != d.uid && st.Uid != 0:
		return fmt.Errorf("%s belongs to uid %d, not to uid %d", path, st.Uid, d.uid)
	case info.Mode().Perm()&0o002 != 0:
		return fmt.Errorf("%s can be written by everybody", path)
	}
	return nil
}

// reachable is trusted for the sake of verbs. They may also speak to the instance of another user in two places: the
// well-known directory, since only root can have put it where it is, and a directory that root names.
func (d dirs) reachable(path string) error {
	err := d.trusted(path)
	if err == nil {
		return nil
	}
	look := os.Lstat
	switch {
	case d.uid == 0 && d.run != "":
		look = os.Stat
	case path != d.systemRun() || !rootsOwn(filepath.Dir(path)):
		return err
	}
	if info, lerr := look(path); lerr == nil && info.IsDir() && info.Mode().Perm()&0o002 == 0 {
		return nil
	}
	return err
}

// rootsOwn says whether nobody but root can have put names into a directory.
func rootsOwn(path string) bool {
	owner, err := ownerOf(path)
	info, serr := os.Lstat(path)
	return err == nil && serr == nil && owner == 0 && info.Mode().Perm()&0o022 == 0
}

// followed accepts a link only where the user asked for that very path.
func (d dirs) followed(path string) (fs.FileInfo, error) {
	if d.run == "" {
		return nil, fmt.Errorf("%s is a symbolic link", path)
	}
	return os.Stat(path)
}

// stateDir returns the directory of what must last, made where it was missing.
func (d dirs) stateDir(explicit, runDir string) (string, error) {
	if explicit == "" && d.system == "" && d.usable(systemStateDir) {
		return systemStateDir, nil
	}
	if explicit == "" {
		explicit = filepath.Join(runDir, "state")
	}
	path, err := filepath.Abs(explicit)
	if err != nil {
		return "", fmt.Errorf("state directory: %w", err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return "", fmt.Errorf("state directory: %w", err)
	}
	named := dirs{getenv: d.getenv, uid: d.uid, run: path}
	return path, named.trusted(path)
}
