package protocols

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

const (
	patience = 30 * time.Second // bounds waits for what must happen; reaching it is a failure
	stopTime = 15 * time.Second // from SIGTERM to SIGKILL
)

// child is a process that runs beside a test.
type child struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended
}

// startChild starts cmd in a group of its own. It ends with the test process, whatever becomes of that: its signal is tied to the thread
// that forked, which waits for it.
func startChild(cmd *exec.Cmd) (*child, error) {
	c := &child{cmd: cmd, ended: make(chan struct{})}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	started := make(chan error, 1)
	go func() { // ends with the process
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // its end was asked for, or is noticed by who talks to it
			close(c.ended)
		}
	}()
	return c, <-started
}

// stop asks the process to end, and kills it when it does not.
func (c *child) stop() error {
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.ended:
		return nil
	case <-time.After(stopTime):
	}
	_ = c.cmd.Process.Kill()
	<-c.ended
	return fmt.Errorf("%s (pid %d) did not end after SIGTERM", c.cmd.Path, c.cmd.Process.Pid)
}

func (c *child) hasEnded() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// listens waits until all addresses accept.
func (c *child) listens(addrs ...string) error {
	for _, addr := range addrs {
		err := within(patience, func() error {
			if c.hasEnded() {
				return nil
			}
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				return err
			}
			return conn.Close()
		})
		if c.hasEnded() {
			return fmt.Errorf("%s ended at start: %v", c.cmd.Path, c.cmd.ProcessState)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// within calls try until it succeeds, with pauses, and returns its last error when the time is up.
func within(limit time.Duration, try func() error) error {
	deadline := time.Now().Add(limit)
	pause := 20 * time.Millisecond
	for {
		err := try()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(pause)
		pause = min(2*pause, 200*time.Millisecond)
	}
}

// freePort finds a loopback address that nobody uses, below the range from which the kernel gives ports to clients.
func freePort() (string, error) {
	for range 1000 {
		addr := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000))
		if l, err := net.Listen("tcp", addr); err == nil {
			return addr, l.Close()
		}
	}
	return "", errors.New("no free port")
}

// workDir is a short directory, because socket paths have a limit of about 100 bytes. The workers' user may pass through it.
func workDir() (string, error) {
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}
