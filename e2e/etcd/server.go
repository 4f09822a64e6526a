package etcd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const (
	startTime   = 30 * time.Second
	commandTime = 20 * time.Second
)

// Server is one etcd. Its methods are for one goroutine.
type Server struct {
	Address string // host:port for clients
	User    string // NAME:PASSWORD for commands; empty for none
	// Secure, set before Start, asks clients for TLS and a certificate.
	Secure Files

	peer, dir, data string
	flags           []string
	cmd             *exec.Cmd
	ended           chan struct{}
	restores        int
}

// Files are paths of PEM files: the CA of both sides, and what server and commands show.
type Files struct{ CA, Cert, Key string }

// Missing says which program is not installed; empty when none.
func Missing() string {
	for _, name := range []string{"etcd", "etcdctl"} {
		if _, err := exec.LookPath(name); err != nil {
			return name
		}
	}
	return ""
}

// New prepares a server with its data below a directory. Flags are etcd's own.
func New(dir string, flags ...string) (*Server, error) {
	s := &Server{dir: dir, data: filepath.Join(dir, "etcd"), flags: flags}
	for _, to := range []*string{&s.Address, &s.peer} {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		*to = l.Addr().String()
		defer l.Close()
	}
	return s, nil
}

// Start runs the server and waits until it answers.
func (s *Server) Start() error {
	log, err := os.OpenFile(filepath.Join(s.dir, "etcd.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	url := "http://" + s.Address
	flags := s.flags
	if f := s.Secure; f.CA != "" {
		url = "https://" + s.Address
		flags = append([]string{"--client-cert-auth", "--trusted-ca-file", f.CA, "--cert-file", f.Cert, "--key-file", f.Key}, flags...)
	}
	cmd := exec.Command("etcd", append([]string{"--name", "one", "--data-dir", s.data,
		"--listen-client-urls", url, "--advertise-client-urls", url,
		"--listen-peer-urls", "http://" + s.peer, "--initial-advertise-peer-urls", "http://" + s.peer,
		"--initial-cluster", "one=http://" + s.peer}, flags...)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), "ETCD_UNSUPPORTED_ARCH="+runtime.GOARCH)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started, ended := make(chan error, 1), make(chan struct{})
	go func() { // ends with the process; its thread must last as long, as the kernel sends Pdeathsig with its end
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(ended)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // it is killed
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	s.cmd, s.ended = cmd, ended
	deadline := time.Now().Add(startTime)
	for {
		if _, err = s.Ctl("endpoint", "health"); err == nil {
			return nil
		}
		select {
		case <-ended:
			return fmt.Errorf("etcd has ended: %s", s.Log())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return errors.Join(err, errors.New(s.Log()))
		}
	}
}

// Log is the end of what the server printed.
func (s *Server) Log() string {
	data, _ := os.ReadFile(filepath.Join(s.dir, "etcd.log"))
	return string(data[max(0, len(data)-2000):])
}

// Kill ends the server at once, if it runs.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill() // it may have ended
	<-s.ended
	s.cmd = nil
}

// Pause stops the server in the middle of what it does; Resume lets it go on. For its clients that is a partition.
func (s *Server) Pause() error { return s.cmd.Process.Signal(syscall.SIGSTOP) }

// Resume ends a Pause.
func (s *Server) Resume() error { return s.cmd.Process.Signal(syscall.SIGCONT) }

// Ctl runs etcdctl against the server and returns what it prints.
func (s *Server) Ctl(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	defer cancel()
	args = append([]string{"--endpoints", s.Address, "--command-timeout", "10s"}, args...)
	if f := s.Secure; f.CA != "" {
		args = append([]string{"--cacert", f.CA, "--cert", f.Cert, "--key", f.Key}, args...)
	}
	if s.User != "" {
		args = append([]string{"--user", s.User}, args...)
	}
	cmd := exec.CommandContext(ctx, "etcdctl", args...)
	cmd.Env = append(os.Environ(), "ETCDCTL_API=3")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("etcdctl %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// Snapshot saves what the server holds.
func (s *Server) Snapshot() error {
	_, err := s.Ctl("snapshot", "save", filepath.Join(s.dir, "snapshot"))
	return err
}

// Restore kills the server and starts one that holds what the snapshot does.
func (s *Server) Restore() error {
	s.Kill()
	s.restores++
	s.data = filepath.Join(s.dir, fmt.Sprintf("restored%d", s.restores))
	if _, err := s.Ctl("snapshot", "restore", filepath.Join(s.dir, "snapshot"), "--name", "one", "--data-dir", s.data,
		"--initial-cluster", "one=http://"+s.peer, "--initial-advertise-peer-urls", "http://"+s.peer); err != nil {
		return err
	}
	return s.Start()
}
