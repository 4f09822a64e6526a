package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"pingap/control/history"
	"pingap/ipc"
)

// Errors of a validate child that did not come to a verdict.
var (
	ErrTime   = errors.New("checking the configuration took too long")
	ErrMemory = errors.New("checking the configuration took too much memory")
)

// validator runs validate children.
type validator struct {
	exe    string // the binary to run, normally /proc/self/exe
	limits Limits
}

// result is a verdict with its snapshot, which the caller closes.
type result struct {
	Verdict
	snapshot *os.File // sealed memfd; nil where the verdict has errors

	kept *history.Version // that was loaded, nil for the source
	held string           // with kept: digest of the source meanwhile, empty where it could not be read

	refreshed bool             // it is the live configuration with its files read again
	empty     bool             // it is nothing but the admin interface, in place of a source that could not be loaded
	again     *history.Version // with refreshed: how the live version was kept, nil where it was not
}

func (r *result) close() {
	if r != nil && r.snapshot != nil {
		r.snapshot.Close()
	}
}

// run starts a child for the job and waits for it. live is the snapshot to
// compare with, nil where there is none; as is whom the child runs as, nil for
// this process's user.
func (v validator) run(ctx context.Context, job Job, live *os.File, as *ipc.Credential) (*result, error) {
	limits := v.limits.orDefault()
	input, err := json.Marshal(childJob{Job: job, Limits: limits, Live: live != nil, Idle: mayHurry()})
	if err != nil {
		return nil, fmt.Errorf("validate: %w", err)
	}
	verdict, err := memfd("pingap-verdict")
	if err != nil {
		return nil, err
	}
	defer verdict.Close()
	snapshot, err := memfd("pingap-snapshot")
	if err != nil {
		return nil, err
	}
	r := &result{snapshot: snapshot}
	files := []*os.File{verdict, snapshot}
	if live != nil {
		files = append(files, live)
	}
	err = v.child(ctx, limits, input, files, as)
	if err == nil {
		err = r.read(verdict)
	}
	if err != nil || len(r.Errors) > 0 {
		snapshot.Close()
		r.snapshot = nil
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// child runs one child to its end, at the latest at the time limit.
func (v validator) child(ctx context.Context, limits Limits, input []byte, files []*os.File, as *ipc.Credential) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limits.Time, ErrTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, v.exe)
	cmd.Args = []string{"pingap: validate", "validate"}
	cmd.Stdin = bytes.NewReader(input)
	cmd.ExtraFiles = files
	var stderr complaint
	cmd.Stderr = &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C is for the supervisor
	if as != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: as.UID, Gid: as.GID}
	}
	cmd.WaitDelay = time.Second
	err := runPatiently(cmd)
	switch {
	case err == nil:
		return nil
	case context.Cause(ctx) != nil:
		return fmt.Errorf("%w: %s", context.Cause(ctx), limits.Time)
	case stderr.outOfMemory():
		return fmt.Errorf("%w: %d MiB", ErrMemory, limits.Memory>>20)
	}
	return fmt.Errorf("validate: %w: %s", err, stderr.firstLine())
}

// runPatiently runs a child that gives way to everybody, for a while.
func runPatiently(cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // ends with the child, which the context of cmd bounds
	timer := time.NewTimer(idleTime)
	defer timer.Stop()
	select {
	case err := <-ended:
		return err
	case <-timer.C:
		hurry(cmd.Process.Pid)
		return <-ended
	}
}

func (r *result) read(verdict *os.File) error {
	info, err := verdict.Stat()
	if err != nil {
		return fmt.Errorf("validate: verdict: %w", err)
	}
	if info.Size() > maxVerdict {
		return fmt.Errorf("validate: verdict of %d bytes, limit %d", info.Size(), maxVerdict)
	}
	data, err := io.ReadAll(io.NewSectionReader(verdict, 0, info.Size()))
	if err != nil {
		return fmt.Errorf("validate: verdict: %w", err)
	}
	if err := json.Unmarshal(data, &r.Verdict); err != nil {
		return fmt.Errorf("validate: verdict: %w", err)
	}
	return nil
}

// memfd makes an empty anonymous file that can be sealed.
func memfd(name string) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("memfd %s: %w", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// complaint keeps the beginning of what a child prints when it fails; a Go program
// that dies says why first.
type complaint struct{ buf []byte }

const maxComplaint = 8 << 10

func (t *complaint) Write(p []byte) (int, error) {
	t.buf = append(t.buf, p[:min(len(p), maxComplaint-len(t.buf))]...)
	return len(p), nil
}

// outOfMemory knows what the runtime says when the kernel gives no more, be it
// for the heap or for the stack of a thread.
func (t *complaint) outOfMemory() bool {
	for _, words := range []string{"out of memory", "cannot allocate memory", "pthread_create failed",
		"failed to create new OS thread", "failed to allocate"} {
		if bytes.Contains(t.buf, []byte(words)) {
			return true
		}
	}
	return false
}

func (t *complaint) firstLine() string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(t.buf)), "\n")
	return line
}
