package ipc

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// immutable is what a receiver insists on: nobody, the sender included, can change or resize the content any more.
const immutable = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE

// SealedMemfd returns a descriptor (CLOEXEC, the caller closes it) of an anonymous file with this content,
// sealed against every change. The name is for /proc only.
func SealedMemfd(name string, data []byte) (int, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return -1, fmt.Errorf("memfd_create %s: %w", name, err)
	}
	if err := fill(fd, data); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("fill memfd %s: %w", name, err)
	}
	return fd, nil
}

func fill(fd int, data []byte) error {
	for off := 0; off < len(data); {
		n, err := unix.Pwrite(fd, data[off:], int64(off))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		off += n
	}
	_, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, immutable)
	return err
}

// ReadMemfd returns the content of a sealed memfd of at most limit bytes. One that lacks a seal is refused:
// its owner could change it under the reader. The descriptor stays open and its offset untouched.
func ReadMemfd(fd int, limit int64) ([]byte, error) {
	seals, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	if err != nil {
		return nil, fmt.Errorf("memfd seals: %w", err)
	}
	if seals&immutable != immutable {
		return nil, fmt.Errorf("%w: memfd is not sealed (%#x)", ErrMalformed, seals)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, fmt.Errorf("memfd size: %w", err)
	}
	if st.Size > limit {
		return nil, fmt.Errorf("%w: memfd of %d bytes, limit %d", ErrTooLarge, st.Size, limit)
	}
	data := make([]byte, st.Size)
	for off := 0; off < len(data); {
		n, err := unix.Pread(fd, data[off:], int64(off))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, os.NewSyscallError("pread", err)
		}
		if n == 0 {
			return nil, io.ErrUnexpectedEOF
		}
		off += n
	}
	return data, nil
}
