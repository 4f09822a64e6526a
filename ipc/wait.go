package ipc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// watch makes the end of ctx end the I/O that set belongs to. The returned function undoes it and must be
// called before the next I/O of that direction.
func (c *Conn) watch(ctx context.Context, set func(time.Time) error) (stop func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	ended := make(chan struct{})
	undo := context.AfterFunc(ctx, func() {
		defer close(ended)
		_ = set(time.Unix(1, 0)) // fails only on a closed file, whose I/O has ended already
	})
	return func() {
		if undo() {
			return
		}
		<-ended
		_ = set(time.Time{})
	}
}

// waitError joins the poller's error and the system call's.
func waitError(ctx context.Context, wait, call error) error {
	if wait != nil {
		if ctx.Err() != nil && errors.Is(wait, os.ErrDeadlineExceeded) {
			return context.Cause(ctx)
		}
		if errors.Is(wait, os.ErrDeadlineExceeded) {
			return wait
		}
		return fmt.Errorf("%w: %w", os.ErrClosed, wait)
	}
	return call
}

func ignoringEINTR(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}
