package control

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	"pingap/config"
	"pingap/ipc"
)

// Descriptors of a validate child.
const (
	fdVerdict  = 3
	fdSnapshot = 4
	fdLive     = 5
)

// childJob is the job with the limits that the child puts on itself.
type childJob struct {
	Job
	Limits Limits `json:"limits"`
	Live   bool   `json:"live"` // there is a live snapshot to compare with
	Idle   bool   `json:"idle"` // control can hurry the child
}

// Validate is the role of a validate child: it reads a Job, limits itself, and
// leaves verdict and snapshot in the descriptors it was given. opt carries the
// functions that check plugins.
func Validate(ctx context.Context, stdin io.Reader, opt config.Options) error {
	var job childJob
	if err := json.NewDecoder(stdin).Decode(&job); err != nil {
		return fmt.Errorf("validate: job: %w", err)
	}
	limits := job.Limits.orDefault()
	if err := confine(limits, job.Idle); err != nil {
		return fmt.Errorf("validate: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limits.Time, ErrTime)
	defer cancel()
	var live *config.Snapshot
	if job.Live {
		var err error
		if live, err = liveSnapshot(); err != nil {
			return err
		}
	}
	v, snapshot := Check(ctx, job.Job, opt, live)
	if err := seal(fdSnapshot, snapshot); err != nil {
		return err
	}
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("validate: verdict: %w", err)
	}
	return writeAll(fdVerdict, data)
}

// liveSnapshot opens the live snapshot.
func liveSnapshot() (*config.Snapshot, error) {
	data, err := ipc.ReadMemfd(fdLive, maxSnapshot)
	if err != nil {
		return nil, fmt.Errorf("validate: live snapshot: %w", err)
	}
	live, err := config.OpenSnapshot(data)
	if err != nil {
		return nil, fmt.Errorf("validate: live snapshot: %w", err)
	}
	return live, nil
}

// seal fills a memfd and makes it unchangeable for everybody.
func seal(fd int, data []byte) error {
	if err := writeAll(fd, data); err != nil {
		return err
	}
	seals := unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		return fmt.Errorf("validate: seal snapshot: %w", err)
	}
	return nil
}

func writeAll(fd int, data []byte) error {
	for off := 0; off < len(data); {
		n, err := unix.Pwrite(fd, data[off:], int64(off))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("validate: write: %w", err)
		}
		off += n
	}
	return nil
}
