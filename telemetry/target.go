package telemetry

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"pingap/config"
)

// Kind is the kind of place that log lines go to.
type Kind uint8

// The kinds of target. Default is the application log for access logs, standard error for the
// application log itself.
const (
	Default Kind = iota
	File
	Stdout
	Stderr
	Socket
	Collector
)

// Target is where log lines go, as a configuration or --log names it.
type Target struct {
	Kind Kind
	// Path of the file without the suffix that rolling adds, or of the syslog socket.
	Path string
	// Rolling is RollDaily, RollHourly, RollMinutely or RollNever; files only.
	Rolling string
	// Rotation is what becomes of a file that has grown and of those before it; files only.
	Rotation config.LogRotation
	// ChannelBuffer bounds the lines waiting to be written; 0 bounds their bytes only.
	ChannelBuffer int
	// FlushTimeout is how long a line may wait, 0 for the default. Writers flush every second, so
	// that longer spans have no effect.
	FlushTimeout time.Duration
	// Format, Facility and Process are what a syslog message carries; Socket only.
	Format   SyslogFormat
	Facility int
	Process  string
	// UDP says that Path is host:port; Socket only.
	UDP bool
	// Collector takes lines by OTLP; Collector only.
	Collector config.LogCollector
}

const (
	syslogScheme = "syslog://"
	udpScheme    = "syslog+udp://"
	syslogSocket = "/dev/log"
	// maxChannelBuffer bounds channel_buffer, in lines.
	maxChannelBuffer = 10_000_000
)

// ParseTarget reads a target: a path with options ("/var/log/a.log?rolling=hourly"), "stdout",
// "stderr", "syslog://", the URL of a collector, or nothing. What it cannot make sense of it says in warnings, and
// uses the default.
func ParseTarget(text string) (Target, []string) {
	name, query, _ := strings.Cut(text, "?")
	t := Target{Path: name}
	switch {
	case text == "":
		return Target{}, nil
	case config.IsLogCollector(text):
		return parseCollector(text, query)
	case strings.HasPrefix(text, udpScheme):
		return parseSyslogUDP(strings.TrimPrefix(name, udpScheme), query)
	case strings.HasPrefix(text, syslogScheme):
		return parseSyslog(strings.TrimPrefix(name, syslogScheme), query)
	case name == "stdout" || name == "/dev/stdout":
		t.Kind, t.Path = Stdout, ""
	case name == "stderr" || name == "/dev/stderr":
		t.Kind, t.Path = Stderr, ""
	default:
		t.Kind, t.Rolling = File, RollDaily
	}
	var warnings []string
	eachOption(query, func(key, value string) {
		if w := t.option(key, value); w != "" {
			warnings = append(warnings, w)
		}
	})
	return t, warnings
}

// option sets one option of a file or standard stream, and returns what is wrong with it.
func (t *Target) option(key, value string) string {
	switch key {
	case "rolling":
		if t.Kind != File {
			return "rolling has no effect on a standard stream"
		}
		t.Rolling = value
		switch value {
		case RollDaily, RollHourly, RollMinutely, RollNever:
			return ""
		}
		t.Rolling = RollDaily
		return fmt.Sprintf("rolling %q is not daily, hourly, minutely or never: using daily", clip(value))
	case "channel_buffer":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > maxChannelBuffer {
			return fmt.Sprintf("channel_buffer %q is not a number of lines from 1 to %d", clip(value), maxChannelBuffer)
		}
		t.ChannelBuffer = n
		return ""
	case "flush_timeout":
		d, err := config.ParseDuration(value)
		if err != nil {
			return fmt.Sprintf("flush_timeout: %v", err)
		}
		t.FlushTimeout = d.Std()
		return ""
	case "days_ago", "time_point_hour":
		return fmt.Sprintf("option %s has no effect: use log_compress_* of [basic]", key)
	}
	known, err := false, error(nil)
	if t.Kind == File {
		known, err = t.Rotation.Set(key, value)
	}
	switch {
	case err != nil:
		return err.Error()
	case known:
		return ""
	}
	return fmt.Sprintf("unknown option %q of a log target", clip(key))
}

