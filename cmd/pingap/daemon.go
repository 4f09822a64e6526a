package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"pingap/control"
	"pingap/control/source"
)

// reportFD is where a detached process says how its start went.
const reportFD = 3

// detached is the role of a process of its own session.
const detached = "detached"

// hasParent is the variable by which tableflip marks a successor.
const hasParent = "TABLEFLIP_HAS_PARENT_7DIU3"

// reportReady is what it writes when all workers accept.
const reportReady = "ready\n"

// daemon starts a process of its own session and waits until that serves or
// has failed. There is no time limit of its own: the supervisor's bounds hold.
func daemon(o *options, args []string, s surroundings) int {
	out, err := s.daemonOutput(o)
	if err != nil {
		return s.fail(err)
	}
	defer out.Close()
	read, write, err := os.Pipe()
	if err != nil {
		return s.fail(err)
	}
	defer read.Close()
	cmd := exec.Command("/proc/self/exe")
	// The name is the path, since an upgrade executes what it says.
	path, err := exec.LookPath(os.Args[0])
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return s.fail(err)
	}
	cmd.Args = append([]string{path, detached}, args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.ExtraFiles = []*os.File{write}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	write.Close()
	if err != nil {
		return s.fail(err)
	}
	report, err := io.ReadAll(io.LimitReader(read, 1<<20))
	if err == nil && string(report) == reportReady {
		return exitDone
	}
	fmt.Fprint(s.stderr, string(report))
	if werr := cmd.Wait(); len(report) == 0 {
		return s.fail(fmt.Errorf("the start failed: %w", errors.Join(err, werr)))
	}
	return exitFailed
}

// daemonOutput is where a daemon's standard streams go: basic.error_log, else
// nowhere. The check it takes to know prints what is wrong while there is still
// a terminal to print to.
func (s surroundings) daemonOutput(o *options) (*os.File, error) {
	job, err := s.job(o)
	if err != nil {
		return nil, err
	}
	if o.cp {
		return os.OpenFile(os.DevNull, os.O_RDWR, 0)
	}
	if job.Location.Remote() {
		if job.Documents, err = job.Location.Read(); err != nil {
			fmt.Fprintf(s.stderr, "pingap: %v\npingap: the last good copy is used, if there is one; basic.error_log of it is not\n", err)
			return os.OpenFile(os.DevNull, os.O_RDWR, 0)
		}
	}
	v, _ := control.Check(context.Background(), job, configOptions(), nil)
	if len(v.Errors) > 0 && o.admin != "" {
		fmt.Fprintf(s.stderr, "pingap: nothing is served but the admin panel, the configuration is refused:\n%s\n", strings.Join(v.Errors, "\n"))
		return os.OpenFile(os.DevNull, os.O_RDWR, 0)
	}
	if len(v.Errors) > 0 {
		return nil, errors.New("the configuration is refused:\n" + strings.Join(v.Errors, "\n"))
	}
	for _, w := range v.Warnings {
		fmt.Fprintf(s.stderr, "warning: %s\n", w)
	}
	if v.ErrorLog == "" {
		if o.log == "" {
			fmt.Fprintln(s.stderr, "pingap: neither --log nor basic.error_log is set: messages of the daemon are lost")
		}
		return os.OpenFile(os.DevNull, os.O_RDWR, 0)
	}
	path, err := source.Absolute(v.ErrorLog, source.Base{Home: job.Home, Dir: job.Dir})
	if err != nil {
		return nil, fmt.Errorf("basic.error_log: %w", err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return nil, fmt.Errorf("basic.error_log: %w", err)
	}
	return file, nil
}

// detachedRole is the daemon itself: it serves, and reports once on a pipe.
func detachedRole(args []string, s surroundings) int {
	if s.getenv(hasParent) != "" { // an upgrade: whoever waited has been told long ago
		o, _, err := serveOptions(args, s.getenv)
		if err != nil {
			return s.fail(err)
		}
		return serve(o, s, nil)
	}
	report := os.NewFile(reportFD, "report")
	if report == nil {
		return s.fail(errors.New("detached: no descriptor to report to"))
	}
	syscall.CloseOnExec(reportFD) // the pipe must end with this process, not with its children
	o, _, err := serveOptions(args, s.getenv)
	if err != nil {
		return s.fail(err)
	}
	// Until the start has succeeded, errors are for whoever waits.
	early := &switchable{to: io.MultiWriter(report, s.stderr)}
	out := s.stderr
	s.stderr = early
	return serve(o, s, func() {
		early.set(out)
		// Nobody is there to be told when the write fails.
		_, _ = io.WriteString(report, reportReady)
		_ = report.Close()
	})
}
