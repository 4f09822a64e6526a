package accesslog

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"pingap/telemetry"
)

func TestParseDirective(t *testing.T) {
	file := telemetry.Target{Kind: telemetry.File, Path: "/var/log/a.log", Rolling: telemetry.RollHourly, ChannelBuffer: 10}
	cases := []struct {
		text string
		want Directive
	}{
		{"", Directive{}},
		{"tiny", Directive{Format: "tiny"}},
		{"/var/log/a.log?rolling=hourly&channel_buffer=10 combined", Directive{Target: file, Format: "combined"}},
		{"stdout {method} {uri}", Directive{Target: telemetry.Target{Kind: telemetry.Stdout}, Format: "{method} {uri}"}},
	}
	for _, c := range cases {
		if got, warnings := Parse(c.text); got != c.want || len(warnings) > 0 {
			t.Errorf("%q = %+v %q", c.text, got, warnings)
		}
	}
	if _, warnings := Parse("/a.log?rolling=weekly combined"); len(warnings) != 1 {
		t.Errorf("warnings %q", warnings)
	}
}

// Many goroutines, formatted lines, one file: every line arrives whole.
func TestLinesOfManyGoroutinesArriveWhole(t *testing.T) {
	const goroutines, each = 8, 20_000
	path := filepath.Join(t.TempDir(), "access.log")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o640)
	if err != nil {
		t.Fatal(err)
	}
	w, err := telemetry.NewFileWriter(file, telemetry.WriterOptions{MaxBytes: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	f, _ := Compile("{:connection_id} {size} {uri} {when}", nil)
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			now := time.Now()
			r := exchange(now)
			r.Conn.ID = uint64(g)
			var dst []byte
			for i := range each {
				r.ResponseBody = int64(i)
				dst = f.Append(dst[:0], r, now)
				w.Line(now, telemetry.SeverityInfo, dst)
			}
		})
	}
	wg.Wait()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, text := range strings.Split(strings.TrimSuffix(string(content), "\n"), "\n") {
		var g, i int
		var uri, when string
		if n, err := fmt.Sscan(text, &g, &i, &uri, &when); n != 4 || err != nil || uri != "/a/b?x=1&y=2" || strings.Count(text, " ") != 3 {
			t.Fatalf("torn line %q", text)
		}
		seen[fmt.Sprint(g, i)] = true
	}
	if len(seen) != goroutines*each {
		t.Errorf("%d lines of %d", len(seen), goroutines*each)
	}
}

func TestOpenWithoutWhatItNeedsFails(t *testing.T) {
	for _, target := range []telemetry.Target{{}, {Kind: telemetry.File, Path: "/a.log"}} {
		if _, err := Open(target, Outputs{}); err == nil {
			t.Errorf("%+v opened", target)
		}
	}
}

func TestLinesReachTheApplicationLog(t *testing.T) {
	var got []string
	at := time.Now()
	w, err := Open(telemetry.Target{}, Outputs{App: func(when time.Time, _ telemetry.Severity, line []byte) {
		got = append(got, fmt.Sprint(when.Equal(at), " ", string(line)))
	}})
	if err != nil {
		t.Fatal(err)
	}
	w.Line(at, telemetry.SeverityInfo, []byte("a line"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0] != "true a line" {
		t.Errorf("got %q", got)
	}
}

func TestLinesReachSyslog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	daemon, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer daemon.Close()
	directive, _ := Parse("syslog://" + path + "?process=edge&facility=local0 tiny")
	w, err := Open(directive.Target, Outputs{})
	if err != nil {
		t.Fatal(err)
	}
	f, _ := Compile(directive.Format, nil)
	now := time.Now()
	w.Line(now, telemetry.SeverityInfo, f.Append(nil, exchange(now), now))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := daemon.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	n, err := daemon.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(buf[:n]); !strings.HasPrefix(got, "<134>") || !strings.HasSuffix(got, "]: GET /a/b?x=1&y=2 200 1.2KB - 1234ms") {
		t.Errorf("sent %q", got)
	}
}

// The application log hears when lines begin to be lost, not of each.
func TestLostLinesAreSaidInTheApplicationLog(t *testing.T) {
	r, p, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zap.InfoLevel)
	w, err := Open(telemetry.Target{Kind: telemetry.File, ChannelBuffer: 4}, Outputs{File: p, Log: zap.New(core)})
	if err != nil {
		t.Fatal(err)
	}
	long := []byte(strings.Repeat("x", 200_000)) // more than the pipe holds
	now := time.Now()
	w.Line(now, telemetry.SeverityInfo, long)
	for range 1000 {
		w.Line(now, telemetry.SeverityInfo, []byte("short"))
		w.Flush()
	}
	if lost := w.Lost(); lost < 900 {
		t.Errorf("%d lost", lost)
	}
	drained := make(chan error)
	go func() { // ends when Close closes the writing end
		_, err := io.Copy(io.Discard, r)
		drained <- err
	}()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-drained; err != nil {
		t.Fatal(err)
	}
	entries := logs.FilterMessage("access log channel full, dropping lines").Len()
	if entries != 1 {
		t.Errorf("%d entries for 1000 lines", entries)
	}
}

func BenchmarkAppendAndLine(b *testing.B) {
	file, err := os.OpenFile(filepath.Join(b.TempDir(), "a.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o640)
	if err != nil {
		b.Fatal(err)
	}
	w, err := Open(telemetry.Target{Kind: telemetry.File}, Outputs{File: file})
	if err != nil {
		b.Fatal(err)
	}
	f, _ := Compile("combined", nil)
	now := time.Now()
	r := exchange(now)
	dst := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		dst = f.Append(dst[:0], r, now)
		w.Line(now, telemetry.SeverityInfo, dst)
	}
	b.ReportMetric(float64(w.Lost())/float64(b.N), "lost/op")
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
}
