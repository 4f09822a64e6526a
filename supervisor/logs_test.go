package supervisor

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pingap/ipc"
)

// withLog boots on a configuration with one access log.
func withLog(t *testing.T, target ipc.LogTarget, change func(*Options)) *instance {
	t.Helper()
	i := launch(t, change)
	i.takeControl()
	p := i.proposal("", "one")
	if target.Path == "" {
		target.Path = filepath.Join(i.dir, "access.log")
	}
	p.Logs = []ipc.LogTarget{target}
	i.mustApply(p)
	return i
}

func lines(t *testing.T, path string) int {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(data), "\n")
}

func TestReopenAnswersWhenAllHaveTakenTheNewFiles(t *testing.T) {
	i := withLog(t, ipc.LogTarget{}, nil)
	path := filepath.Join(i.dir, "access.log")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	i.send(ipc.Reopen{})
	m := i.receive(ipc.TypeReopened)
	if b := m.Body.(*ipc.Reopened); len(b.Errors) != 0 || !slices.Equal(b.Paths, []string{path}) {
		t.Errorf("%+v", b)
	}
	if lines(t, path) != 2 || lines(t, path+".1") != 2 {
		t.Errorf("%d lines in the new, %d in the old file", lines(t, path), lines(t, path+".1"))
	}
}

func TestReopenNamesWhoDidNotAnswer(t *testing.T) {
	i := withLog(t, ipc.LogTarget{}, func(o *Options) { o.Timings.Reopen = 300 * time.Millisecond })
	i.behave("worker1.logfds", "ignore")
	i.send(ipc.Reopen{})
	m := i.receive(ipc.TypeReopened)
	if b := m.Body.(*ipc.Reopened); len(b.Errors) != 1 || !strings.Contains(b.Errors[0], "worker 1") {
		t.Errorf("%+v", b)
	}
}

func TestReopenKeepsTheOldFileWhereTheNewCannotBeOpened(t *testing.T) {
	i := withLog(t, ipc.LogTarget{}, nil)
	path := filepath.Join(i.dir, "access.log")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o755); err != nil { // a directory now: only the date would be the name, and there is none
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	os.Remove(path)
	if err := os.Symlink("/proc/nothing/there", path); err != nil {
		t.Fatal(err)
	}
	i.send(ipc.Reopen{})
	m := i.receive(ipc.TypeReopened)
	if b := m.Body.(*ipc.Reopened); len(b.Errors) != 1 || len(b.Paths) != 0 {
		t.Errorf("%+v", b)
	}
	if all := i.status(); len(all.Logs) != 1 {
		t.Errorf("logs %v", all.Logs)
	}
}

func TestTheSignalReopensToo(t *testing.T) {
	i := withLog(t, ipc.LogTarget{}, nil)
	path := filepath.Join(i.dir, "access.log")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	i.signals <- unix.SIGUSR1
	i.until("the file again", func(*ipc.StatusAll) bool {
		data, _ := os.ReadFile(path)
		return strings.Count(string(data), "\n") == 2
	})
}

func TestRollingGoesOnInTheNextFile(t *testing.T) {
	var clock atomic.Pointer[time.Time]
	set := func(s string) {
		at, err := time.Parse(time.DateTime, s)
		if err != nil {
			t.Fatal(err)
		}
		clock.Store(&at)
	}
	set("2026-03-01 23:59:59")
	i := withLog(t, ipc.LogTarget{Rolling: "hourly"}, func(o *Options) {
		o.Now = func() time.Time { return *clock.Load() }
	})
	first, second := filepath.Join(i.dir, "access.log.2026-03-01-23"), filepath.Join(i.dir, "access.log.2026-03-02-00")
	if lines(t, first) != 2 {
		t.Errorf("%d lines in the first file", lines(t, first))
	}
	set("2026-03-02 00:00:00") // the timer, one second on the injected clock, finds the new hour
	i.until("the next file, taken by all", func(all *ipc.StatusAll) bool {
		data, _ := os.ReadFile(second)
		return slices.Equal(all.Logs, []string{second}) && strings.Count(string(data), "\n") == 2
	})
}

