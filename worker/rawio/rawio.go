package rawio

import (
	"io"
	"syscall"
	"unsafe"
)

// Read reads into b, which must not be empty. It returns 0 and no error at the end of the stream.
func Read(fd uintptr, b []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), syscall.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// Write writes what the socket takes of b.
func Write(fd uintptr, b []byte) (int, syscall.Errno) {
	if len(b) == 0 {
		return 0, 0
	}
	n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, fd, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// Write2 writes what the socket takes of a and b as one message.
func Write2(fd uintptr, a, b []byte) (int, syscall.Errno) {
	if len(a) == 0 || len(b) == 0 {
		return Write(fd, append(a[:len(a):len(a)], b...))
	}
	vec := [2]syscall.Iovec{{Base: &a[0], Len: uint64(len(a))}, {Base: &b[0], Len: uint64(len(b))}}
	n, _, errno := syscall.RawSyscall(syscall.SYS_WRITEV, fd, uintptr(unsafe.Pointer(&vec[0])), 2)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// WriteMore writes what the socket takes of b, which may wait a moment for what follows: both then leave in one packet.
func WriteMore(fd uintptr, b []byte) (int, syscall.Errno) {
	if len(b) == 0 {
		return 0, 0
	}
	n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, fd, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), syscall.MSG_MORE|syscall.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// FilePiece is a piece of a file on its way to a socket, inside the kernel. To read the file may take time, so this is a call that the
// scheduler knows of.
type FilePiece struct {
	File int   // descriptor, whose own offset stays as it is
	At   int64 // in the file; Send moves it on
	// Sent is how many bytes went, and Err why none did: io.ErrUnexpectedEOF behind the end of the file.
	Sent int64
	Err  error
	want int64
}

// Begin makes the next n bytes the piece.
func (p *FilePiece) Begin(n int64) { p.want, p.Sent, p.Err = n, 0, nil }

// Send sends what the socket takes at once. It is a callback of RawConn.Write: false is to be called again when the socket has room.
func (p *FilePiece) Send(fd uintptr) bool {
	for {
		n, err := syscall.Sendfile(int(fd), p.File, &p.At, int(p.want))
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return false
		case err != nil:
			p.Err = err
		case n == 0:
			p.Err = io.ErrUnexpectedEOF
		default:
			p.Sent = int64(n)
		}
		return true
	}
}
