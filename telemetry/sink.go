package telemetry

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
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
	// form is what it wants lines to look like.
	form() form
	// until bounds how long a write waits, also one that is waiting, where that is possible; zero is no bound. Any
	// goroutine may call it.
	until(limit time.Time)
	close() error
}

// form is how lines stand in the buffer of a Writer.
type form uint8

const (
	plain   form = iota // as they will stand in the file
	stamped             // each behind its stamp
	entries             // likewise, and made of fields for the journal
)

// pipeAtomic is the most that a pipe takes in one piece (PIPE_BUF): what several processes write into
// one pipe or stream socket is not mixed up to there.
const pipeAtomic = 4096

// fileSink writes to a file, pipe or stream socket, whole lines only.
type fileSink struct {
	file *os.File
	raw  syscall.RawConn
	// regular files take a batch in one write, whatever its size.
	regular bool
	end     lineEnd
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
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("log file: %w", err)
	}
	s := &fileSink{file: file, raw: raw, regular: info.Mode().IsRegular()}
	s.end = newLineEnd(s)
	return s, nil
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

func (s *fileSink) form() form   { return plain }
func (s *fileSink) close() error { return s.file.Close() }

// until works where the runtime polls: pipes and sockets that do not block.
func (s *fileSink) until(limit time.Time) { _ = s.file.SetWriteDeadline(limit) }

// write brings out the batch. What is cut in the middle of a line counts as lost, and the next thing to be written is
// the newline that ends it.
func (s *fileSink) write(batch []byte) (lost int, err error) {
	torn := s.end.torn()
	if !torn {
		batch = batch[1:]
	}
	for len(batch) > 0 {
		n, err := s.some(batch)
		if n == 0 && torn {
			batch = batch[1:] // only ends a line that was counted before
		}
		if n > 0 {
			s.end.wrote(batch[n-1])
			torn = batch[n-1] != '\n'
		}
		batch = batch[n:]
		if err != nil {
			return lost + bytes.Count(batch, newline), err
		}
		if torn {
			lost++
			batch = batch[bytes.IndexByte(batch, '\n'):]
		}
	}
	return lost, nil
}

// some writes the beginning of batch. A regular file gets all of it at once, and is asked once: the rest of a line that a full disk
// cut may not follow behind the line of another process. Pipes get as many lines as they take in one piece.
func (s *fileSink) some(batch []byte) (n int, err error) {
	if !s.regular {
		return s.file.Write(wholeLines(batch, pipeAtomic))
	}
	rawErr := s.raw.Write(func(fd uintptr) bool {
		for {
			if n, err = unix.Write(int(fd), batch); !errors.Is(err, unix.EINTR) {
				return true
			}
		}
	})
	if rawErr != nil {
		return 0, rawErr
	}
	if n <= 0 && err == nil {
		err = io.ErrShortWrite
	}
	return max(n, 0), err
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

func (s syslogSink) form() form      { return stamped }
func (s syslogSink) until(time.Time) {} // waits for syslogWait only
func (s syslogSink) close() error    { return s.to.close() }

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

func (f funcSink) form() form      { return stamped }
func (f funcSink) until(time.Time) {}
func (f funcSink) close() error    { return nil }

func (f funcSink) write(batch []byte) (int, error) {
	eachStamped(batch[1:], f)
	return 0, nil
}

// stampSize is the length of a stamp: nanoseconds since 1970, severity, and the length of the line.
const stampSize = 8 + 1 + 4

func appendStamp(dst []byte, at time.Time, severity Severity, length int) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(at.UnixNano()))
	return binary.LittleEndian.AppendUint32(append(dst, byte(severity)), uint32(length))
}

// eachStamped takes a batch of stamped lines apart.
func eachStamped(batch []byte, use func(time.Time, Severity, []byte)) {
	for len(batch) > stampSize {
		at := time.Unix(0, int64(binary.LittleEndian.Uint64(batch)))
		severity, length := Severity(batch[8]), int(binary.LittleEndian.Uint32(batch[9:]))
		batch = batch[stampSize:]
		use(at, severity, batch[:length])
		batch = batch[length+1:] // with its newline
	}
}
