package client

import (
	"syscall"
	"unsafe"
)

// The calls here are for non-blocking sockets inside a RawConn callback, which keeps the descriptor alive.
// They cannot block, and so go without the scheduler's bookkeeping around system calls.

// rawRead reads into b, which must not be empty. It returns 0 and no error at the end of the stream.
func rawRead(fd uintptr, b []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// rawWrite writes what the socket takes of b, which must not be empty.
func rawWrite(fd uintptr, b []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}
