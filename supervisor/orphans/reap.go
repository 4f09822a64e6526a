package orphans

import (
	"errors"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// patience is how long a process must have been dead before it is taken for nobody's. Each child of the supervisor has a
// goroutine that waits for it and takes it within milliseconds. Should one be later than this, it only misses how its child ended.
const patience = time.Second

// Reap waits for orphans until stop is closed, and returns how many there were. dead must carry SIGCHLD. Signals that are lost
// because the channel is full do no harm, if it has room for one.
func Reap(dead <-chan os.Signal, stop <-chan struct{}) int {
	reaped := 0
	for {
		pid := zombie()
		if pid == 0 {
			select {
			case <-dead:
				continue
			case <-stop:
				return reaped
			}
		}
		select {
		case <-time.After(patience):
		case <-stop:
			return reaped
		}
		if zombie() != pid {
			continue // its goroutine has taken it
		}
		if taken, err := unix.Wait4(pid, nil, unix.WNOHANG, nil); err == nil && taken == pid {
			reaped++
		}
	}
}

// childInfo is siginfo_t as waitid fills it on 64-bit Linux.
type childInfo struct {
	_   [4]int32
	pid int32
	_   [108]byte
}

// The two must be of one size, or waitid would write past the end.
const _ = uint(unsafe.Sizeof(childInfo{})-unsafe.Sizeof(unix.Siginfo{})) + uint(unsafe.Sizeof(unix.Siginfo{})-unsafe.Sizeof(childInfo{}))

// zombie returns a child that has ended and that nobody has waited for yet, and leaves it as it is; 0 if there is none.
func zombie() int {
	var info childInfo
	for {
		err := unix.Waitid(unix.P_ALL, 0, (*unix.Siginfo)(unsafe.Pointer(&info)), unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil { // ECHILD: no children at all
			return 0
		}
		return int(info.pid)
	}
}
