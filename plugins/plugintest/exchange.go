package plugintest

import (
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"pingap/message"
	"pingap/plugins"
)

// New builds the exchange of a request, given as text:
//
//	GET /a?b HTTP/1.1
//	Host: example.com
//
// The version may be left out, and lines may end in LF. The client is 192.0.2.1:40000, the server
// 198.51.100.1:80, without TLS; change Conn for another.
func New(t testing.TB, request string) *plugins.Exchange {
	t.Helper()
	e := &plugins.Exchange{}
	e.Conn = &message.Conn{
		Remote:     netip.MustParseAddrPort("192.0.2.1:40000"),
		Local:      message.EndpointOf(netip.MustParseAddrPort("198.51.100.1:80")),
		RemoteText: []byte("192.0.2.1"),
	}
	SetRequest(t, e, request)
	return e
}

// SetRequest makes an exchange anew from the text of a request. It keeps the exchange's connection and memory, as
// the proxy does from one request of a connection to the next.
func SetRequest(t testing.TB, e *plugins.Exchange, request string) {
	t.Helper()
	e.Reset()
	e.ClientIP, e.ClientIPText = e.Conn.Remote.Addr(), e.Conn.RemoteText
	r := &e.Request
	line, fields, _ := strings.Cut(request, "\n")
	method, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	target, version, _ := strings.Cut(rest, " ")
	if method == "" || target == "" {
		t.Fatalf("a request begins with method and target, not %q", line)
	}
	r.SetMethod([]byte(method))
	r.SetTarget([]byte(target))
	r.Version = message.HTTP11
	if version == "HTTP/1.0" {
		r.Version = message.HTTP10
	}
	setFields(t, &r.Fields, fields)
	r.Host = r.Fields.Get(message.Host)
	r.BodyLength = bodyLength(t, &r.Fields, 0)
}

// SetResponse gives the exchange a response head that came from an upstream, as text:
//
//	200 OK
//	Content-Type: text/html
//
// The body's length is Content-Length, or unknown without it.
func SetResponse(t testing.TB, e *plugins.Exchange, response string) {
	t.Helper()
	r := &e.Response
	r.Reset()
	line, fields, _ := strings.Cut(response, "\n")
	status, reason, _ := strings.Cut(strings.TrimSpace(line), " ")
	code, err := strconv.Atoi(status)
	if err != nil {
		t.Fatalf("a response begins with its status, not %q", line)
	}
	r.Status, r.Reason, r.Version = code, []byte(reason), message.HTTP11
	setFields(t, &r.Fields, fields)
	r.BodyLength = bodyLength(t, &r.Fields, message.LengthUnknown)
	e.Upstream, e.UpstreamAddr, e.UpstreamStatus = "upstream", "203.0.113.1:8080", code
}

func setFields(t testing.TB, f *message.Fields, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			t.Fatalf("a field is \"name: value\", not %q", line)
		}
		n := []byte(name)
		f.Append(message.LookupName(n), n, []byte(strings.TrimSpace(value)))
	}
}

func bodyLength(t testing.TB, f *message.Fields, otherwise int64) int64 {
	t.Helper()
	text := f.Get(message.ContentLength)
	if text == nil {
		return otherwise
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		t.Fatalf("Content-Length: %v", err)
	}
	return n
}

// FieldText renders fields one per line, "Name: value", for comparison.
func FieldText(fields []message.Field) string {
	var b strings.Builder
	for _, f := range fields {
		b.Write(f.Name)
		b.WriteString(": ")
		b.Write(f.Value)
		b.WriteByte('\n')
	}
	return b.String()
}

// Field returns the first value of an answer's field; empty if there is none.
func Field(a *plugins.Answer, name string) string {
	for _, f := range a.Fields {
		if message.EqualFold(f.Name, name) {
			return string(f.Value)
		}
	}
	return ""
}