// parseCollector reads the URL of a collector. With a wrong one there is no target.
func parseCollector(text, query string) (Target, []string) {
	to, err := config.ParseLogCollector(text)
	if err != nil {
		return Target{}, []string{err.Error()}
	}
	t := Target{Kind: Collector, Path: text[:strings.Index(text, "://")] + "://" + to.Host, Collector: to}
	var warnings []string
	eachOption(query, func(key, value string) {
		if key != "channel_buffer" && key != "flush_timeout" {
			return
		}
		if w := t.option(key, value); w != "" {
			warnings = append(warnings, w)
		}
	})
	return t, warnings
}

// parseSyslog reads what follows syslog://; place is empty or the path of a socket.
func parseSyslog(place, query string) (Target, []string) {
	t := Target{Kind: Socket, Path: syslogSocket, Format: RFC3164, Facility: facilityUser, Process: "pingap"}
	var warnings []string
	switch {
	case strings.HasPrefix(place, "/") && len(place) > 1:
		t.Path = place
	case place != "" && place != "/":
		warnings = append(warnings, fmt.Sprintf("using %s instead of %q: another machine is named by syslog+udp://host:port", syslogSocket, clip(place)))
	}
	eachOption(query, func(key, value string) {
		if w := t.syslogOption(key, value); w != "" {
			warnings = append(warnings, w)
		}
	})
	return t, warnings
}

// parseSyslogUDP reads what follows syslog+udp://, host[:port].
func parseSyslogUDP(place, query string) (Target, []string) {
	host, err := config.SyslogHost(place)
	if err != nil {
		return Target{}, []string{err.Error()}
	}
	t, warnings := parseSyslog("", query)
	t.Path, t.UDP = host, true
	return t, warnings
}

func (t *Target) syslogOption(key, value string) string {
	switch key {
	case "format":
		switch value {
		case "3164":
			t.Format = RFC3164
		case "5424":
			t.Format = RFC5424
		default:
			return fmt.Sprintf("syslog format %q is not 3164 or 5424: using 3164", clip(value))
		}
		return ""
	case "facility":
		n, ok := parseFacility(value)
		if !ok {
			return fmt.Sprintf("unknown syslog facility %q: using user", clip(value))
		}
		t.Facility = n
		return ""
	case "process":
		if !validTag(value) {
			return fmt.Sprintf("syslog process %q is not 1 to %d visible characters without blank, [, ] or colon: using pingap", clip(value), maxTag)
		}
		t.Process = value
		return ""
	}
	return fmt.Sprintf("unknown option %q of a syslog target", clip(key))
}

// SplitDirective takes servers.X.access_log apart: "[target ]format". The first word is a target only
// if what follows is a predefined format or begins with a tag; otherwise all of it is the format.
func SplitDirective(text string) (Target, string, []string) {
	text = strings.TrimSpace(text)
	word, rest, found := strings.Cut(text, " ")
	rest = strings.TrimSpace(rest)
	if !found || strings.ContainsAny(word, "{\"") || !isPreset(rest) && !strings.HasPrefix(rest, "{") {
		return Target{}, text, nil
	}
	t, warnings := ParseTarget(word)
	return t, rest, warnings
}

func isPreset(name string) bool {
	switch name {
	case "combined", "common", "short", "tiny", "json":
		return true
	}
	return false
}

func eachOption(query string, use func(key, value string)) {
	for _, pair := range strings.Split(query, "&") {
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		use(key, value)
	}
}

// clip keeps quoted input in messages short.
func clip(text string) string {
	const most = 64
	if len(text) <= most {
		return text
	}
	return text[:most] + "..."
}
