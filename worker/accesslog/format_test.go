package accesslog

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pingap/message"
)

// exchange is a proxied request that ended at now after 1,234 ms.
func exchange(now time.Time) *message.Record {
	mono := message.Clock(now)
	r := &message.Record{Conn: &message.Conn{
		ID: 7, Opened: mono - 5e9, Requests: 2, RemoteText: []byte("192.0.2.1"),
		Remote: netip.MustParseAddrPort("192.0.2.1:4000"), Local: message.EndpointOf(netip.MustParseAddrPort("192.0.2.9:80")),
	}}
	r.Reset()
	r.Start = mono - int64(1234*time.Millisecond)
	r.ClientIPText = []byte("203.0.113.5")
	r.Server, r.Location, r.ConfigVersion = "web", "api", 3
	r.Request.SetMethod([]byte("GET"))
	r.Request.SetTarget([]byte("/a/b?x=1&y=2"))
	r.Request.Host, r.Request.Version = []byte("example.com:8080"), message.HTTP11
	q := &r.Request.Fields
	q.Add("Referer", []byte("https://example.org/"))
	q.Add("User-Agent", []byte("curl/8.1"))
	q.Add("Cookie", []byte("a=1; session=s3 ; b"))
	q.Add("Cookie", []byte("session=later;theme=dark"))
	q.Add("X-Custom", []byte("custom value"))
	r.Response.Fields.Add("Content-Type", []byte("text/html"))
	r.RequestID = append(r.RequestID, "id-1"...)
	r.Status, r.ResponseBody, r.RequestBody = 200, 1234, 2000
	r.Upstream, r.UpstreamAddr, r.UpstreamStatus = "pool", "10.0.0.1:80", 200
	r.UpstreamReused, r.UpstreamAttempts, r.UpstreamConnect, r.UpstreamProcessing = true, 1, 1_500_000, 20e6
	return r
}

func testEnv(name string) (string, bool) {
	value, ok := map[string]string{"REGION": "eu \"west\"\n"}[name]
	return value, ok
}

func render(t *testing.T, format string, r *message.Record, now time.Time) string {
	t.Helper()
	f, warnings := Compile(format, testEnv)
	if len(warnings) > 0 {
		t.Errorf("%s: %q", format, warnings)
	}
	return string(f.Append(nil, r, now))
}

func TestTags(t *testing.T) {
	now := time.Now()
	hostname, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct{ format, full, empty string }{
		{"{host}", "example.com", "-"},
		{"{method}", "GET", "-"},
		{"{path}", "/a/b", "-"},
		{"{uri}", "/a/b?x=1&y=2", "-"},
		{"{query}", "x=1&y=2", "-"},
		{"{proto}", "HTTP/1.1", "HTTP/1.1"},
		{"{scheme}", "http", "http"},
		{"{remote}", "192.0.2.1", "-"},
		{"{client_ip}", "203.0.113.5", "-"},
		{"{referer}", "https://example.org/", "-"},
		{"{user_agent}", "curl/8.1", "-"},
		{"{when}", now.Local().Format("2006-01-02T15:04:05.000-07:00"), now.Local().Format("2006-01-02T15:04:05.000-07:00")},
		{"{when_utc_iso}", now.UTC().Format("2006-01-02T15:04:05.000Z"), now.UTC().Format("2006-01-02T15:04:05.000Z")},
		{"{when_unix}", fmt.Sprint(now.UnixMilli()), fmt.Sprint(now.UnixMilli())},
		{"{size}", "1234", "0"},
		{"{size_human}", "1.2KB", "0B"},
		{"{status}", "200", "-"},
		{"{latency}", "1234", "0"},
		{"{latency_human}", "1.2s", "0ms"},
		{"{payload_size}", "2000", "0"},
		{"{payload_size_human}", "2KB", "0B"},
		{"{request_id}", "id-1", "-"},
		{"{~session}", "s3", ""},
		{"{~theme}", "dark", ""},
		{"{~b}", "", ""},
		{"{>X-Custom}", "custom value", "-"},
		{"{>x-custom}", "custom value", "-"},
		{"{<content-type}", "text/html", "-"},
		{"{:location}", "api", ""},
		{"{:connection_id}", "7", "0"},
		{"{:connection_reused}", "true", "false"},
		{"{:upstream_status}", "200", "-"},
		{"{:upstream_connect_time}", "1", ""},
		{"{:upstream_processing_time_human}", "20ms", ""},
		{"{:service_time}", "1234", "0"},
		{"{:config_version}", "3", "0"},
		{"{$REGION}", `eu \x22west\x22\x0a`, `eu \x22west\x22\x0a`},
		{"{$UNSET}", "", ""},
		{"{$hostname}", hostname, hostname},
		{"a {method} b {status}", "a GET b 200", "a - b -"},
		{`{"host":"{host}"}`, `{"host":"example.com"}`, `{"host":"-"}`},
		{"{{method}}", "{GET}", "{-}"},
		{"{}{", "{}{", "{}{"},
		{"plain", "plain", "plain"},
		{"", "", ""},
		{"one\nline\t", "one line\t", "one line\t"},
	}
	nothing := &message.Record{Conn: &message.Conn{}}
	nothing.Reset()
	nothing.Start, nothing.Conn.Opened = message.Clock(now), message.Clock(now)
	for _, c := range cases {
		if got := render(t, c.format, exchange(now), now); got != c.full {
			t.Errorf("%s = %q, want %q", c.format, got, c.full)
		}
		if got := render(t, c.format, nothing, now); got != c.empty {
			t.Errorf("%s of an empty exchange = %q, want %q", c.format, got, c.empty)
		}
	}
}

