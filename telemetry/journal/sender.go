package journal

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Sender sends entries. It is used by one goroutine.
type Sender struct {
	file *os.File
	raw  syscall.RawConn
	path string
}

// NewSender takes over a datagram socket that is non-blocking and connected to the journal's at path.
func NewSender(file *os.File, path string) (*Sender, error) {
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("journal: %w", err)
	}
	return &Sender{file: file, raw: raw, path: path}, nil
}

// Close closes the socket.
func (s *Sender) Close() error { return s.file.Close() }

// Send sends an entry, made by AppendField. It waits until deadline for a journal that is busy. What no datagram
// holds goes as a sealed memory file.
func (s *Sender) Send(entry []byte, deadline time.Time) error {
	if err := s.file.SetWriteDeadline(deadline); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	err := s.send(entry, nil)
	if errors.Is(err, unix.EMSGSIZE) || errors.Is(err, unix.ENOBUFS) {
		err = s.sendFile(entry)
	}
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

func (s *Sender) send(data, rights []byte) error {
	var sent error
	err := s.raw.Write(func(fd uintptr) bool {
		sent = unix.Sendmsg(int(fd), data, rights, nil, unix.MSG_NOSIGNAL)
		if lost(sent) && unix.Connect(int(fd), &unix.SockaddrUnix{Name: s.path}) == nil {
			sent = unix.Sendmsg(int(fd), data, rights, nil, unix.MSG_NOSIGNAL)
		}
		return !errors.Is(sent, unix.EAGAIN) // then wait until there is room
	})
	if err != nil {
		return err
	}
	return sent
}

// lost tells whether the socket at the other end is gone. A new one may be there under the same path.
func lost(err error) bool {
	return errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.ENOTCONN) || errors.Is(err, unix.EPIPE)
}

// sendFile passes the entry as a descriptor. The journal only takes files that nobody can change any more.
func (s *Sender) sendFile(entry []byte) error {
	fd, err := unix.MemfdCreate("pingap-journal-entry", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return os.NewSyscallError("memfd_create", err)
	}
	file := os.NewFile(uintptr(fd), "journal entry")
	defer file.Close()
	if _, err := file.Write(entry); err != nil {
		return err
	}
	const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE | unix.F_SEAL_SEAL
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		return os.NewSyscallError("seal", err)
	}
	return s.send(nil, unix.UnixRights(fd))
}
