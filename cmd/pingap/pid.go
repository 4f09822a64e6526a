package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a supervisor found by its pid file, held by a pidfd so that no
// other process can be meant once it has ended.
type process struct {
	pid int
	fd  int
}

// findProcess reads the pid files of the run directories.
func (c *call) findProcess() (*process, error) {
	d := c.dirs(c.runDir)
	for _, dir := range d.candidates() {
		if d.reachable(dir) != nil {
			continue
		}
		p, err := openProcess(filepath.Join(dir, pidName))
		if err != nil {
			continue
		}
		if p.mayBeNamedBy(dir, c.uid) {
			return p, nil
		}
		p.close()
	}
	return nil, fmt.Errorf("%w: no pid file with a live process", errNotRunning)
}

// openProcess takes a pid file at its word only if the process is older than
// the file: a number that was given to another process since is younger.
func openProcess(path string) (*process, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(data)))
	if err != nil || pid <= 1 {
		return nil, fmt.Errorf("%s: no process id", path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, fmt.Errorf("process %d: %w", pid, err)
	}
	p := &process{pid: pid, fd: fd}
	started, err := startTime(pid)
	if err == nil && started.After(info.ModTime().Add(time.Second)) {
		err = fmt.Errorf("process %d is younger than %s", pid, path)
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// mayBeNamedBy refuses a process that the owner of the directory could not
// signal: a pid file of another user must not make root do it.
func (p *process) mayBeNamedBy(dir string, uid int) bool {
	owner, err := ownerOf(dir)
	if err != nil || owner == 0 || owner == uid {
		return err == nil
	}
	runs, err := ownerOf(fmt.Sprintf("/proc/%d", p.pid))
	return err == nil && runs == owner
}

func ownerOf(path string) (int, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, fmt.Errorf("%s: owner not known", path)
	}
	return int(st.Uid), nil
}

func (p *process) close() { unix.Close(p.fd) }

func (p *process) signal(sig syscall.Signal) error {
	if err := unix.PidfdSendSignal(p.fd, sig, nil, 0); err != nil {
		return fmt.Errorf("signal %s to process %d: %w", sig, p.pid, err)
	}
	return nil
}

// wait returns when the process has ended, or errNoAnswer.
func (p *process) wait(limit time.Duration) error {
	deadline := time.Now().Add(limit)
	for {
		left := time.Until(deadline)
		if left <= 0 {
			return errNoAnswer
		}
		fds := []unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, int(min(left, time.Hour)/time.Millisecond)+1)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return fmt.Errorf("wait for process %d: %w", p.pid, err)
		}
		if n > 0 {
			return nil
		}
	}
}

// userHZ is the unit of start times in /proc, on every Linux port of Go.
const userHZ = 100

// startTime is when a process was started, by the boot clock.
func startTime(pid int) (time.Time, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return time.Time{}, err
	}
	// The name in brackets may hold anything; the 22nd field is the 20th behind it.
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	if len(fields) < 20 {
		return time.Time{}, fmt.Errorf("/proc/%d/stat: too few fields", pid)
	}
	ticks, err := strconv.ParseInt(string(fields[19]), 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("/proc/%d/stat: %w", pid, err)
	}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return time.Time{}, fmt.Errorf("boot clock: %w", err)
	}
	age := time.Duration(now.Nano()) - time.Duration(ticks)*(time.Second/userHZ)
	return time.Now().Add(-age), nil
}