func TestClientIPIsThePeerUntilLookedFor(t *testing.T) {
	now := time.Now()
	r := exchange(now)
	r.ClientIPText = nil
	if got := render(t, "{client_ip}", r, now); got != "192.0.2.1" {
		t.Errorf("client ip %q", got)
	}
}

func TestProtoAndScheme(t *testing.T) {
	now := time.Now()
	r := exchange(now)
	r.Conn.TLS = &message.TLS{}
	for version, want := range map[uint8]string{message.HTTP10: "HTTP/1.1", message.HTTP11: "HTTP/1.1", message.HTTP2: "HTTP/2.0"} {
		r.Request.Version = version
		if got := render(t, "{proto} {scheme}", r, now); got != want+" https" {
			t.Errorf("version %d = %q", version, got)
		}
	}
}

func TestPredefinedFormats(t *testing.T) {
	now := time.Now()
	cases := map[string]string{
		"combined": `192.0.2.1 "GET /a/b?x=1&y=2 HTTP/1.1" 200 1.2KB "https://example.org/" "curl/8.1"`,
		"common":   `192.0.2.1 "GET /a/b?x=1&y=2 HTTP/1.1" 200 1.2KB"`,
		"short":    `192.0.2.1 GET /a/b?x=1&y=2 HTTP/1.1 200 1.2KB - 1234ms`,
		"tiny":     `GET /a/b?x=1&y=2 200 1.2KB - 1234ms`,
	}
	for name, want := range cases {
		if got := render(t, name, exchange(now), now); got != want {
			t.Errorf("%s = %s", name, got)
		}
	}
}

func TestUnknownTagsGiveNothingAndAWarning(t *testing.T) {
	now := time.Now()
	cases := []struct{ format, want string }{
		{"<{bogus}>", "<>"}, {"<{:bogus}>", "<>"}, {"<{a:b}>", "<>"},
		{"<{>x-b3-id}>", "<{>x-b3-id}>"}, {"<{a.b}>", "<{a.b}>"},
	}
	for _, c := range cases {
		f, warnings := Compile(c.format, nil)
		if got := string(f.Append(nil, exchange(now), now)); got != c.want || len(warnings) != 1 {
			t.Errorf("%s = %q with warnings %q", c.format, got, warnings)
		}
	}
}

// hostile values of every place that a client or an upstream writes to.
func hostileExchange(now time.Time, evil string) *message.Record {
	r := exchange(now)
	r.Request.SetMethod([]byte(evil))
	r.Request.SetTarget([]byte("/" + evil + "?" + evil))
	r.Request.Host = []byte(evil)
	r.Request.Fields.Reset()
	for _, name := range []string{"Referer", "User-Agent", "X-Custom"} {
		r.Request.Fields.Add(name, []byte(evil))
	}
	r.Request.Fields.Add("Cookie", []byte("session="+evil))
	r.Response.Fields.Reset()
	r.Response.Fields.Add("Content-Type", []byte(evil))
	r.RequestID = append(r.RequestID[:0], evil...)
	r.Location, r.UpstreamAddr, r.ErrorType = evil, evil, evil
	r.ClientIPText = []byte(evil)
	r.Conn.TLS = &message.TLS{Version: evil}
	return r
}

