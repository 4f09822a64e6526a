package supervisor

import (
	"path/filepath"

	"golang.org/x/sys/unix"

	"pingap/ipc"
)

// What control keeps in the state directory, as package control/history names it.
const (
	versionsFolder = "versions"
	versionsKey    = "versions.key"
)

// openKept opens the folder of kept versions, and the key to them, for a control process that is started without root: the
// first one was root and made them, its successors may not enter the state directory. Where that fails they get
// none, and say so. The descriptors are closed by done.
func (s *supervisor) openKept(start *ipc.ControlStart, fds *ipc.FDs) (done func()) {
	if s.control.runAs == nil || s.o.StateDir == "" {
		return func() {}
	}
	const flags = unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NOFOLLOW | unix.O_NONBLOCK
	dir, err := unix.Open(filepath.Join(s.o.StateDir, versionsFolder), flags|unix.O_DIRECTORY, 0)
	if err != nil {
		return func() {}
	}
	key, err := unix.Open(filepath.Join(s.o.StateDir, versionsKey), flags, 0)
	if err != nil {
		unix.Close(dir)
		return func() {}
	}
	start.Versions, start.VersionsKey = fds.Add(dir), fds.Add(key)
	return func() {
		unix.Close(dir)
		unix.Close(key)
	}
}