func TestASyslogSocketIsALogTarget(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	withLog(t, ipc.LogTarget{Network: "unixgram", Path: path}, nil)
	l.SetReadDeadline(time.Now().Add(patience))
	buf := make([]byte, 100)
	n, err := l.Read(buf)
	if err != nil || !strings.HasPrefix(string(buf[:n]), "worker ") {
		t.Errorf("%q, %v", buf[:n], err)
	}
}

// A pipe that nobody reads is a log like any other: lines wait in it, and whoever comes reads them.
func TestAFifoWithoutReaderStopsNobody(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	i := withLog(t, ipc.LogTarget{Path: path}, nil)
	reader, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if err := reader.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1000)
	if n, err := reader.Read(buf); err != nil || !strings.HasPrefix(string(buf[:n]), "worker ") {
		t.Errorf("%q, %v", buf[:n], err)
	}
	i.send(ipc.Reopen{})
	if b := i.receive(ipc.TypeReopened).Body.(*ipc.Reopened); len(b.Errors) != 0 || !slices.Equal(b.Paths, []string{path}) {
		t.Errorf("%+v", b)
	}
}

func TestTheApplicationLogGoesToAll(t *testing.T) {
	var path string
	i := launch(t, func(o *Options) {
		path = filepath.Join(o.RunDir, "..", "app", "app.log")
		o.AppLog = &ipc.LogTarget{Path: path}
	})
	i.takeControl()
	if len(i.start.Logs) != 1 || i.start.Logs[0].ID != ipc.IDAppLog || i.start.Logs[0].FD == 0 {
		t.Errorf("control was given %+v", i.start.Logs)
	}
	i.mustApply(i.proposal("", "one"))
	if lines(t, path) != 2 {
		t.Errorf("%d workers wrote to it", lines(t, path))
	}
	i.send(ipc.Reopen{})
	m := i.receive(ipc.TypeLogFDs)
	if err := i.control.Send(i.ctx, m.Txn, ipc.LogsTaken{}); err != nil {
		t.Fatal(err)
	}
	m.Close()
	if b := i.receive(ipc.TypeReopened).Body.(*ipc.Reopened); len(b.Errors) != 0 {
		t.Errorf("%+v", b)
	}
}

func TestOwnLinesFollowTheApplicationLog(t *testing.T) {
	type given struct {
		file  *os.File
		taken func()
	}
	files := make(chan given, 10)
	var path string
	i := launch(t, func(o *Options) {
		path = filepath.Join(o.RunDir, "..", "app.log")
		o.AppLog = &ipc.LogTarget{Path: path}
		o.OnAppLog = func(f *os.File, taken func()) { files <- given{f, taken} }
		o.Timings.Reopen = 300 * time.Millisecond
	})
	next := func() given {
		t.Helper()
		select {
		case g := <-files:
			t.Cleanup(func() { g.file.Close() })
			return g
		case <-time.After(patience):
			t.Fatal("the supervisor's own log was not told of the file")
			return given{}
		}
	}
	same := func(f *os.File, path string) bool {
		a, errA := f.Stat()
		b, errB := os.Stat(path)
		return errA == nil && errB == nil && os.SameFile(a, b)
	}
	i.takeControl()
	i.mustApply(i.proposal("", "one"))
	if first := next(); !same(first.file, path) {
		t.Error("another file was given at the start")
	}
	for _, c := range []struct {
		taken  bool
		errors int
	}{{true, 0}, {false, 1}} {
		if err := os.Rename(path, path+".1"); err != nil {
			t.Fatal(err)
		}
		i.send(ipc.Reopen{})
		m := i.receive(ipc.TypeLogFDs)
		if err := i.control.Send(i.ctx, m.Txn, ipc.LogsTaken{}); err != nil {
			t.Fatal(err)
		}
		m.Close()
		g := next()
		if !same(g.file, path) {
			t.Error("another file was given at the reopening")
		}
		if c.taken {
			g.taken()
		}
		b := i.receive(ipc.TypeReopened).Body.(*ipc.Reopened)
		if len(b.Errors) != c.errors || c.errors > 0 && !strings.HasPrefix(b.Errors[0], ipc.RoleSupervisor) {
			t.Errorf("taken %v: %q", c.taken, b.Errors)
		}
	}
}