const everyValue = `{remote}|{client_ip}|"{method}"|"{path}"|"{query}"|"{uri}"|"{host}"|"{referer}"|"{user_agent}"|` +
	`"{>x-custom}"|"{<content-type}"|"{~session}"|"{request_id}"|"{:location}"|"{:upstream_addr}"|"{:tls_version}"|{:tls_cipher}|`

func TestNoValueForgesALine(t *testing.T) {
	now := time.Now()
	evil := "x\" 200 \"\r\n10.0.0.1 \"GET /admin\" 200\\\x00\x1b[2J\x7f\x80\xff\u0085\u202e\t|"
	evil = strings.ReplaceAll(evil, "|", "") // the separator that this test counts
	line := render(t, everyValue, hostileExchange(now, evil), now)
	for _, c := range []byte(line) {
		if c < ' ' || c >= 0x7f {
			t.Fatalf("byte %#x in %q", c, line)
		}
	}
	if strings.Count(line, "|") != 17 || strings.Count(line, `"`) != 28 {
		t.Errorf("fields of %s", line)
	}
	if !strings.Contains(line, `x\x22 200 \x22\x0d\x0a10.0.0.1 \x22GET /admin\x22 200\x5c\x00\x1b[2J\x7f\x80\xff`) {
		t.Errorf("line %s", line)
	}
}

func FuzzLinesStayLines(f *testing.F) {
	f.Add([]byte("\r\n\" \\ \x00\xff"))
	f.Add([]byte("\xe2\x80\xa8\xc2\x85\xed\xa0\x80"))
	f.Fuzz(func(t *testing.T, evil []byte) {
		now := time.Now()
		r := hostileExchange(now, string(evil))
		text, _ := Compile(everyValue, nil)
		for _, c := range text.Append(nil, r, now) {
			if c < ' ' || c >= 0x7f {
				t.Fatalf("byte %#x", c)
			}
		}
		object, _ := Compile("json", nil)
		line := object.Append(nil, r, now)
		var got map[string]any
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		if want := string([]rune(string(evil))); utf8.Valid(evil) && got["user_agent"] != want {
			t.Fatalf("user agent %q came back as %q", want, got["user_agent"])
		}
		for _, r := range string(line) {
			if r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 {
				t.Fatalf("%U in %q", r, line)
			}
		}
	})
}

func FuzzCompile(f *testing.F) {
	for _, seed := range []string{"combined", "json", "{", "{}", "{{host}}", "{~a}{>b}{<c}{$REGION}{:location}", "a\nb{x.y}", "{~}{>}{<}{$}{:}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		now := time.Now()
		format, _ := Compile(text, testEnv)
		for _, c := range format.Append(nil, hostileExchange(now, "\r\n\x00"), now) {
			if c < ' ' && c != '\t' || c == 0x7f {
				t.Fatalf("byte %#x of format %q", c, text)
			}
		}
	})
}

func TestJSONFormat(t *testing.T) {
	now := time.Now()
	want := map[string]any{
		"time": now.UTC().Format("2006-01-02T15:04:05.000Z"), "server": "web", "location": "api", "remote": "192.0.2.1",
		"client_ip": "203.0.113.5", "method": "GET", "scheme": "http", "host": "example.com", "uri": "/a/b?x=1&y=2",
		"proto": "HTTP/1.1", "status": 200.0, "size": 1234.0, "payload_size": 2000.0, "latency_ms": 1234.0,
		"referer": "https://example.org/", "user_agent": "curl/8.1", "request_id": "id-1", "connection_id": 7.0,
		"connection_reused": true, "tls_version": "", "upstream": "pool", "upstream_addr": "10.0.0.1:80",
		"upstream_status": 200.0, "upstream_reused": true, "upstream_attempts": 1.0, "upstream_connect_ms": 1.5,
		"upstream_processing_ms": 20.0, "upstream_response_ms": nil, "error": "", "config_version": 3.0,
	}
	line := render(t, "json", exchange(now), now)
	var got map[string]any
	if err := json.Unmarshal([]byte(line), &got); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s = %v, want %v", name, got[name], value)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d keys, want %d", len(got), len(want))
	}
}

func TestJSONOfAnExchangeWithoutAnything(t *testing.T) {
	r := &message.Record{Conn: &message.Conn{}}
	r.Reset()
	line := render(t, "json", r, time.Now())
	var got map[string]any
	if err := json.Unmarshal([]byte(line), &got); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	if got["status"] != nil || got["upstream_status"] != nil || got["method"] != "" || got["upstream_connect_ms"] != nil {
		t.Errorf("got %v", got)
	}
}

