package config

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	tests := []struct {
		text string
		want time.Duration
		fail string
	}{
		{text: "10s", want: 10 * time.Second},
		{text: "1m 30s", want: 90 * time.Second},
		{text: "1m30s", want: 90 * time.Second},
		{text: " 2 days ", want: 48 * time.Hour},
		{text: "1M", want: 2_630_016 * time.Second},
		{text: "1y", want: 31_557_600 * time.Second},
		{text: "1w 1d 1h 1min 1sec 1ms 1us 1ns", want: 8*24*time.Hour + time.Hour + time.Minute + time.Second + 1_001_001},
		{text: "0s", want: 0},
		{text: "", fail: "must not be empty"},
		{text: "10", fail: "needs a unit"},
		{text: "10S", fail: "unknown unit"},
		{text: "1.5s", fail: "needs a unit"},
		{text: "-1s", fail: "expected a number"},
		{text: "s", fail: "expected a number"},
		{text: "300years", fail: "too long"},
		{text: "200y 200y", fail: "too long"},
		{text: "9223372036854775808ns", fail: "too large"},
	}
	for _, tt := range tests {
		d, err := ParseDuration(tt.text)
		if tt.fail != "" {
			if err == nil || !strings.Contains(err.Error(), tt.fail) {
				t.Errorf("%q: got %v, %v, want an error with %q", tt.text, d, err, tt.fail)
			}
			continue
		}
		if err != nil || d.Std() != tt.want {
			t.Errorf("%q: got %v, %v, want %v", tt.text, d.Std(), err, tt.want)
		}
	}
}

func TestParseSize(t *testing.T) {
	tests := []struct {
		text string
		want Size
		fail bool
	}{
		{text: "0", want: 0},
		{text: "1024", want: 1024},
		{text: "1k", want: 1000},
		{text: "1kb", want: 1000},
		{text: "1KiB", want: 1024},
		{text: "64.0 MB", want: 64_000_000},
		{text: "1.5gib", want: 3 << 29},
		{text: "10gb", want: 10_000_000_000},
		{text: "1b", want: 1},
		{text: "", fail: true},
		{text: "-1", fail: true},
		{text: "1 mbytes", fail: true},
		{text: "kb", fail: true},
		{text: "1.2.3kb", fail: true},
		{text: ".", fail: true},
		{text: "9223372036854775808", fail: true},
		{text: "9000pib", fail: true},
		{text: "99999999999.5pib", fail: true},
	}
	for _, tt := range tests {
		n, err := ParseSize(tt.text)
		if (err != nil) != tt.fail || n != tt.want {
			t.Errorf("%q: got %d, %v, want %d", tt.text, n, err, tt.want)
		}
	}
}

func TestValuesPrintAsTheyAreRead(t *testing.T) {
	for _, text := range []string{"0s", "1days 2h 3m 4s 5ms 6us 7ns", "1m 30s"} {
		if d, err := ParseDuration(text); err != nil || d.String() != text {
			t.Errorf("duration %q prints %q: %v", text, d, err)
		}
	}
	for _, text := range []string{"0", "1", "64kib", "10mb", "1023"} {
		if n, err := ParseSize(text); err != nil || n.String() != text {
			t.Errorf("size %q prints %q: %v", text, n, err)
		}
	}
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	const hidden = "hunter2"
	c := Certificate{TLSKey: hidden}
	marshalled, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	printed := fmt.Sprintf("%v %+v %#v %s %q %x %X %d %v", c, c, c, c.TLSKey, c.TLSKey, c.TLSKey, c.TLSKey, c.TLSKey, &c) + string(marshalled)
	for _, leak := range []string{hidden, fmt.Sprintf("%x", hidden), fmt.Sprintf("%X", hidden)} {
		if strings.Contains(printed, leak) {
			t.Errorf("%q is in %s", leak, printed)
		}
	}
	if !strings.Contains(printed, redacted) || c.TLSKey.Reveal() != hidden {
		t.Errorf("printed %s", printed)
	}
}

func TestAddresses(t *testing.T) {
	tests := []struct{ text, listen, backend string }{
		{"127.0.0.1:80", "127.0.0.1:80", "127.0.0.1:80"},
		{"[::]:80", "[::]:80", "[::]:80"},
		{":80", ":80", ""},
		{"example.com:8080", "example.com:8080", "example.com:8080"},
		{"unix:/run/x.sock", "/run/x.sock", "/run/x.sock"},
		{"127.0.0.1:0", "127.0.0.1:0", ""},
		{"127.0.0.1", "", "127.0.0.1:443"},
		{"[2001:db8::1]", "", "[2001:db8::1]:443"},
		{"my_host", "", "my_host:443"},
		{"::1", "", ""},
		{"a:b:c", "", ""},
		{"a..b:80", "", ""},
		{"a/b:80", "", ""},
		{"127.0.0.1:http", "", ""},
		{"unix:" + strings.Repeat("/x", 60), "", ""},
	}
	for _, tt := range tests {
		if a, err := ParseListen(tt.text); got(a.String(), err) != tt.listen {
			t.Errorf("listen %q: %v, %v", tt.text, a, err)
		}
		if b, err := ParseBackend(tt.text, 443); got(b.String(), err) != tt.backend {
			t.Errorf("backend %q: %v, %v", tt.text, b, err)
		}
	}
	b, err := ParseBackend("unix:/run/x.sock 5", 80)
	if err != nil || b.Weight != 5 || b.Network != "unix" {
		t.Errorf("got %+v, %v", b, err)
	}
}

