package process

import (
	"fmt"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Killer is a timer of the kernel that kills this process: nothing in it has to run for that, so that also a process whose
// scheduler is stuck ends. It belongs to one goroutine.
type Killer struct {
	id    int32
	armed bool
	at    time.Time
}

// sigevent is struct sigevent of signal(7) on 64 bit systems, of which the kernel reads 64 bytes.
type sigevent struct {
	value  uint64
	signo  int32
	notify int32 // 0 is SIGEV_SIGNAL
	_      [48]byte
}

// Within sets the time after which the process is killed, unless that is set to be earlier already.
func (k *Killer) Within(d time.Duration) error {
	at := time.Now().Add(d)
	if k.armed && !at.Before(k.at) {
		return nil
	}
	if !k.armed {
		event := sigevent{signo: int32(unix.SIGKILL)}
		_, _, errno := unix.Syscall(unix.SYS_TIMER_CREATE, unix.CLOCK_MONOTONIC, uintptr(unsafe.Pointer(&event)), uintptr(unsafe.Pointer(&k.id)))
		if errno != 0 {
			return os.NewSyscallError("timer_create", errno)
		}
	}
	value := unix.ItimerSpec{Value: unix.NsecToTimespec(max(1, int64(d)))} // 0 would disarm it
	if _, _, errno := unix.Syscall6(unix.SYS_TIMER_SETTIME, uintptr(k.id), 0, uintptr(unsafe.Pointer(&value)), 0, 0, 0); errno != 0 {
		return fmt.Errorf("kill after %v: %w", d, os.NewSyscallError("timer_settime", errno))
	}
	k.armed, k.at = true, at
	return nil
}
