package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"pingap/bench/internal/processes"
)

const (
	startLimit = 30 * time.Second // 10,000 locations take their time
	stopLimit  = 10 * time.Second // then SIGKILL, to the processes we started and no others
	probePause = 20 * time.Millisecond
)

// instance is a running proxy.
type instance struct {
	proxy proxy
	cmd   *exec.Cmd
	done  chan error // the result of Wait, once
	port  int
	dir   string
	pids  []int // all its processes
	log   string
}

// start runs p on the given cores and waits until it accepts.
func start(ctx context.Context, p proxy, s setup, cores string) (*instance, error) {
	args, env, err := p.command(s)
	if err != nil {
		return nil, err
	}
	out, err := os.OpenFile(s.path("output.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command("taskset", append([]string{"-c", cores, p.binary}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Dir = s.dir
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	in := &instance{proxy: p, cmd: cmd, done: make(chan error, 1), port: s.port, dir: s.dir, log: out.Name()}
	go func() { in.done <- cmd.Wait() }() // ends with the process; stop waits for it
	if err := in.ready(ctx); err != nil {
		in.stop()
		return nil, fmt.Errorf("%s: %w\n%s", p.name, err, tail(in.log))
	}
	in.pids = processes.Tree(cmd.Process.Pid)
	return in, nil
}

// address is where it listens.
func (in *instance) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(in.port)) }

// ready waits until the port accepts. A proxy offers no other sign that all of them share.
func (in *instance) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	tick := time.NewTicker(probePause)
	defer tick.Stop()
	for {
		conn, err := net.Dial("tcp", in.address())
		if err == nil {
			return conn.Close()
		}
		select {
		case err := <-in.done:
			in.done <- err
			return fmt.Errorf("ended at start: %v", err)
		case <-ctx.Done():
			return fmt.Errorf("did not listen: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

// stop ends the processes that start made.
func (in *instance) stop() {
	pids := processes.Tree(in.cmd.Process.Pid)
	_ = in.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-in.done:
	case <-time.After(stopLimit):
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		<-in.done
	}
}

// emptyLogs cuts the logs to nothing, so that a long run does not fill the disk. All writers append.
func (in *instance) emptyLogs() {
	for _, name := range []string{"access.log", "output.log"} {
		_ = os.Truncate(filepath.Join(in.dir, name), 0) // not every proxy has both
	}
}

// freePort asks the kernel for a port that nothing uses now.
func freePort() (int, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port, nil
}

func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	if len(text) > 2000 {
		text = text[len(text)-2000:]
	}
	return string(text)
}
