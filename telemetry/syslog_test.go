package telemetry

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// listenSyslog is a daemon's end of a local socket.
func listenSyslog(t *testing.T, path string) *net.UnixConn {
	t.Helper()
	daemon, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { daemon.Close() })
	return daemon
}

// receive reads one message.
func receive(t *testing.T, daemon *net.UnixConn) string {
	t.Helper()
	buf := make([]byte, 64<<10)
	if err := daemon.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	n, err := daemon.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

func TestSyslogMessages(t *testing.T) {
	at := time.Date(2026, 2, 3, 4, 5, 6, 789_000_000, time.Local)
	stamp := regexp.QuoteMeta(at.Format("2006-01-02T15:04:05.000000Z07:00"))
	cases := []struct {
		format SyslogFormat
		want   string
	}{
		{RFC3164, fmt.Sprintf(`^<158>Feb  3 04:05:06 edge\[%d\]: hello world$`, os.Getpid())},
		{RFC5424, fmt.Sprintf(`^<158>1 %s \S+ edge %d - - hello world$`, stamp, os.Getpid())},
	}
	for _, c := range cases {
		path := filepath.Join(t.TempDir(), "log")
		daemon := listenSyslog(t, path)
		w := NewSyslogWriter(NewSyslog(SyslogOptions{Format: c.format, Facility: 19, Process: "edge", Dial: DialSyslog(Target{Path: path})}), WriterOptions{})
		w.Line(at, SeverityInfo, []byte("hello world"))
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got := receive(t, daemon); !regexp.MustCompile(c.want).MatchString(got) {
			t.Errorf("format %d sent %q, want %s", c.format, got, c.want)
		}
	}
}

func TestSyslogConnectsAgainWhenTheDaemonRestarted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	first := listenSyslog(t, path)
	conn, err := DialSyslog(Target{Path: path})()
	if err != nil {
		t.Fatal(err)
	}
	w := NewSyslogWriter(NewSyslog(SyslogOptions{Conn: conn, Dial: DialSyslog(Target{Path: path})}), WriterOptions{})
	defer w.Close()
	w.Line(time.Now(), SeverityInfo, []byte("one"))
	if err := w.Sync(); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, first); !strings.HasSuffix(got, ": one") {
		t.Errorf("first daemon got %q", got)
	}
	first.Close()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	second := listenSyslog(t, path)
	w.Line(time.Now(), SeverityError, []byte("two"))
	if err := w.Sync(); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, second); !strings.HasSuffix(got, ": two") || !strings.HasPrefix(got, "<3>") {
		t.Errorf("second daemon got %q", got)
	}
	if w.Lost() != 0 {
		t.Errorf("%d lines lost", w.Lost())
	}
}

// Reopening gives a fresh socket: what was logged before goes out by the old one.
func TestSyslogTakesASocketThatItIsHanded(t *testing.T) {
	dir := t.TempDir()
	first, second := listenSyslog(t, filepath.Join(dir, "1")), listenSyslog(t, filepath.Join(dir, "2"))
	handed := func(name string) *os.File {
		conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: filepath.Join(dir, name), Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		file, err := conn.File()
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	conn, err := FileConn(handed("1"))
	if err != nil {
		t.Fatal(err)
	}
	w := NewSyslogWriter(NewSyslog(SyslogOptions{Process: "edge", Conn: conn}), WriterOptions{})
	line(w, "one")
	if err := w.SetFile(handed("2")); err != nil {
		t.Fatal(err)
	}
	line(w, "two")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if a, b := receive(t, first), receive(t, second); !strings.HasSuffix(a, "]: one") || !strings.HasSuffix(b, "]: two") || !strings.Contains(b, " edge[") {
		t.Errorf("daemons got %q and %q", a, b)
	}
}

func TestSyslogRefusesAFile(t *testing.T) {
	w := NewSyslogWriter(NewSyslog(SyslogOptions{}), WriterOptions{})
	defer w.Close()
	if err := w.SetFile(openLog(t, filepath.Join(t.TempDir(), "a"))); err == nil {
		t.Error("a plain file was taken for a socket")
	}
}

func TestSyslogWithoutDaemonLosesLinesAndSaysSo(t *testing.T) {
	reports := make(chan Loss, 10)
	w := NewSyslogWriter(NewSyslog(SyslogOptions{Dial: DialSyslog(Target{Path: filepath.Join(t.TempDir(), "none")})}),
		WriterOptions{Report: func(l Loss) { reports <- l }})
	w.Line(time.Now(), SeverityInfo, []byte("lost"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if l := <-reports; w.Lost() != 1 || !errors.Is(l.Err, os.ErrNotExist) {
		t.Errorf("%d lost, %+v", w.Lost(), l)
	}
}

func TestSyslogCutsLongMessages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	daemon := listenSyslog(t, path)
	w := NewSyslogWriter(NewSyslog(SyslogOptions{Dial: DialSyslog(Target{Path: path})}), WriterOptions{})
	w.Line(time.Now(), SeverityInfo, []byte(strings.Repeat("x", 100_000)))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, daemon); len(got) > maxSyslogLine+100 || !strings.HasSuffix(got, strings.Repeat("x", maxSyslogLine)) {
		t.Errorf("%d bytes arrived", len(got))
	}
}

func TestFacilityNames(t *testing.T) {
	for name, want := range map[string]int{"kern": 0, "user": 1, "daemon": 3, "local0": 16, "log_local7": 23} {
		if got, ok := parseFacility(name); !ok || got != want {
			t.Errorf("%s = %d, %v", name, got, ok)
		}
	}
	if _, ok := parseFacility("local8"); ok {
		t.Error("local8 exists")
	}
}
