package telemetry

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// journalSocket returns a datagram socket connected to path, as the supervisor makes it.
func journalSocket(t *testing.T, path string) *os.File {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fd), path)
}

func TestTheJournalGetsFields(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	daemon := listenSyslog(t, path)
	l, err := New(Options{File: journalSocket(t, path), Journal: path, Process: "worker", Version: "1.2.3", JSON: true})
	if err != nil {
		t.Fatal(err)
	}
	l.Logger.Named("proxy").With(zap.Int("slot", 1)).Error("backend failed", zap.String("peer", "10.0.0.1:80"), zap.Duration("took", 1500*time.Millisecond),
		zap.Uint64("version", 7), zap.Error(errors.New("two\nlines")))
	l.Line(time.Now(), SeverityInfo, []byte("GET / 200"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	want := []string{"PRIORITY=3", "SYSLOG_IDENTIFIER=pingap",
		`MESSAGE=backend failed component=proxy slot=1 peer=10.0.0.1:80 took=1.5s version=7 error=two\x0alines`,
		"PINGAP_PROCESS=worker", "PINGAP_VERSION=1.2.3", "PINGAP_EVENT=backend failed", "PINGAP_COMPONENT=proxy", "PINGAP_SLOT=1",
		"PINGAP_PEER=10.0.0.1:80", "PINGAP_TOOK=1.5s", "PINGAP_FIELD_VERSION=7", "PINGAP_ERROR\n\x09\x00\x00\x00\x00\x00\x00\x00two\nlines"}
	if got := receive(t, daemon); got != strings.Join(want, "\n")+"\n" {
		t.Errorf("entry %q", got)
	}
	if got := strings.Split(receive(t, daemon), "\n"); !slices.Contains(got, "MESSAGE=GET / 200") || !slices.Contains(got, "PRIORITY=6") || strings.Contains(strings.Join(got, ""), "EVENT") {
		t.Errorf("entry %q", got)
	}
}

// A process begins at standard error and goes over to the journal when it is given the socket; a file may follow.
func TestALogGoesOverToTheJournalAndBack(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "socket")
	daemon := listenSyslog(t, path)
	l := newTestLog(t, filepath.Join(dir, "before"), Options{Process: "control"})
	l.Logger.Info("one")
	if err := l.ReopenJournal(journalSocket(t, path), path); err != nil {
		t.Fatal(err)
	}
	l.Logger.Info("two")
	if got := strings.Split(receive(t, daemon), "\n"); !slices.Contains(got, "MESSAGE=two") {
		t.Errorf("entry %q", got)
	}
	if err := l.Reopen(openLog(t, filepath.Join(dir, "after"))); err != nil {
		t.Fatal(err)
	}
	l.Logger.Info("three")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	before, after := readLog(t, filepath.Join(dir, "before")), readLog(t, filepath.Join(dir, "after"))
	if !strings.HasSuffix(before, " one\n") || !strings.HasSuffix(after, " three\n") || strings.Count(before+after, "\n") != 2 || l.Lost() != 0 {
		t.Errorf("files have %q and %q, %d lost", before, after, l.Lost())
	}
}

// A journal that does not read, or is gone, costs lines and nobody's time.
func TestAJournalThatDoesNotReadCostsLinesOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	daemon := listenSyslog(t, path)
	l, err := New(Options{File: journalSocket(t, path), Journal: path})
	if err != nil {
		t.Fatal(err)
	}
	const lines = 5000
	for range lines {
		l.Logger.Info("one of many", zap.String("filler", strings.Repeat("x", 2000)))
	}
	if !eventually(func() bool { return l.Lost() > 0 }) {
		t.Error("nothing was lost")
	}
	daemon.Close()
	os.Remove(path)
	if !eventually(func() bool {
		before := l.Lost()
		l.Logger.Info("for nobody")
		return l.Logger.Sync() == nil && l.Lost() > before
	}) {
		t.Error("an entry without a journal was not counted")
	}
	daemon = listenSyslog(t, path)
	l.Logger.Info("again")
	if got := strings.Split(receive(t, daemon), "\n"); !slices.Contains(got, "MESSAGE=again") {
		t.Errorf("entry %q", got)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}