func TestJSONKeepsTextOfOtherAlphabets(t *testing.T) {
	cases := map[string]string{"grüße 日本 😀": `"grüße 日本 😀"`, "a\"b\\c\n": `"a\"b\\c\u000a"`, "\xff": `"` + "\ufffd" + `"`, "\u0085\u2028\u202e\x7f": `"\u0085\u2028\u202e\u007f"`}
	for text, want := range cases {
		if got := string(appendJSON(nil, text)); got != want {
			t.Errorf("%q = %s, want %s", text, got, want)
		}
	}
}

func TestClockFollowsTheSecond(t *testing.T) {
	var c clock
	for _, at := range []time.Time{time.UnixMilli(1_700_000_000_999), time.UnixMilli(1_700_000_001_000), time.UnixMilli(1_700_000_000_005), time.UnixMilli(-1)} {
		if got, want := string(c.appendLocal(nil, at.UnixMilli())), at.Format("2006-01-02T15:04:05.000-07:00"); got != want {
			t.Errorf("local %s, want %s", got, want)
		}
		if got, want := string(c.appendUTC(nil, at.UnixMilli())), at.UTC().Format("2006-01-02T15:04:05.000Z"); got != want {
			t.Errorf("utc %s, want %s", got, want)
		}
	}
}

func TestLinesAllocateNothing(t *testing.T) {
	now := time.Now()
	r := exchange(now)
	dst := make([]byte, 0, 4096)
	all := `{host}{method}{path}{uri}{query}{proto}{scheme}{remote}{client_ip}{referer}{user_agent}{when}{when_utc_iso}{when_unix}` +
		`{size}{size_human}{status}{latency}{latency_human}{payload_size}{payload_size_human}{request_id}{~session}{>x-custom}` +
		`{<content-type}{$REGION}{:location}{:connection_time_human}{:upstream_connect_time}`
	for _, format := range []string{"combined", "common", "short", "tiny", "json", all} {
		f, _ := Compile(format, testEnv)
		if allocs := testing.AllocsPerRun(200, func() { dst = f.Append(dst[:0], r, now) }); allocs != 0 {
			t.Errorf("%s: %v allocations", format, allocs)
		}
	}
}

// The reference of the json format and the page for users name exactly what exists.
func TestDocumentationIsComplete(t *testing.T) {
	page, err := os.ReadFile("../../docs/access-log.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var keys, inSource, inPage []string
	for _, f := range jsonFields() {
		keys = append(keys, f.name)
	}
	for _, m := range regexp.MustCompile(`(?m)^//\t(\w+) `).FindAllSubmatch(source, -1) {
		inSource = append(inSource, string(m[1]))
	}
	_, reference, _ := strings.Cut(string(page), "## The json format")
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllStringSubmatch(reference, -1) {
		inPage = append(inPage, m[1])
	}
	if !slices.Equal(keys, inSource) || !slices.Equal(keys, inPage) {
		t.Errorf("json keys\n%q\ndoc.go\n%q\npage\n%q", keys, inSource, inPage)
	}
	for _, m := range regexp.MustCompile("`\\{([a-z_]+|:[a-z_]+)\\}`").FindAllStringSubmatch(string(page), -1) {
		if _, warnings := Compile("{"+m[1]+"}", nil); len(warnings) > 0 {
			t.Errorf("the page names {%s}: %q", m[1], warnings)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	now := time.Now()
	r := exchange(now)
	for _, format := range []string{"combined", "json"} {
		b.Run(format, func(b *testing.B) {
			f, _ := Compile(format, nil)
			dst := make([]byte, 0, 4096)
			b.ReportAllocs()
			for b.Loop() {
				dst = f.Append(dst[:0], r, now)
			}
		})
	}
}

// clean looks at eight bytes at a time, which must find in each place what the table has.
func TestEveryByteIsEscapedInEveryPlace(t *testing.T) {
	for c := range 256 {
		for at := range 17 {
			value := []byte("abcdefghijklmnopq")
			value[at] = byte(c)
			got := string(appendText(nil, value))
			want := string(value)
			if escaped[c] {
				want = fmt.Sprintf("%s\\x%02x%s", value[:at], c, value[at+1:])
			}
			if got != want {
				t.Fatalf("%q is %q, want %q", value, got, want)
			}
		}
	}
}
