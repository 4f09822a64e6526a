package logfile

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"pingap/ipc"
	"pingap/supervisor/archive"
)

// maxTries bounds the names that are tried for a file that is put aside: one a millisecond.
const maxTries = 100

// Grown reports whether a regular file has reached the size at which it is to be put aside.
func Grown(t ipc.LogTarget, fd int) bool {
	var st unix.Stat_t
	return t.Rotation.MaxSize > 0 && t.Network == "" && unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG &&
		st.Size >= t.Rotation.MaxSize
}

// PutAside renames the file at path, which is open as fd; whoever writes to it may go on. Where the name belongs to another file, or to
// none, somebody else has put it aside already.
func PutAside(path string, fd int, now time.Time) error {
	var open, named unix.Stat_t
	if err := unix.Fstat(fd, &open); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	switch err := unix.Lstat(path, &named); {
	case errors.Is(err, unix.ENOENT):
		return nil
	case err != nil:
		return &os.PathError{Op: "lstat", Path: path, Err: err}
	case named.Mode&unix.S_IFMT == unix.S_IFLNK:
		return &os.PathError{Op: "put aside", Path: path, Err: errors.New("it is a symbolic link")}
	case named.Ino != open.Ino || named.Dev != open.Dev:
		return nil
	}
	var err error
	for n := range maxTries {
		to := archive.AsideName(path, now.Add(time.Duration(n)*time.Millisecond))
		if err = renameFree(path, to); !errors.Is(err, unix.EEXIST) {
			break
		}
	}
	if err != nil {
		return &os.PathError{Op: "rename", Path: path, Err: err}
	}
	return nil
}

// renameFree renames to a name that nobody has.
func renameFree(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOSYS) {
		return err
	}
	if _, err := os.Lstat(to); err == nil { // a file system that cannot promise it
		return unix.EEXIST
	}
	return unix.Rename(from, to)
}
