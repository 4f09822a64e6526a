package telemetry

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const childEnv = "TELEMETRY_TEST_CHILD"

// TestMain lets the test binary be the process whose standard output breaks.
func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Exit(writeToBrokenStdout())
	}
	os.Exit(m.Run())
}

func writeToBrokenStdout() int {
	w, err := NewFileWriter(os.Stdout, WriterOptions{})
	if err != nil {
		return 2
	}
	w.Line(time.Now(), SeverityInfo, []byte("nobody reads this"))
	if err := w.Close(); err != nil || w.Lost() != 1 {
		return 3
	}
	return 0
}

// The size limit of files gives the short write that a full disk gives.
func TestShortWriteTearsOneLineAndTheNextBeginsAfresh(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	s, err := newFileSink(openLog(t, path))
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	limited := old
	limited.Cur = 15
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limited); err != nil {
		t.Fatal(err)
	}
	lost, err := s.write([]byte("\nfirst\nsecond\nthird\nfourth\n"))
	lostAgain, errAgain := s.write([]byte("\nnever\n"))
	if restore := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); restore != nil {
		t.Fatal(restore)
	}
	if lost != 2 || err == nil || lostAgain != 1 || errAgain == nil {
		t.Errorf("%d lost, %v; then %d, %v", lost, err, lostAgain, errAgain)
	}
	if lost, err := s.write([]byte("\nlater\n")); lost != 0 || err != nil {
		t.Errorf("%d lost, %v after room was made", lost, err)
	}
	if lost, err := s.write([]byte("\nlast\n")); lost != 0 || err != nil {
		t.Errorf("%d lost, %v", lost, err)
	}
	if got := readLog(t, path); got != "first\nsecond\nth\nlater\nlast\n" {
		t.Errorf("file has %q", got)
	}
}

func TestFullDiskCountsAndReports(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	reports := make(chan Loss, 10)
	w, err := NewFileWriter(full, WriterOptions{Report: func(l Loss) { reports <- l }})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		line(w, "lost")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if l := <-reports; w.Lost() != 3 || l.Lost != 3 || l.Over || !errors.Is(l.Err, syscall.ENOSPC) {
		t.Errorf("%d lost, %+v", w.Lost(), l)
	}
}

// Two processes share an open file, as workers do. Who writes next after a line was cut begins a line, whoever it is.
func TestALineThatOneProcessCutIsNotContinuedByAnother(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	file := openLog(t, path)
	sinks := make([]*fileSink, 2)
	for i := range sinks {
		fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			t.Fatal(err)
		}
		if sinks[i], err = newFileSink(os.NewFile(uintptr(fd), path)); err != nil {
			t.Fatal(err)
		}
		defer sinks[i].close()
	}
	file.Close()
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	limited := old
	limited.Cur = 9
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limited); err != nil {
		t.Fatal(err)
	}
	lost, err := sinks[0].write([]byte("\nfirst\nsecond\n"))
	if restore := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); restore != nil {
		t.Fatal(restore)
	}
	if lost != 1 || !errors.Is(err, syscall.EFBIG) {
		t.Fatalf("%d lost, %v", lost, err)
	}
	for i, text := range []string{"\nother\n", "\nown\n", "\nother\n"} {
		if lost, err := sinks[(i+1)%2].write([]byte(text)); lost != 0 || err != nil {
			t.Errorf("%d lost, %v", lost, err)
		}
	}
	if got := readLog(t, path); got != "first\nsec\nother\nown\nother\n" {
		t.Errorf("file has %q", got)
	}
}

func TestALineThatWasLeftUnfinishedIsNotContinued(t *testing.T) {
	for before, want := range map[string]string{"": "next\n", "whole\n": "whole\nnext\n", "half": "half\nnext\n"} {
		path := filepath.Join(t.TempDir(), "a.log")
		if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
		file := openLog(t, path)
		if err := Continue(int(file.Fd())); err != nil {
			t.Fatal(err)
		}
		s, err := newFileSink(file)
		if err != nil {
			t.Fatal(err)
		}
		if lost, err := s.write([]byte("\nnext\n")); lost != 0 || err != nil {
			t.Errorf("%d lost, %v", lost, err)
		}
		s.close()
		if got := readLog(t, path); got != want {
			t.Errorf("after %q the file has %q", before, got)
		}
	}
}

// A file that was not opened for appending has a position of its own, which stays what it is.
func TestAFileThatIsNotAppendedToKeepsItsPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newFileSink(file)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	s.end.wrote('x')
	for range 2 {
		if lost, err := s.write([]byte("\nline\n")); lost != 0 || err != nil {
			t.Errorf("%d lost, %v", lost, err)
		}
	}
	if got := readLog(t, path); got != "\nline\nline\n" {
		t.Errorf("file has %q", got)
	}
}

func TestPipesAreWrittenInPiecesThatStayWhole(t *testing.T) {
	lines := strings.Repeat("0123456789\n", 1000)
	for rest := []byte(lines); len(rest) > 0; {
		piece := wholeLines(rest, pipeAtomic)
		if len(piece) > pipeAtomic || piece[len(piece)-1] != '\n' || len(piece)%11 != 0 {
			t.Fatalf("piece of %d bytes", len(piece))
		}
		rest = rest[len(piece):]
	}
	long := strings.Repeat("x", 10_000) + "\n"
	if got := wholeLines([]byte(long+lines), pipeAtomic); string(got) != long {
		t.Errorf("a long line gave %d bytes", len(got))
	}
}

func TestBrokenStdoutDoesNotEndTheProcess(t *testing.T) {
	r, p, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"=1")
	cmd.Stdout, cmd.Stderr = p, os.Stderr
	err = cmd.Run()
	p.Close()
	if err != nil {
		t.Errorf("child: %v", err)
	}
}
