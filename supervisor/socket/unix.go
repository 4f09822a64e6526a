package socket

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// ListenUnix binds a path with exactly this mode, taking over a socket file that nobody listens on.
func ListenUnix(path string, typ int, mode uint32, backlog int) (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, typ|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	err = bindUnix(fd, path, typ, mode)
	if err == nil {
		err = os.NewSyscallError("listen", unix.Listen(fd, backlog))
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("%s: %w", path, err)
	}
	return fd, nil
}

func bindUnix(fd int, path string, typ int, mode uint32) error {
	// The mode of the socket before bind is the mode the file is created with (less the umask): there is
	// no moment at which it is wider than wanted.
	if err := unix.Fchmod(fd, mode); err != nil {
		return os.NewSyscallError("fchmod", err)
	}
	addr := &unix.SockaddrUnix{Name: path}
	err := unix.Bind(fd, addr)
	if errors.Is(err, unix.EADDRINUSE) {
		if err := removeStale(path, typ); err != nil {
			return err
		}
		err = unix.Bind(fd, addr)
	}
	if err != nil {
		return os.NewSyscallError("bind", err)
	}
	return os.Chmod(path, os.FileMode(mode))
}

// removeStale removes a socket file without a listener; anything else is an error.
func removeStale(path string, typ int) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if info.Mode().Type() != os.ModeSocket {
		return errors.New("exists and is not a socket")
	}
	fd, err := unix.Socket(unix.AF_UNIX, typ|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); !errors.Is(err, unix.ECONNREFUSED) {
		return unix.EADDRINUSE
	}
	return os.Remove(path)
}
