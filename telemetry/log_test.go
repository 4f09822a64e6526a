package telemetry

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"pingap/config"
)

func newTestLog(t *testing.T, path string, o Options) *Log {
	t.Helper()
	o.File = openLog(t, path)
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestTextLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.log")
	l := newTestLog(t, path, Options{})
	logger := l.Logger.Named("supervisor").With(zap.Int("slot", 2))
	logger.Info("worker started", zap.String("build", "a b"), zap.Duration("took", 1500*time.Millisecond))
	logger.Error("failed", zap.Error(errors.New("no \"room\"\nleft")), zap.Any("key", config.Secret("hunter2")))
	logger.Debug("not logged")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	const stamp = `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)`
	want := regexp.MustCompile(`^` + stamp + `  INFO worker started component=supervisor slot=2 build="a b" took=1\.5s\n` +
		stamp + `  ERROR failed component=supervisor slot=2 error="no \\x22room\\x22\\x0aleft" key=\[redacted\]\n$`)
	if got := readLog(t, path); !want.MatchString(got) {
		t.Errorf("log is\n%s", got)
	}
}

func TestJSONLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.log")
	l := newTestLog(t, path, Options{JSON: true, Level: "warn"})
	l.Logger.Named("control").Warn("hello\n\"x\"", zap.Int("n", 3), zap.Duration("took", time.Second),
		zap.Any("key", config.Secret("hunter2")), zap.Float64("nan", nan()))
	l.Logger.Info("not logged")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	text := readLog(t, path)
	var got struct {
		Timestamp time.Time
		Level     string
		Fields    map[string]any
	}
	if err := json.Unmarshal([]byte(text), &got); err != nil || strings.Count(text, "\n") != 1 {
		t.Fatalf("%v: %s", err, text)
	}
	f := got.Fields
	if got.Timestamp.IsZero() || got.Level != "WARN" || f["message"] != "hello\n\"x\"" || f["n"] != 3.0 ||
		f["component"] != "control" || f["took"] != "1s" || f["key"] != "[redacted]" || f["nan"] != "NaN" {
		t.Errorf("got %+v", got)
	}
}

func nan() float64 { zero := 0.0; return zero / zero }

func TestNoValueBeginsALineOfItsOwn(t *testing.T) {
	hostile := "a\r\nb\x1b[31m\x00\x7f\u0085\u2028\u202e\xff=\"\\ " + strings.Repeat("x", 10)
	path := filepath.Join(t.TempDir(), "app.log")
	l := newTestLog(t, path, Options{})
	l.Logger.Named(hostile).Info(hostile, zap.String(hostile, hostile), zap.Strings("list", []string{hostile}))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	text := strings.TrimSuffix(readLog(t, path), "\n")
	for _, r := range text {
		if r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x202e || r == 0xfffd {
			t.Errorf("%q holds %U", text, r)
		}
	}
}

func TestLevelChangesAtOnceAndBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.log")
	l := newTestLog(t, path, Options{Level: "info"})
	named := l.Logger.Named("x")
	for _, level := range []string{"info", "debug", "nonsense", "module=debug,error", "info"} {
		if err := l.SetLevel(level); (err != nil) != (level == "nonsense") {
			t.Errorf("%s: %v", level, err)
		}
		named.Debug("debug at " + level)
		named.Info("info at " + level)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	var messages []string
	for _, text := range strings.Split(strings.TrimSpace(readLog(t, path)), "\n") {
		_, after, _ := strings.Cut(text, "  ")
		messages = append(messages, strings.TrimSuffix(after, " component=x"))
	}
	want := "INFO info at info|DEBUG debug at debug|INFO info at debug|DEBUG debug at nonsense|INFO info at nonsense|INFO info at info"
	if got := strings.Join(messages, "|"); got != want {
		t.Errorf("got %s", got)
	}
}

