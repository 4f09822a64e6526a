package supervisor

import (
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

// openRunDir takes the directory, or says who has it. A control socket that is open already stays, one that is given too.
func openRunDir(path string, control int) (*runDir, error) {
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
	r := &runDir{path: path, lock: lock, control: control}
	r.intend(false)
	if _, err := os.Lstat(filepath.Join(path, controlSocket)); r.control >= 0 && err == nil {
		return r, nil
	}
	if r.control >= 0 { // nobody could find it any more
		unix.Close(r.control)
	}
	name := filepath.Join(path, controlSocket)
	if info, err := os.Lstat(name); err == nil && info.Mode().Type() == os.ModeSocket {
		// We hold the lock: at most the control of a killed supervisor still has it, which ends by itself.
		os.Remove(name)
	}
	if r.control, err = socket.ListenUnix(name, unix.SOCK_SEQPACKET, 0o660, controlBacklog); err != nil {
		lock.Close()
		return nil, err
	}
	return r, nil
}

// inheritRunDir is openRunDir with the lock of the supervisor before this one.
func inheritRunDir(path string, lock, control int) *runDir {
	return &runDir{path: path, lock: os.NewFile(uintptr(lock), lockFile), control: control}
}

func (r *runDir) lockFD() int { return int(r.lock.Fd()) }

// writeOwnPID names this process to the world.
func (r *runDir) writeOwnPID() error { return r.writePID(filepath.Join(r.path, pidFile)) }

// stopIntent is there while an instance stops for good: what finds processes of the unit afterwards may end them.
const stopIntent = "stop-intent"

func (r *runDir) intend(stop bool) {
	path := filepath.Join(r.path, stopIntent)
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

// leave closes what is open, for a successor to take over.
func (r *runDir) leave() {
	unix.Close(r.control)
	r.lock.Close()
}

// close removes what belongs to this instance. The lock file stays: removing it would let two instances hold two locks.
func (r *runDir) close() {
	state.Remove(r.path)
	unix.Close(r.control)
	os.Remove(filepath.Join(r.path, controlSocket))
	for _, path := range r.pids {
		os.Remove(path)
	}
	r.lock.Close()
}
