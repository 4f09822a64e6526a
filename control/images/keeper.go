package images

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"pingap/ipc"
)

const (
	// backlog is how many pictures may wait; more are not made.
	backlog = 64
	// killPause is how long a maker that was killed is waited for.
	killPause = 2 * time.Second
	// earlyPause is between looks whether it is known whom the maker is to run as.
	earlyPause = 20 * time.Millisecond
	// restartPause is between the failure of a maker and the next.
	restartPause = time.Second
)

// errTooEarly is why a maker is not started while nobody has said whom it is to run as.
var errTooEarly = errors.New("whom to run as is not known")

// Keeper has the socket, and starts the maker when somebody comes to it.
type Keeper struct {
	// Executable is the binary to run as "images".
	Executable string
	// Log is told of makers that fail.
	Log *zap.Logger
	// As says whom the maker runs as where this process is root. While it gives nil that is not known yet, and no maker is started.
	As func() *syscall.Credential

	name   string
	token  []byte
	socket *os.File
}

// Open makes the socket. Run closes it.
func (k *Keeper) Open() error {
	var id [16]byte
	k.token = make([]byte, ipc.PicturesToken)
	for _, b := range [][]byte{id[:], k.token} {
		if _, err := rand.Read(b); err != nil {
			return fmt.Errorf("images: %w", err)
		}
	}
	k.name = "@pingap-pictures-" + hex.EncodeToString(id[:])
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("images: socket: %w", err)
	}
	k.socket = os.NewFile(uintptr(fd), "pictures")
	if err = unix.Bind(fd, &unix.SockaddrUnix{Name: k.name}); err == nil {
		err = unix.Listen(fd, backlog)
	}
	if err != nil {
		k.socket.Close()
		return fmt.Errorf("images: socket: %w", err)
	}
	return nil
}

// Name is that of the socket, for workers.
func (k *Keeper) Name() string { return k.name }

// Token is what they show there.
func (k *Keeper) Token() []byte { return k.token }

// Run starts makers until ctx ends, and then waits for the last.
func (k *Keeper) Run(ctx context.Context) {
	defer k.socket.Close()
	for k.visited(ctx) {
		if err := k.make(ctx); err != nil && ctx.Err() == nil {
			pause := earlyPause
			if err != errTooEarly {
				k.Log.Warn("the process that makes pictures has failed", zap.Error(err))
				pause = restartPause
			}
			wait, cancel := context.WithTimeout(ctx, pause)
			<-wait.Done()
			cancel()
		}
	}
}

// visited waits until somebody is at the socket; false when ctx has ended.
func (k *Keeper) visited(ctx context.Context) bool {
	raw, err := k.socket.SyscallConn()
	if err != nil {
		return false
	}
	stop := context.AfterFunc(ctx, func() { _ = k.socket.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	err = raw.Read(func(fd uintptr) bool {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, 0)
		return n > 0 || err != nil && err != unix.EINTR
	})
	return err == nil && ctx.Err() == nil
}

// make runs one maker to its end. Its standard input stays open: when this process dies it ends too.
func (k *Keeper) make(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, k.Executable)
	cmd.Args = []string{"pingap: images", "images"}
	cmd.Env = []string{}
	cmd.ExtraFiles = []*os.File{k.socket}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() == 0 {
		if cmd.SysProcAttr.Credential = k.As(); cmd.SysProcAttr.Credential == nil {
			return errTooEarly
		}
	}
	cmd.WaitDelay = killPause
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	var last tail
	cmd.Stderr = &last
	if err := cmd.Start(); err != nil {
		return err
	}
	_, err = stdin.Write(k.token)
	if err = errors.Join(cmd.Wait(), err); err != nil {
		return fmt.Errorf("%w: %s", err, last.text)
	}
	return nil
}

// tail keeps the beginning of what a maker says when it fails.
type tail struct{ text []byte }

// Write keeps at most a line or two.
func (t *tail) Write(p []byte) (int, error) {
	const limit = 200
	t.text = append(t.text, p[:min(len(p), limit-min(limit, len(t.text)))]...)
	return len(p), nil
}
