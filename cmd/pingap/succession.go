package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cloudflare/tableflip"
	"golang.org/x/sys/unix"

	"pingap/control/source"
	"pingap/ipc"
	"pingap/supervisor"
)

// How tableflip is used: it starts the successor, waits for its readiness, and carries one socket, over which the supervisors
// hand over everything themselves (supervisor/upgrade.go). It owns no listener: it could not let go of one.

const (
	handoverFile = "handover"
	upgradeTime  = 30 * time.Second // from start to readiness of a successor
	parentTime   = 5 * time.Second  // for the supervisor before to end
)

// succession is both ends of it: for the supervisor that may start a successor, and for one that was started so.
type succession struct {
	flip *tableflip.Upgrader
	args []string // of this process
}

func newSuccession(args []string) (*succession, error) {
	flip, err := tableflip.New(tableflip.Options{UpgradeTimeout: upgradeTime})
	if err != nil {
		return nil, fmt.Errorf("hand-over: %w", err)
	}
	return &succession{flip: flip, args: args}, nil
}

// predecessor returns the supervisor that started this one, nil for none.
func (u *succession) predecessor() (*supervisor.Predecessor, error) {
	if !u.flip.HasParent() {
		return nil, u.flip.Ready()
	}
	file, err := u.flip.Fds.File(handoverFile)
	if err != nil || file == nil {
		return nil, fmt.Errorf("hand-over: no socket from the supervisor before: %w", errors.Join(err, os.ErrNotExist))
	}
	defer file.Close()
	var fd int
	raw, err := file.SyscallConn()
	if err == nil {
		err = errors.Join(raw.Control(func(n uintptr) { fd, err = unix.FcntlInt(n, unix.F_DUPFD_CLOEXEC, 0) }), err)
	}
	if err != nil {
		return nil, fmt.Errorf("hand-over: %w", err)
	}
	conn, err := ipc.FromFD(fd)
	if err != nil {
		return nil, err
	}
	conn.TakeFDs()
	return &supervisor.Predecessor{Conn: conn, Ready: u.flip.Ready, Gone: func() {
		ctx, cancel := context.WithTimeout(context.Background(), parentTime)
		defer cancel()
		// It ends by itself. One that hangs doing so holds nothing that is needed.
		_ = u.flip.WaitForParent(ctx)
	}}, nil
}

// serveArgs are the arguments of this supervisor, as for a process that is not detached.
func serveArgs() []string {
	args := os.Args[1:]
	if len(args) > 0 && args[0] == detached {
		args = args[1:]
	}
	return args
}

// Check implements supervisor.Upgrader: the binary must run, speak a protocol that overlaps, and take the configuration.
func (u *succession) Check(ctx context.Context) error {
	path, err := exec.LookPath(os.Args[0])
	if err != nil {
		return err
	}
	out, err := output(ctx, path, handoffFlag)
	if err != nil {
		return err
	}
	var least, most int
	if _, err := fmt.Sscanf(out, "handoff %d %d", &least, &most); err != nil {
		return fmt.Errorf("%s does not say which hand-over it speaks: %q", path, firstLine(out))
	}
	if least > ipc.Version || most < ipc.ProtoMin {
		return fmt.Errorf("%s speaks hand-over %d to %d, this build %d to %d", path, least, most, ipc.ProtoMin, ipc.Version)
	}
	_, err = output(ctx, path, append(slices.Clone(u.args), "--test")...)
	return err
}

func handoffVersion() string {
	return "handoff " + strconv.Itoa(ipc.ProtoMin) + " " + strconv.Itoa(ipc.Version)
}

// maxOutput bounds what is repeated of a program's complaints.
const maxOutput = 1000

func output(ctx context.Context, path string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", path, source.Redact(strings.Join(args, " ")), errors.Join(err, ctx.Err()), text[:min(len(text), maxOutput)])
	}
	return text, nil
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line[:min(len(line), 80)]
}

// Start implements supervisor.Upgrader.
func (u *succession) Start(socket *ipc.Conn) error {
	if err := u.flip.Fds.AddFile(handoverFile, socket.File()); err != nil {
		return fmt.Errorf("hand-over: %w", err)
	}
	return u.flip.Upgrade()
}
