package proxy

import (
	"syscall"
	"unsafe"
)

// The calls here are for non-blocking sockets inside a RawConn callback, which keeps the descriptor
// alive. They cannot block, so they go without the scheduler's bookkeeping around system calls
// (RawSyscall), which costs more than the call on small messages. EINTR cannot be returned by a
// non-blocking read or write.

// rawRead reads into b, which must not be empty. It returns 0 and no error at the end of the stream.
func rawRead(fd uintptr, b []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// rawWrite writes what the socket takes of b. SIGPIPE is ignored by the process (Go's rule for
// descriptors other than 1 and 2).
func rawWrite(fd uintptr, b []byte) (int, syscall.Errno) {
	if len(b) == 0 {
		return 0, 0
	}
	n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// rawWrite2 writes what the socket takes of a and b as one message.
func rawWrite2(fd uintptr, a, b []byte) (int, syscall.Errno) {
	if len(a) == 0 || len(b) == 0 {
		return rawWrite(fd, append(a[:len(a):len(a)], b...))
	}
	vec := [2]syscall.Iovec{{Base: &a[0], Len: uint64(len(a))}, {Base: &b[0], Len: uint64(len(b))}}
	n, _, errno := syscall.RawSyscall(syscall.SYS_WRITEV, fd, uintptr(unsafe.Pointer(&vec[0])), 2)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}
