package secure

import (
	"syscall"
	"unsafe"
)

// The two calls are for non-blocking sockets while a callback of syscall.RawConn keeps the descriptor
// alive: see worker/proxy/rawio.go.

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
