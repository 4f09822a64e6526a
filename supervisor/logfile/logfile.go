package logfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"pingap/ipc"
	"pingap/telemetry"
)

// Open opens a target as it is called at this time, and returns the descriptor and that name. O_NONBLOCK keeps a named
// pipe from stopping the caller; files do not know it.
func Open(t ipc.LogTarget, now time.Time) (fd int, path string, err error) {
	path = Path(t, now)
	if !filepath.IsAbs(path) {
		return -1, path, fmt.Errorf("log %s: not an absolute path", path)
	}
	switch t.Network {
	case "":
		fd, err = openFile(path)
	case "unixgram":
		fd, err = dialDatagram(path)
	default:
		err = fmt.Errorf("network %q is not known", t.Network)
	}
	if err != nil {
		return -1, path, fmt.Errorf("log %s: %w", path, err)
	}
	return fd, path, nil
}

// Path returns the file that lines of time now belong to.
func Path(t ipc.LogTarget, now time.Time) string {
	if t.Network != "" {
		return t.Path
	}
	path := t.Path
	if info, err := os.Stat(path); err == nil && info.IsDir() && !strings.HasSuffix(path, "/") {
		path += "/"
	}
	return telemetry.RollingName(path, t.Rolling, now)
}

// MaxWait bounds how late a new period is noticed after the clock was set.
const MaxWait = time.Minute

// sizeWait is how often the size of a file is looked at: it may grow beyond its bound for so long.
const sizeWait = time.Second

// Wait returns how long after now to look whether Path has changed, or the file has Grown.
func Wait(t ipc.LogTarget, now time.Time) time.Duration {
	if t.Rotation.MaxSize > 0 {
		return sizeWait // a period's end is not missed by more
	}
	next, rolls := telemetry.NextRoll(t.Rolling, now)
	if !rolls {
		return MaxWait
	}
	return min(MaxWait, next.Sub(now))
}

func openFile(path string) (int, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return -1, err
	}
	const flags = unix.O_APPEND | unix.O_CREAT | unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_NOCTTY
	fd, err := unix.Open(path, flags|unix.O_WRONLY, 0o640)
	if errors.Is(err, unix.ENXIO) { // a named pipe without reader: who may read as well need not wait for one
		fd, err = unix.Open(path, flags|unix.O_RDWR, 0o640)
	}
	if err != nil {
		return -1, os.NewSyscallError("open", err)
	}
	_ = telemetry.Continue(fd) // a file that may not be read is no worse than it was
	return fd, nil
}

func dialDatagram(path string) (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("connect", err)
	}
	return fd, nil
}
