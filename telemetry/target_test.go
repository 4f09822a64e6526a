package telemetry

import (
	"strings"
	"testing"
	"time"
)

func TestParseTarget(t *testing.T) {
	syslog := Target{Kind: Socket, Path: "/dev/log", Format: RFC3164, Facility: 1, Process: "pingap"}
	other := Target{Kind: Socket, Path: "/run/log", Format: RFC5424, Facility: 19, Process: "edge"}
	cases := []struct {
		text     string
		want     Target
		warnings int
	}{
		{"", Target{}, 0},
		{"/var/log/a.log", Target{Kind: File, Path: "/var/log/a.log", Rolling: RollDaily}, 0},
		{"a.log?rolling=hourly", Target{Kind: File, Path: "a.log", Rolling: RollHourly}, 0},
		{"a.log?rolling=never&channel_buffer=1000&flush_timeout=10s",
			Target{Kind: File, Path: "a.log", Rolling: RollNever, ChannelBuffer: 1000, FlushTimeout: 10 * time.Second}, 0},
		{"a.log?rolling=weekly", Target{Kind: File, Path: "a.log", Rolling: RollDaily}, 1},
		{"a.log?channel_buffer=0&flush_timeout=10&x=y&compression=lz4", Target{Kind: File, Path: "a.log", Rolling: RollDaily}, 4},
		{"a.log?channel_buffer=99999999999", Target{Kind: File, Path: "a.log", Rolling: RollDaily}, 1},
		{"stdout", Target{Kind: Stdout}, 0},
		{"/dev/stdout?channel_buffer=5", Target{Kind: Stdout, ChannelBuffer: 5}, 0},
		{"stderr?rolling=daily", Target{Kind: Stderr}, 1},
		{"syslog://", syslog, 0},
		{"syslog:///dev/log", syslog, 0},
		{"syslog://logs.example.com:514", syslog, 1},
		{"syslog:///run/log?format=5424&process=edge&facility=local3", other, 0},
		{"syslog://?format=1&process=a b&facility=none&what=ever", syslog, 4},
	}
	for _, c := range cases {
		got, warnings := ParseTarget(c.text)
		if got != c.want || len(warnings) != c.warnings {
			t.Errorf("%q = %+v %q, want %+v and %d warnings", c.text, got, warnings, c.want, c.warnings)
		}
	}
}

func TestWarningsDoNotRepeatLongInput(t *testing.T) {
	_, warnings := ParseTarget("a.log?rolling=" + strings.Repeat("x", 10_000))
	if len(warnings) != 1 || len(warnings[0]) > 200 {
		t.Errorf("warnings %d bytes long", len(strings.Join(warnings, "")))
	}
}

func TestSplitDirective(t *testing.T) {
	cases := []struct {
		text, format string
		kind         Kind
		path         string
	}{
		{"", "", Default, ""},
		{"combined", "combined", Default, ""},
		{"{method} {uri}", "{method} {uri}", Default, ""},
		{"/var/log/a.log combined", "combined", File, "/var/log/a.log"},
		{"/var/log/a.log?rolling=daily   {method} {uri}", "{method} {uri}", File, "/var/log/a.log"},
		{"/var/log/a.log json", "json", File, "/var/log/a.log"},
		{"/var/log/a.log", "/var/log/a.log", Default, ""},
		{"/var/log/a.log other", "/var/log/a.log other", Default, ""},
		{"stdout tiny", "tiny", Stdout, ""},
		{"stdout", "stdout", Default, ""},
		{"syslog:///dev/log?format=5424 short", "short", Socket, "/dev/log"},
		{`"{method}" {uri}`, `"{method}" {uri}`, Default, ""},
	}
	for _, c := range cases {
		target, format, warnings := SplitDirective(c.text)
		if format != c.format || target.Kind != c.kind || target.Path != c.path || len(warnings) > 0 {
			t.Errorf("%q = %+v %q %q", c.text, target, format, warnings)
		}
	}
}

func TestRollingName(t *testing.T) {
	at := time.Date(2026, 3, 1, 0, 30, 59, 0, time.FixedZone("east", 2*60*60)) // 28 February in UTC
	cases := []struct{ path, rolling, want string }{
		{"/l/a.log", RollDaily, "/l/a.log.2026-02-28"},
		{"/l/a.log", RollHourly, "/l/a.log.2026-02-28-22"},
		{"/l/a.log", RollMinutely, "/l/a.log.2026-02-28-22-30"},
		{"/l/a.log", RollNever, "/l/a.log"},
		{"/l/a.log", "", "/l/a.log"},
		{"/l/", RollDaily, "/l/2026-02-28"},
		{"/l/", RollHourly, "/l/2026-02-28-22"},
		{"/l/", RollNever, "/l/2026-02-28"},
	}
	for _, c := range cases {
		if got := RollingName(c.path, c.rolling, at); got != c.want {
			t.Errorf("%s %s = %s, want %s", c.path, c.rolling, got, c.want)
		}
	}
}

func TestNextRollIsWhenTheNameChanges(t *testing.T) {
	at := time.Date(2026, 12, 31, 23, 59, 59, 999, time.FixedZone("west", -5*60*60-30*60))
	for _, rolling := range []string{RollDaily, RollHourly, RollMinutely} {
		next, ok := NextRoll(rolling, at)
		if !ok || !next.After(at) {
			t.Fatalf("%s rolls at %v, %v", rolling, next, ok)
		}
		if before := RollingName("a", rolling, next.Add(-1)); before != RollingName("a", rolling, at) {
			t.Errorf("%s: name changed to %s before %v", rolling, before, next)
		}
		if RollingName("a", rolling, next) == RollingName("a", rolling, at) {
			t.Errorf("%s: same name at %v", rolling, next)
		}
	}
	if _, ok := NextRoll(RollNever, at); ok {
		t.Error("never rolls")
	}
}
