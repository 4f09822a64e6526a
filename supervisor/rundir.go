package supervisor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	controlSocket  = "control.sock"
	pidFile        = "pingap.pid"
	lockFile       = "pingap.lock"
	controlBacklog = 128
)

// runDir is the run directory this instance owns, and the control socket in it.
type runDir struct {
	path    string
	lock    *os.File // flock held for life: a killed instance leaves none behind
	control int      // listening SEQPACKET socket, passed to control
	pids    []string // pid files written
}

// openRunDir takes the directory, or says who has it.
func openRunDir(path string) (*runDir, error) {
	if err := os.MkdirAll(path, 0o750); err != nil {
		return nil, fmt.Errorf("run directory: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(path, lockFile), os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, fmt.Errorf("run directory: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		return nil, fmt.Errorf("%w in %s (pid %s)", ErrRunning, path, readPID(path))
	}
	r := &runDir{path: path, lock: lock, control: -1}
	socket := filepath.Join(path, controlSocket)
	if info, err := os.Lstat(socket); err == nil && info.Mode().Type() == os.ModeSocket {
		// We hold the lock: at most the control of a killed supervisor still has it, which ends by itself.
		os.Remove(socket)
	}
	if r.control, err = listenUnix(socket, unix.SOCK_SEQPACKET, 0o660, controlBacklog); err != nil {
		lock.Close()
		return nil, err
	}
	if err := r.writePID(filepath.Join(path, pidFile)); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

func readPID(dir string) string {
	data, err := os.ReadFile(filepath.Join(dir, pidFile))
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(data))
}

// writePID replaces a pid file in one step.
func (r *runDir) writePID(path string) error {
	tmp := path + ".tmp"
	err := os.WriteFile(tmp, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644)
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return fmt.Errorf("pid file: %w", err)
	}
	r.pids = append(r.pids, path)
	return nil
}

// close removes what belongs to this instance. The lock file stays: removing it would let two instances hold two locks.
func (r *runDir) close() {
	unix.Close(r.control)
	os.Remove(filepath.Join(r.path, controlSocket))
	for _, path := range r.pids {
		os.Remove(path)
	}
	r.lock.Close()
}

// listenUnix binds a path with exactly this mode, taking over a socket file that nobody listens on.
func listenUnix(path string, typ int, mode uint32, backlog int) (int, error) {
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