// got is the text, or "" when there is an error.
func got(text string, err error) string {
	if err != nil {
		return ""
	}
	return text
}

func TestBackendsDefaultPortFollowsSNI(t *testing.T) {
	u := Upstream{Addrs: []string{"a", "b:1 3"}, SNI: "x"}
	backends := u.Backends()
	if len(backends) != 2 || backends[0].Port != 443 || backends[1].Port != 1 || backends[1].Weight != 3 {
		t.Errorf("got %+v", backends)
	}
	u.SNI = ""
	if port := u.Backends()[0].Port; port != 80 {
		t.Errorf("port %d without sni, want 80", port)
	}
}

func TestWhichUpstreamsAreStatic(t *testing.T) {
	tests := []struct {
		discovery, addr string
		want            bool
	}{
		{"", "127.0.0.1", true}, {"", "[::1]:80", true}, {"", "unix:/x", true}, {"", "a.example.com", false},
		{"static", "a.example.com", true}, {"dns", "127.0.0.1", false}, {"docker", "a", false}, {"moon", "a", true},
	}
	for _, tt := range tests {
		u := Upstream{Discovery: tt.discovery, Addrs: []string{tt.addr}}
		if u.IsStatic() != tt.want {
			t.Errorf("%q %q: static is %v", tt.discovery, tt.addr, !tt.want)
		}
	}
}

func TestEffectiveWeight(t *testing.T) {
	tests := []struct {
		path, host string
		weight     int
		want       int
	}{
		{"=/api", "", -1, 1029}, {"/api", "", -1, 516}, {"~/api", "", -1, 261}, {"/", "", -1, 0}, {"", "", -1, 0},
		{"/", "a.com", -1, 128}, {"~^/v[0-9]+", "", -1, 266}, {"/" + strings.Repeat("x", 100), "", -1, 576},
		{"/", "~^a\\.com", -1, 8}, {"/", "a.com,~b", -1, 8}, {"/", "a.com, ~b", -1, 128}, {"=/api", "a.com", 0, 0}, {"", "", 9, 9},
	}
	for _, tt := range tests {
		l := Location{Path: tt.path, Host: tt.host, Weight: tt.weight}
		if got := l.EffectiveWeight(); got != tt.want {
			t.Errorf("path %q host %q: weight %d, want %d", tt.path, tt.host, got, tt.want)
		}
	}
}

func TestParseRewrite(t *testing.T) {
	tests := []struct{ text, pattern, replacement string }{
		{"^/v1/(.*)$ /$1", "^/v1/(.*)$", "/$1"},
		{"/$tenant", ".*", "/$tenant"},
		{"^/x", "^/x", ""},
		{"a b c", "a", ""},
		{"a  b", "a", ""},
	}
	for _, tt := range tests {
		if p, r := ParseRewrite(tt.text); p != tt.pattern || r != tt.replacement {
			t.Errorf("%q: %q, %q", tt.text, p, r)
		}
	}
}

func TestParseNetwork(t *testing.T) {
	tests := []struct{ text, want string }{
		{"10.1.2.3/8", "10.0.0.0/8"}, {"10.1.2.3", "10.1.2.3/32"}, {"::1", "::1/128"}, {"::ffff:10.0.0.1", "10.0.0.1/32"},
		{"::ffff:10.0.0.0/104", "10.0.0.0/8"}, {"fe80::1%eth0", ""}, {"10.0.0.0/33", ""}, {"name", ""}, {"", ""},
	}
	for _, tt := range tests {
		if p, err := ParseNetwork(tt.text); got(p.String(), err) != tt.want {
			t.Errorf("%q: %v, %v", tt.text, p, err)
		}
	}
}

func TestParseAccessLog(t *testing.T) {
	tests := []struct{ text, target, path, format, rolling string }{
		{"combined", LogToApplication, "", "combined", "daily"},
		{"{host} {status}", LogToApplication, "", "{host} {status}", "daily"},
		{"/var/log/a.log combined", LogToFile, "/var/log/a.log", "combined", "daily"},
		{"/a?rolling=hourly {host} {uri}", LogToFile, "/a", "{host} {uri}", "hourly"},
		{"/a?rolling=weekly json", LogToFile, "/a", "json", "daily"},
		{"stdout json", LogToStdout, "", "json", "daily"},
		{"syslog:///dev/log?format=3164&process=p&facility=local0 tiny", LogToSyslog, "/dev/log", "tiny", "daily"},
		{"GET {host}", LogToFile, "GET", "{host}", "daily"},
		{"host: {host}", LogToFile, "host:", "{host}", "daily"},
		{"some text {host}", LogToApplication, "", "some text {host}", "daily"},
	}
	for _, tt := range tests {
		a, err := ParseAccessLog(tt.text)
		if err != nil || a.Target != tt.target || a.Path != tt.path || a.Format != tt.format || a.Rolling != tt.rolling {
			t.Errorf("%q: %+v, %v", tt.text, a, err)
		}
	}
	if a, err := ParseAccessLog(" "); a != nil || err != nil {
		t.Errorf("empty: %+v, %v", a, err)
	}
}

func TestUnknownTags(t *testing.T) {
	a := AccessLog{Format: `{host} {x} {>x-b3-id} {>accept} {~sid} {<server} {$HOME} {:location} {:service_time_human} {:location_human} {:none} {} {x} {open`}
	if got := strings.Join(a.UnknownTags(), " "); got != "x :location_human :none" {
		t.Errorf("unknown tags: %s", got)
	}
}
