package rundir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"pingap/supervisor/socket"
	"pingap/supervisor/state"
)

const (
	controlSocket  = "control.sock"
	adminSocket    = "admin.sock"
	pidFile        = "pingap.pid"
	lockFile       = "pingap.lock"
	controlBacklog = 128
)

// ErrRunning is the error of Open when a live instance owns the directory.
var ErrRunning = errors.New("already running")

// Dir is the run directory that this instance owns, and the sockets in it.
type Dir struct {
	Path    string
	Control int // listening SEQPACKET socket, passed to control
	Admin   int // listening STREAM socket of the admin interface, likewise; -1 for none

	lock *os.File // flock held for life: a killed instance leaves none behind
	pids []string // pid files written
}

// Open takes the directory, or says who has it. A control socket that is open already stays, one that is given too.
func Open(path string, control int) (*Dir, error) {
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
	r := &Dir{Path: path, lock: lock, Control: control, Admin: -1}
	r.Intend(false)
	if r.Control, err = r.listen(controlSocket, unix.SOCK_SEQPACKET, control); err != nil {
		lock.Close()
		return nil, err
	}
	return r, nil
}

// OpenAdmin makes the socket of the admin interface. One that is open already stays: given is it, or -1. Without it everything else works.
func (r *Dir) OpenAdmin(given int) (err error) {
	r.Admin, err = r.listen(adminSocket, unix.SOCK_STREAM, given)
	return err
}

// listen makes a listening socket in the directory, or keeps the one given if it can still be found there.
func (r *Dir) listen(file string, typ, given int) (int, error) {
	name := filepath.Join(r.Path, file)
	info, err := os.Lstat(name)
	if given >= 0 && err == nil {
		return given, nil
	}
	if given >= 0 { // nobody could find it any more
		unix.Close(given)
	}
	if err == nil && info.Mode().Type() == os.ModeSocket {
		// We hold the lock: at most the control of a killed supervisor still has it, which ends by itself.
		os.Remove(name)
	}
	return socket.ListenUnix(name, typ, 0o660, controlBacklog)
}

// Inherit is Open with the lock of the supervisor before this one.
func Inherit(path string, lock, control int) *Dir {
	return &Dir{Path: path, lock: os.NewFile(uintptr(lock), lockFile), Control: control, Admin: -1}
}

func (r *Dir) LockFD() int { return int(r.lock.Fd()) }

// WriteOwnPID names this process to the world.
func (r *Dir) WriteOwnPID() error { return r.WritePID(filepath.Join(r.Path, pidFile)) }

// stopIntent is there while an instance stops for good: what finds processes of the unit afterwards may end them.
const stopIntent = "stop-intent"

func (r *Dir) Intend(stop bool) {
	path := filepath.Join(r.Path, stopIntent)
	if !stop {
		os.Remove(path)
		return
	}
	// Without it nothing is lost: leftovers end by themselves, later.
	_ = os.WriteFile(path, []byte("stop\n"), 0o644)
}

func readPID(dir string) string {
	data, err := os.ReadFile(filepath.Join(dir, pidFile))
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(data))
}

// WritePID replaces a pid file in one step.
func (r *Dir) WritePID(path string) error {
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

// Leave closes what is open, for a successor to take over.
func (r *Dir) Leave() {
	r.closeSockets()
	r.lock.Close()
}

func (r *Dir) closeSockets() {
	unix.Close(r.Control)
	if r.Admin >= 0 {
		unix.Close(r.Admin)
	}
}

// Close removes what belongs to this instance. The lock file stays: removing it would let two instances hold two locks.
func (r *Dir) Close() {
	state.Remove(r.Path)
	r.closeSockets()
	os.Remove(filepath.Join(r.Path, controlSocket))
	if r.Admin >= 0 {
		os.Remove(filepath.Join(r.Path, adminSocket))
	}
	for _, path := range r.pids {
		os.Remove(path)
	}
	r.lock.Close()
}
