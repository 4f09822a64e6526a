package rundir

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"pingap/supervisor/socket"
)

// A rescue socket is where a worker can be found that has lost its supervisor: bound here, accepted on by the worker while it
// is an orphan. Where a service manager keeps the control sockets, no worker ever is one.

// RescuePath is the path of the rescue socket of a worker.
func (r *Dir) RescuePath(serial int) string {
	return filepath.Join(r.Path, fmt.Sprintf("w-%d.sock", serial))
}

// ListenRescue makes the rescue socket of a worker.
func (r *Dir) ListenRescue(serial int) (fd int, err error) {
	path := r.RescuePath(serial)
	os.Remove(path) // of an instance before: the lock is ours
	return socket.ListenUnix(path, unix.SOCK_SEQPACKET, 0o600, 1)
}

// RemoveRescue removes the path of a worker that has ended.
func (r *Dir) RemoveRescue(serial int) { os.Remove(r.RescuePath(serial)) }
