package source

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrDenied is returned where this process may not write the configuration. The error says who it is, what it may not, and what helps.
var ErrDenied = errors.New("cannot be written")

// Writable says why the location cannot be written, as far as that shows without writing: nil where nothing speaks against it. What etcd lets its
// user do shows at a write only.
func (l Location) Writable() error {
	switch {
	case l.Fixed():
		return fmt.Errorf("configuration %s %w: it is no file", l.Path, ErrDenied)
	case l.Remote():
		return nil
	}
	layout, err := l.layout()
	if isDenial(err) {
		return fmt.Errorf("configuration %s %w: %w", l, ErrDenied, err)
	}
	if err != nil {
		return nil // what is wrong with it is said by who reads it
	}
	return (&fileStore{loc: l, kind: layout}).denied(nil)
}

// isDenial is for what a change of owner, mode or mount mends.
func isDenial(err error) bool { return errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS) }

// denied asks the kernel whether files can be written, and says which folder keeps this process from it. Files are replaced by new ones, so
// it is their folder that counts.
func (s *fileStore) denied(ops []Op) error {
	for _, folder := range s.folders(ops) {
		there, need := folder, uint32(unix.R_OK|unix.W_OK|unix.X_OK) // it is locked and synced, too, for which it is opened
		for missing(there) && there != filepath.Dir(there) {
			there, need = filepath.Dir(there), unix.W_OK|unix.X_OK // where it would be made
		}
		err := unix.Faccessat(unix.AT_FDCWD, there, need, unix.AT_EACCESS)
		if err == nil && readOnly(there) {
			err = unix.EROFS // old kernels do not look at that
		}
		if isDenial(err) {
			return fmt.Errorf("configuration %s %w: %w", s.loc, ErrDenied, whyNot(folder, there, err))
		}
	}
	return nil
}

// readOnly says whether a folder is mounted so, for this process.
func readOnly(path string) bool {
	var st unix.Statfs_t
	return unix.Statfs(path, &st) == nil && st.Flags&unix.ST_RDONLY != 0
}

func missing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// folders are those that are written to for some changes; for nil, those that any could need.
func (s *fileStore) folders(ops []Op) []string {
	all := []string{s.dir()}
	if s.history() {
		all = append(all, s.historyDir())
	}
	files := []string{}
	if s.kind == Single {
		files = append(files, s.loc.Path)
	}
	for _, op := range ops {
		if path, err := s.path(op.Key); err == nil {
			files = append(files, path)
		}
	}
	for _, file := range files {
		if real, err := filepath.EvalSymlinks(file); err == nil {
			file = real // the successor is made beside it
		}
		all = append(all, filepath.Dir(file))
	}
	if s.kind == ByItem && ops == nil {
		for _, table := range tables() {
			if info, err := os.Stat(filepath.Join(s.dir(), table)); err == nil && info.IsDir() {
				all = append(all, filepath.Join(s.dir(), table))
			}
		}
	}
	return all
}

// whyNot says why a folder cannot be written to, or made in what is there.
func whyNot(folder, there string, err error) error {
	mounted := fmt.Sprintf("%s is read-only for pingap, by its mount or by the sandbox of the service, which ReadWritePaths=%s in the unit opens", there, folder)
	if errors.Is(err, unix.EROFS) {
		return fmt.Errorf("%s: %w", mounted, err)
	}
	what, help := "write in "+there, "files are replaced, so their directory has to be that user's, or writable for the group"
	if there != folder {
		what, help = "make "+folder+" in "+there, "make it, and give it to that user"
	}
	if readOnly(there) {
		help += "; besides, " + mounted
	}
	owner := "which is out of reach"
	if info, serr := os.Stat(there); serr == nil {
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			owner = fmt.Sprintf("which belongs to uid %d gid %d with mode %04o", st.Uid, st.Gid, info.Mode().Perm())
		}
	}
	return fmt.Errorf("pingap runs as %s and may not %s, %s: %w (%s)", self(), what, owner, err, help)
}

// self is who this process is.
func self() string {
	uid := strconv.Itoa(os.Geteuid())
	if u, err := user.LookupId(uid); err == nil {
		uid += " (" + u.Username + ")"
	}
	return fmt.Sprintf("uid %s gid %d", uid, os.Getegid())
}
