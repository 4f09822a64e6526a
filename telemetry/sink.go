package telemetry

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// sink is where a Writer's goroutine brings its batches. A batch is a newline (see fileSink) and
// whole lines, each ending in one.
type sink interface {
	// write returns how many lines were lost, and the first error that lost one.
	write(batch []byte) (lost int, err error)
	// stamped tells that each line begins with its stamp.
	stamped() bool
	close() error
}

// pipeAtomic is the most that a pipe takes in one piece (PIPE_BUF): what several processes write into
// one pipe or stream socket is not mixed up to there.
const pipeAtomic = 4096

// fileSink writes to a file, pipe or stream socket, whole lines only.
type fileSink struct {
	file *os.File
	// regular files take a batch in one write, whatever its size.
	regular bool
	// torn says that the last write ended inside a line: the next begins with a newline.
	torn bool
}

// newFileSink takes file over. Descriptors 0 to 2 are duplicated: a Writer never closes them, and the
// runtime ends the process when a write to 1 or 2 finds its reader gone.
func newFileSink(file *os.File) (*fileSink, error) {
	file, err := aboveStandard(file)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("log file: %w", err)
	}
	return &fileSink{file: file, regular: info.Mode().IsRegular()}, nil
}

// aboveStandard returns file, or a duplicate where it is a standard descriptor. It does not use Fd,
// which would make a shared description blocking.
func aboveStandard(file *os.File) (*os.File, error) {
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("log file: %w", err)
	}
	duplicate := -1
	var dupErr error
	err = raw.Control(func(fd uintptr) {
		if fd <= 2 {
			duplicate, dupErr = unix.FcntlInt(fd, syscall.F_DUPFD_CLOEXEC, 3)
		}
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("log file: %w", err)
	case dupErr != nil:
		return nil, fmt.Errorf("duplicate %s for the log: %w", file.Name(), dupErr)
	case duplicate < 0:
		return file, nil
	}
	return os.NewFile(uintptr(duplicate), file.Name()), nil
}

func (s *fileSink) stamped() bool { return false }
func (s *fileSink) close() error  { return s.file.Close() }

func (s *fileSink) write(batch []byte) (int, error) {
	if !s.torn {
		batch = batch[1:]
	}
	for len(batch) > 0 {
		piece := batch
		if !s.regular {
			piece = wholeLines(batch, pipeAtomic)
		}
		n, err := s.file.Write(piece)
		if err != nil {
			return s.failed(batch, n), err
		}
		s.torn = false
		batch = batch[len(piece):]
	}
	return 0, nil
}

// failed notes that only n bytes of batch were written, and returns the number of lines lost: a line
// that was cut is one of them.
func (s *fileSink) failed(batch []byte, n int) int {
	lost := bytes.Count(batch[n:], newline)
	if n == 0 {
		if s.torn {
			lost-- // the newline that would have ended the cut line
		}
		return lost
	}
	s.torn = batch[n-1] != '\n'
	return lost
}

var newline = []byte{'\n'} // never changed

// wholeLines returns the longest run of lines of at most limit bytes, or else the first line.
func wholeLines(batch []byte, limit int) []byte {
	if len(batch) <= limit {
		return batch
	}
	if end := bytes.LastIndexByte(batch[:limit], '\n'); end >= 0 {
		return batch[:end+1]
	}
	return batch[:bytes.IndexByte(batch, '\n')+1]
}

// syslogSink sends each line as a message.
type syslogSink struct{ to *Syslog }

func (s syslogSink) stamped() bool { return true }
func (s syslogSink) close() error  { return s.to.close() }

func (s syslogSink) write(batch []byte) (lost int, first error) {
	deadline := time.Now().Add(syslogWait)
	eachStamped(batch[1:], func(at time.Time, severity Severity, line []byte) {
		if first != nil && time.Now().After(deadline) {
			lost++ // a daemon that hangs costs a batch one wait, not one a line
			return
		}
		if err := s.to.send(at, severity, line); err != nil {
			lost++
			if first == nil {
				first = err
			}
		}
	})
	return lost, first
}

// funcSink hands each line to a function.
type funcSink func(at time.Time, severity Severity, line []byte)

func (f funcSink) stamped() bool { return true }
func (f funcSink) close() error  { return nil }

func (f funcSink) write(batch []byte) (int, error) {
	eachStamped(batch[1:], f)
	return 0, nil
}

// stampSize is the length of a stamp: nanoseconds since 1970 and severity.
const stampSize = 9

func appendStamp(dst []byte, at time.Time, severity Severity) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(at.UnixNano()))
	return append(dst, byte(severity))
}

// eachStamped takes a batch of stamped lines apart.
func eachStamped(batch []byte, use func(time.Time, Severity, []byte)) {
	for len(batch) > stampSize {
		at := time.Unix(0, int64(binary.LittleEndian.Uint64(batch)))
		severity := Severity(batch[stampSize-1])
		batch = batch[stampSize:]
		end := bytes.IndexByte(batch, '\n')
		use(at, severity, batch[:end])
		batch = batch[end+1:]
	}
}