func TestParseLevels(t *testing.T) {
	cases := map[string]zapcore.Level{"": zapcore.InfoLevel, "INFO": zapcore.InfoLevel, "trace": zapcore.DebugLevel,
		"Warn": zapcore.WarnLevel, "warning": zapcore.WarnLevel, "error": zapcore.ErrorLevel, "off": levelOff,
		"info,module=debug": zapcore.InfoLevel, "module=debug, warn ,error": zapcore.WarnLevel,
		"module=debug": zapcore.InfoLevel}
	for text, want := range cases {
		if got, err := ParseLevels(text); err != nil || got.level("") != want {
			t.Errorf("%q = %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"loud", "info,worker=loud"} {
		if _, err := ParseLevels(text); err == nil {
			t.Errorf("%q is a level", text)
		}
	}
}

func TestComponentsHaveLevelsOfTheirOwn(t *testing.T) {
	l, err := ParseLevels("control=debug, warn, control=error,worker=off")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]zapcore.Level{"": zapcore.WarnLevel, "control": zapcore.DebugLevel, "control.acme": zapcore.DebugLevel,
		"controller": zapcore.WarnLevel, "worker": levelOff, "supervisor": zapcore.WarnLevel} {
		if got := l.level(name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if l.least != zapcore.DebugLevel {
		t.Errorf("the least is %v", l.least)
	}
}

func FuzzParseTarget(f *testing.F) {
	for _, text := range []string{"/a?max_size=1mb&max_age=7d&max_files=3&compression=zstd&level=3 combined", "otlp+grpc://h?service=a&timeout=1s json",
		"otlp+http://[::1]:1/a/b tiny", "syslog+udp://h:514?format=5424 {a}", "syslog:// tiny", "?rolling=x {", "stdout?level=3 json"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		target, format, warnings := SplitDirective(text)
		a, err := config.ParseAccessLog(text)
		if err != nil || a == nil {
			return
		}
		// What the configuration takes without an error a worker reads in the same way.
		if a.Format != format || a.Rotation != target.Rotation || (a.Target == config.LogToCollector) != (target.Kind == Collector) {
			t.Errorf("%q is %+v and %+v, %q", text, a, target, warnings)
		}
		_, _ = ParseLevels(text)
	})
}

func TestPickLevel(t *testing.T) {
	cases := []struct{ configured, env, want string }{
		{"warn", "debug", "warn"}, {"", "debug", "debug"}, {"", "", "info"}, {"", "loud", "info"},
	}
	for _, c := range cases {
		if got := PickLevel(c.configured, c.env); got != c.want {
			t.Errorf("%q and %q pick %q", c.configured, c.env, got)
		}
	}
}

func TestBufferedLogWritesOnFlushAndErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.log")
	l := newTestLog(t, path, Options{BufferedSize: 1 << 20})
	l.Logger.Info("waits")
	if err := l.Logger.Sync(); err != nil {
		t.Fatal(err)
	}
	if got := readLog(t, path); !strings.Contains(got, "waits") {
		t.Errorf("after Sync: %q", got)
	}
	l.Logger.Error("at once")
	if !eventually(func() bool { return strings.Contains(readLog(t, path), "at once") }) {
		t.Error("an error is still buffered")
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestUnbufferedLogWritesEachLineAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.log")
	l := newTestLog(t, path, Options{BufferedSize: 4095})
	defer l.Close()
	l.Logger.Info("now")
	if !eventually(func() bool { return strings.Contains(readLog(t, path), "now") }) {
		t.Error("the line is still buffered")
	}
}

// eventually waits for what another goroutine does, for at most 20 s.
func eventually(cond func() bool) bool {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for range 10_000 {
		if cond() {
			return true
		}
		<-tick.C
	}
	return false
}

func TestReopenMovesTheLog(t *testing.T) {
	dir := t.TempDir()
	l := newTestLog(t, filepath.Join(dir, "a"), Options{})
	l.Logger.Info("one")
	if err := l.Reopen(openLog(t, filepath.Join(dir, "b"))); err != nil {
		t.Fatal(err)
	}
	l.Logger.Info("two")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if a, b := readLog(t, filepath.Join(dir, "a")), readLog(t, filepath.Join(dir, "b")); !strings.HasSuffix(a, " one\n") || !strings.HasSuffix(b, " two\n") {
		t.Errorf("files have %q and %q", a, b)
	}
}

func TestSyslogLinesHaveNoTimeOfTheirOwn(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "log")
	daemon := listenSyslog(t, socket)
	l, err := New(Options{Syslog: NewSyslog(SyslogOptions{Facility: 1, Process: "pingap", Dial: DialSyslog(Target{Path: socket})})})
	if err != nil {
		t.Fatal(err)
	}
	l.Logger.Warn("careful", zap.Int("n", 1))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, daemon); !strings.HasPrefix(got, "<12>") || !strings.HasSuffix(got, "]: careful n=1") {
		t.Errorf("sent %q", got)
	}
}

func TestAccessLinesCarryTheirOwnTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.log")
	l := newTestLog(t, path, Options{})
	at := time.Date(2026, 2, 3, 4, 5, 6, 0, time.Local)
	l.Line(at, SeverityInfo, []byte(`1.2.3.4 "GET / HTTP/1.1" 200`))
	if err := l.SetLevel("warn"); err != nil {
		t.Fatal(err)
	}
	l.Line(at, SeverityInfo, []byte("filtered"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got, want := readLog(t, path), at.Format(entryTime)+"  INFO 1.2.3.4 \"GET / HTTP/1.1\" 200\n"; got != want {
		t.Errorf("log is %q, want %q", got, want)
	}
}
