package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// Targets of an access log.
const (
	LogToApplication = "application" // lines of the application log at level info
	LogToFile        = "file"
	LogToStdout      = "stdout"
	LogToStderr      = "stderr"
	LogToSyslog      = "syslog"
	LogToCollector   = "collector" // by OTLP
)

// AccessLog is servers.X.access_log taken apart.
type AccessLog struct {
	Target string // one of the LogTo words
	Path   string // of the file; of the syslog socket, empty for the usual one
	Format string // name of a preset, or text with {tags}

	Rolling       string   // of a file: daily (default), hourly, minutely or never
	ChannelBuffer int      // lines that may wait to be written; default 1000
	FlushTimeout  Duration // longest delay of a line; default 10s

	Rotation LogRotation // of a file

	SyslogFormat   string // 3164 (default) or 5424
	SyslogProcess  string // default pingap
	SyslogFacility string // default user
}

const (
	maxChannelBuffer = 1 << 20
	rollingWords     = "daily hourly minutely never"
)

// presetFormats are the names a format may have in place of a text with tags.
func presetFormats() []string { return []string{"combined", "common", "short", "tiny", "json"} }

// ParseAccessLog reads "[target[?options] ]format". The first word is a target only when
// the rest is a preset or starts with a tag, as a format may hold blanks itself. Targets
// are stdout, stderr, syslog://[socket], syslog+udp://host[:port], the URL of a collector and paths of files. It returns nil for no log.
func ParseAccessLog(text string) (*AccessLog, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, nil
	}
	a := &AccessLog{Target: LogToApplication, Format: text, Rolling: "daily", ChannelBuffer: 1000,
		FlushTimeout: Duration(10e9), SyslogFormat: "3164", SyslogProcess: "pingap", SyslogFacility: "user"}
	word, rest, found := strings.Cut(text, " ")
	rest = strings.TrimSpace(rest)
	if !found || strings.ContainsAny(word, "{\"") || !isFormat(rest) {
		return a, nil
	}
	a.Format = rest
	return a, a.parseTarget(word)
}

func isFormat(text string) bool {
	return strings.HasPrefix(text, "{") || contains(presetFormats(), text)
}

func contains(words []string, word string) bool {
	for _, w := range words {
		if w == word {
			return true
		}
	}
	return false
}

func (a *AccessLog) parseTarget(word string) error {
	target, query, _ := strings.Cut(word, "?")
	options, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("expected options as key=value with & between")
	}
	if IsLogCollector(word) {
		a.Target = LogToCollector
		if _, err := ParseLogCollector(word); err != nil {
			return err
		}
		return a.parseFile(options)
	}
	if host, ok := strings.CutPrefix(target, "syslog+udp://"); ok {
		a.Target = LogToSyslog
		if a.Path, err = SyslogHost(host); err != nil {
			return err
		}
		return a.parseSyslog(options)
	}
	if socket, ok := strings.CutPrefix(target, "syslog://"); ok {
		a.Target, a.Path = LogToSyslog, socket
		return a.parseSyslog(options)
	}
	switch target {
	case "":
		return errors.New("expected a file before the options")
	case LogToStdout, LogToStderr:
		a.Target = target
	default:
		a.Target, a.Path = LogToFile, target
		for _, key := range sortedKeys(options) {
			if _, err := a.Rotation.Set(key, options.Get(key)); err != nil {
				return err
			}
		}
	}
	return a.parseFile(options)
}

// SyslogHost reads host[:port] of a syslog daemon, and returns it with the usual port where it has none.
func SyslogHost(text string) (string, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		host, port = strings.Trim(text, "[]"), "514"
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || host == "" || strings.ContainsAny(host, "/@ ") {
		return "", fmt.Errorf("syslog+udp: expected host or host:port, found %q", clip(text))
	}
	return net.JoinHostPort(host, port), nil
}

func (a *AccessLog) parseFile(options url.Values) error {
	if v := options.Get("rolling"); contains(strings.Fields(rollingWords), v) {
		a.Rolling = v
	}
	if v := options.Get("channel_buffer"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > maxChannelBuffer {
			return fmt.Errorf("channel_buffer: expected a number from 1 to %d", maxChannelBuffer)
		}
		a.ChannelBuffer = n
	}
	if v := options.Get("flush_timeout"); v != "" {
		d, err := ParseDuration(v)
		if err != nil {
			return fmt.Errorf("flush_timeout: %w", err)
		}
		a.FlushTimeout = d
	}
	return nil
}

func (a *AccessLog) parseSyslog(options url.Values) error {
	if v := options.Get("format"); v != "" {
		if v != "3164" && v != "5424" {
			return fmt.Errorf("format of syslog: expected 3164 or 5424, found %q", clip(v))
		}
		a.SyslogFormat = v
	}
	if v := options.Get("process"); v != "" {
		a.SyslogProcess = v
	}
	if v := options.Get("facility"); v != "" {
		a.SyslogFacility = v
	}
	return a.parseFile(options)
}

// UnknownTags lists the {tags} of the format that mean nothing.
func (a *AccessLog) UnknownTags() []string {
	if contains(presetFormats(), a.Format) {
		return nil
	}
	var unknown []string
	for rest := a.Format; ; {
		open := strings.IndexByte(rest, '{')
		if open < 0 {
			return unknown
		}
		rest = rest[open+1:]
		n := prefixLen(rest, isTagByte)
		if n == 0 || n >= len(rest) || rest[n] != '}' {
			continue
		}
		if tag := rest[:n]; !knownTag(tag) && !contains(unknown, tag) {
			unknown = append(unknown, tag)
		}
	}
}

// isTagByte is what may stand between the braces of a tag; anything else makes it text.
func isTagByte(c byte) bool { return isLetter(c) || strings.IndexByte("_<>~:$-", c) >= 0 }

func knownTag(tag string) bool {
	const plain = " host method path uri query proto scheme remote client_ip referer user_agent when when_utc_iso" +
		" when_unix size size_human status latency latency_human payload_size payload_size_human request_id "
	const values = " connection_id connection_reused tls_version tls_cipher location processing upstream_addr" +
		" upstream_status upstream_reused upstream_connected compression_ratio config_version" +
		" tls_sni tls_alpn tls_resumed tls_client_subject tls_client_fingerprint trace_id span_id "
	const times = " connection_time tls_handshake_time service_time upstream_connect_time upstream_tcp_connect_time" +
		" upstream_tls_handshake_time upstream_connection_time upstream_processing_time upstream_response_time" +
		" compression_time cache_lookup_time cache_lock_time "
	switch tag[0] {
	case '~', '>', '<', '$':
		return len(tag) > 1
	case ':':
		key := tag[1:]
		return strings.Contains(values+times, " "+key+" ") || strings.Contains(times, " "+strings.TrimSuffix(key, "_human")+" ")
	}
	return strings.Contains(plain, " "+tag+" ")
}
