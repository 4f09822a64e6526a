package telemetry

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// tornAt is the position that says that a file ends inside a line. No write of whole lines leaves it.
const tornAt = 1

// lineEnd knows whether a file ends inside a line, because a full disk or a limit cut it there. All processes have the log
// file from the supervisor and with it one open file description, whose position means nothing under O_APPEND: every write
// goes to the end and moves the position there. So the position is where whoever cut a line leaves word for whoever
// writes next. Where it has a meaning only this process's own cuts are known.
type lineEnd struct {
	file   *os.File
	shared bool
	cut    bool
}

func newLineEnd(s *fileSink) lineEnd {
	e := lineEnd{file: s.file}
	flags := 0
	err := s.raw.Control(func(fd uintptr) { flags, _ = unix.FcntlInt(fd, unix.F_GETFL, 0) })
	e.shared = err == nil && s.regular && flags&unix.O_APPEND != 0
	return e
}

func (e *lineEnd) torn() bool {
	if !e.shared {
		return e.cut
	}
	at, err := e.file.Seek(0, io.SeekCurrent)
	return err == nil && at == tornAt
}

// wrote notes the last byte that was written.
func (e *lineEnd) wrote(last byte) {
	e.cut = last != '\n'
	if e.cut && e.shared {
		_, _ = e.file.Seek(tornAt, io.SeekStart) // a regular file can be positioned
	}
}

// Continue prepares a log file that was just opened for appending, if it is a regular one: where whoever wrote before left half
// a line, the next line will not be added to that.
func Continue(fd int) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size == 0 {
		return nil
	}
	file, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", fd)) // fd itself cannot be read
	if err != nil {
		return err
	}
	defer file.Close()
	var last [1]byte
	if _, err := file.ReadAt(last[:], st.Size-1); err != nil {
		return err
	}
	if last[0] == '\n' {
		return nil
	}
	_, err = unix.Seek(fd, tornAt, io.SeekStart)
	return err
}
