package head

import (
	"bytes"
	"strings"
	"testing"

	"pingap/message"
)

var limits = Limits{Fields: 20, Target: 100}

// list makes a field list of "name: value" pairs, as the decoder would.
func list(pairs ...string) *message.Fields {
	l := new(message.Fields)
	for _, pair := range pairs {
		if pair == "" {
			continue
		}
		i := strings.Index(pair[1:], ": ") + 1
		name := []byte(pair[:i])
		l.Append(message.LookupName(name), name, []byte(pair[i+2:]))
	}
	return l
}

// ordinary are the pseudo-fields of a GET; those that more names are replaced.
func ordinary(more ...string) *message.Fields {
	pairs := []string{":method: GET", ":scheme: https", ":path: /", ":authority: h.example"}
	rest := []string{}
	for _, m := range more {
		replaced := false
		for i, p := range pairs {
			if name, _, _ := strings.Cut(p[1:], ":"); strings.HasPrefix(m, ":"+name+":") {
				pairs[i], replaced = m, true
			}
		}
		if !replaced {
			rest = append(rest, m)
		}
	}
	return list(append(pairs, rest...)...)
}

func TestMalformedHeads(t *testing.T) {
	for _, c := range []struct {
		name string
		list *message.Fields
		want string
	}{
		{"upper case name", ordinary("Accept: x"), "field name is not a token in lower case"},
		{"one upper case letter", ordinary("x-a-B: x"), "field name is not a token in lower case"},
		{"blank in name", ordinary("a b: x"), "field name is not a token in lower case"},
		{"colon in name", ordinary("a:b: x"), "field name is not a token in lower case"},
		{"NUL in name", ordinary("a\x00: x"), "field name is not a token in lower case"},
		{"CR LF in name", ordinary("a\r\nb: x"), "field name is not a token in lower case"},
		{"non-ASCII name", ordinary("a\xe9: x"), "field name is not a token in lower case"},
		{"colon alone", list(":method: GET", ":scheme: http", ":path: /", ":: x"), "unknown pseudo-field"},
		{"NUL in value", ordinary("a: x\x00y"), "field value has control characters"},
		{"LF in value", ordinary("a: x\ny: z"), "field value has control characters"},
		{"CR in value", ordinary("a: x\ry"), "field value has control characters"},
		{"CR LF in a long value", ordinary("a: 0123456789\r\nX-Evil: 1234567890"), "field value has control characters"},
		{"DEL in value", ordinary("a: x\x7f"), "field value has control characters"},
		{"escape in value", ordinary("a: x\x1by"), "field value has control characters"},
		{"blank first", ordinary("a:  x"), "field value begins or ends with a blank"},
		{"blank last", ordinary("a: x "), "field value begins or ends with a blank"},
		{"tab first", ordinary("a: \tx"), "field value begins or ends with a blank"},
		{"tab last", ordinary("a: x\t"), "field value begins or ends with a blank"},
		{"LF in :path", ordinary(":path: /a\nb"), "field value has control characters"},
		{"CR LF in :authority", ordinary(":authority: h\r\nX: y"), "field value has control characters"},
		{"LF in :method", ordinary(":method: GET\n"), "field value has control characters"},
		{"pseudo-field behind", ordinary("a: x", ":late: x"), "pseudo-field behind a field"},
		{"known pseudo-field behind", list(":method: GET", "a: x", ":path: /"), "pseudo-field behind a field"},
		{"unknown pseudo-field", list(":method: GET", ":test: x"), "unknown pseudo-field"},
		{"pseudo-field of a response", list(":status: 200"), "unknown pseudo-field"},
		{"repeated :method", list(":method: GET", ":method: GET"), "repeated pseudo-field"},
		{"repeated :path", list(":method: GET", ":path: /", ":path: /"), "repeated pseudo-field"},
		{"repeated :scheme", list(":scheme: http", ":scheme: http"), "repeated pseudo-field"},
		{"repeated :authority", list(":authority: h", ":authority: h"), "repeated pseudo-field"},
		{"no :method", list(":scheme: http", ":path: /", ":authority: h"), "missing :method"},
		{"no :scheme", list(":method: GET", ":path: /", ":authority: h"), "missing :scheme or :path"},
		{"no :path", list(":method: GET", ":scheme: http", ":authority: h"), "missing :scheme or :path"},
		{"nothing", list(), "missing :method"},
		{"empty :path", ordinary(":path: "), "empty :path"},
		{"empty :method", ordinary(":method: "), ":method is not a token"},
		{"method with a blank", ordinary(":method: GET /x HTTP/1.1"), ":method is not a token"},
		{"long method", ordinary(":method: " + strings.Repeat("A", 33)), ":method is not a token"},
		{"connection", ordinary("connection: close"), "field of the connection"},
		{"keep-alive", ordinary("keep-alive: 5"), "field of the connection"},
		{"proxy-connection", ordinary("proxy-connection: close"), "field of the connection"},
		{"transfer-encoding", ordinary("transfer-encoding: chunked"), "field of the connection"},
		{"upgrade", ordinary("upgrade: websocket"), "field of the connection"},
		{"te of a coding", ordinary("te: gzip"), "te is not trailers"},
		{"te of two", ordinary("te: trailers, gzip"), "te is not trailers"},
		{"repeated content-length", ordinary("content-length: 5", "content-length: 5"), "repeated content-length"},
		{"content-length with a sign", ordinary("content-length: +5"), "malformed content-length"},
		{"content-length with a comma", ordinary("content-length: 5,5"), "malformed content-length"},
		{"empty content-length", ordinary("content-length: "), "malformed content-length"},
		{"content-length of 19 digits", ordinary("content-length: 1000000000000000000"), "malformed content-length"},
		{"content-length in hexadecimal", ordinary("content-length: 0x5"), "malformed content-length"},
		{"repeated host", ordinary("host: h.example", "host: h.example"), "repeated host"},
		{":protocol without CONNECT", list(":method: GET", ":protocol: websocket", ":scheme: http", ":path: /"), ":protocol without CONNECT"},
		{"CONNECT with :path", list(":method: CONNECT", ":path: /", ":authority: h"), "CONNECT with :scheme or :path"},
		{"CONNECT with :scheme", list(":method: CONNECT", ":scheme: http", ":authority: h"), "CONNECT with :scheme or :path"},
		{"extended CONNECT without :path", list(":method: CONNECT", ":protocol: websocket", ":scheme: http", ":authority: h"), "missing :scheme or :path"},
		{"extended CONNECT with a bad :protocol", list(":method: CONNECT", ":protocol: a b", ":scheme: http", ":path: /", ":authority: h"), ":protocol is not a token"},
	} {
		var h Head
		if got := h.Check(c.list, &limits); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestHeadsThatAreAnsweredInstead(t *testing.T) {
	many := []string{}
	for range 21 {
		many = append(many, "a: b")
	}
	for _, c := range []struct {
		name   string
		list   *message.Fields
		status int
	}{
		{"ordinary", ordinary(), 0},
		{"cookies count as one", ordinary(strings.Split(strings.Repeat("cookie: a=b|", 100), "|")...), 0},
		{"as many fields as may be", ordinary(many[:20]...), 0},
		{"one more", ordinary(many...), 431},
		{"plain CONNECT", list(":method: CONNECT", ":authority: h:80"), 405},
		{"star with GET", ordinary(":path: *"), 400},
		{"star with OPTIONS", ordinary(":path: *", ":method: OPTIONS"), 0},
		{"absolute target", ordinary(":path: http://h/"), 400},
		{"no slash", ordinary(":path: a/b"), 400},
		{"blank in the target", ordinary(":path: /a b"), 400},
		{"blank and version in the target", ordinary(":path: / HTTP/1.1"), 400},
		{"fragment", ordinary(":path: /a#b"), 400},
		{"non-ASCII target", ordinary(":path: /\xc3\xa9"), 400},
		{"stray percent", ordinary(":path: /a%zz"), 400},
		{"cut escape", ordinary(":path: /a%4"), 400},
		{"escaped NUL", ordinary(":path: /a%00"), 400},
		{"any percent in a query", ordinary(":path: /a?%zz"), 0},
		{"target as long as it may be", ordinary(":path: /" + strings.Repeat("a", 99)), 0},
		{"longer target", ordinary(":path: /" + strings.Repeat("a", 100)), 414},
		{"other scheme", ordinary(":scheme: ftp"), 400},
		{"no authority", list(":method: GET", ":scheme: http", ":path: /"), 400},
		{"host instead", list(":method: GET", ":scheme: http", ":path: /", "host: h"), 0},
		{"host as well", ordinary("host: H.example"), 0},
		{"another host", ordinary("host: i.example"), 400},
		{"another port", ordinary("host: h.example:80"), 400},
		{"empty host beside", ordinary("host: "), 400},
		{"empty authority", ordinary(":authority: "), 400},
		{"user information", ordinary(":authority: u@h"), 400},
		{"two hosts in one", ordinary(":authority: a,b"), 400},
		{"slash in the authority", ordinary(":authority: h/a"), 400},
		{"bad port", ordinary(":authority: h:65536"), 400},
		{"IPv6", ordinary(":authority: [::1]:8080"), 0},
		{"IPv6 without brackets", ordinary(":authority: ::1"), 400},
		{"other expectation", ordinary("expect: 200-ok"), 417},
	} {
		var h Head
		wrong := h.Check(c.list, &limits)
		if wrong != "" || h.Status != c.status || (h.Status != 0) != (h.Text != "") {
			t.Errorf("%s: %q, %d %s, want %d", c.name, wrong, h.Status, h.Text, c.status)
		}
	}
}

func text(req *message.Request) string {
	var b strings.Builder
	b.WriteString(string(req.Method) + " " + string(req.Target) + " " + string(req.Host))
	for _, f := range req.Fields.List() {
		b.WriteString("|" + string(f.Name) + ": " + string(f.Value))
	}
	return b.String()
}

func TestWhatBecomesOfAHead(t *testing.T) {
	for _, c := range []struct {
		name string
		list *message.Fields
		want string
	}{
		{"ordinary", ordinary("accept: x", "x-a: "), "GET / h.example|host: h.example|accept: x|x-a: "},
		{"cookies are joined in their first place", ordinary("cookie: a=b", "x: y", "cookie: c=d", "cookie: e=f"),
			"GET / h.example|host: h.example|cookie: a=b; c=d; e=f|x: y"},
		{"one cookie", ordinary("cookie: a=b"), "GET / h.example|host: h.example|cookie: a=b"},
		{"one host", ordinary("x: y", "host: H.EXAMPLE"), "GET / h.example|host: h.example|x: y"},
		{"host alone", list(":method: GET", ":scheme: http", ":path: /a?b", "host: h"), "GET /a?b h|host: h"},
		{"aliases are dropped", ordinary("content_length: 5", "transfer_encoding: chunked", "hos_t: x", "x_y: z"),
			"GET / h.example|host: h.example|hos_t: x|x_y: z"},
		{"settings of an upgrade are dropped", ordinary("http2-settings: AAMAAABk"), "GET / h.example|host: h.example"},
		{"bad target", ordinary(":path: /a b"), "GET  h.example|host: h.example"},
		{"bad authority", ordinary(":authority: a/b"), "GET / "},
	} {
		var h Head
		if wrong := h.Check(c.list, &limits); wrong != "" {
			t.Errorf("%s: %s", c.name, wrong)
		}
		var req message.Request
		mem := h.CopyTo(&req, make([]byte, 0, 10))
		if got := text(&req); got != c.want || req.Version != message.HTTP2 {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		clear(mem) // everything lies there
		if strings.Trim(text(&req), "\x00 |:") != "" {
			t.Errorf("%s: %q is not all in the memory given back", c.name, text(&req))
		}
	}
}

func TestWhatAHeadSays(t *testing.T) {
	var h Head
	h.Check(ordinary("te: trailers", "expect: 100-continue", "content-length: 7", "priority: u=1, i"), &limits)
	if !h.Secure || !h.TETrailers || !h.Expect || h.Length != 7 || h.Priority != (Priority{1, true}) {
		t.Errorf("%+v", h)
	}
	h.Check(ordinary(":scheme: http"), &limits)
	if h.Secure || h.TETrailers || h.Expect || h.Length != message.LengthUnknown || h.Priority != DefaultPriority {
		t.Errorf("%+v", h)
	}
	h.Check(list(":method: CONNECT", ":protocol: websocket", ":scheme: https", ":path: /chat", ":authority: h"), &limits)
	if string(h.Protocol) != "websocket" || h.Status != 0 {
		t.Errorf("%+v", h)
	}
}

func TestPriorities(t *testing.T) {
	for value, want := range map[string]Priority{
		"": {3, false}, "u=0": {0, false}, "u=7, i": {7, true}, "i": {3, true}, "i=?0,u=2": {2, false}, "i=?1": {3, true},
		"u=8": {3, false}, "u=-1": {3, false}, "u=12": {3, false}, "u": {3, false}, "u=1;x=2, i;y": {1, true}, "x=1,u=4": {4, false},
		" u=5 , i ": {5, true}, "u=1,u=2": {2, false}, ",,,": {3, false}, "i=maybe": {3, false}, "U=1": {3, false},
	} {
		if got := ParsePriority([]byte(value)); got != want {
			t.Errorf("%q is %v, want %v", value, got, want)
		}
	}
}

func TestTrailers(t *testing.T) {
	for _, c := range []struct{ pair, wrong, kept string }{
		{"grpc-status: 0", "", "grpc-status: 0"}, {":status: 200", "pseudo-field in a trailer", ""},
		{"Upper: x", "field name is not a token in lower case", ""}, {"a: b\nc", "field value has control characters", ""},
		{"connection: close", "field of the connection", ""}, {"content-length: 5", "", ""}, {"host: x", "", ""},
		{"authorization: x", "", ""}, {"content_length: 5", "", ""}, {"te: trailers", "", ""},
	} {
		var dst message.Fields
		wrong := Trailers(list(c.pair), &dst)
		kept := ""
		for _, f := range dst.List() {
			kept += string(f.Name) + ": " + string(f.Value)
		}
		if wrong != c.wrong || kept != c.kept {
			t.Errorf("%s: %q, kept %q", c.pair, wrong, kept)
		}
	}
}

func TestAHeadCostsNoAllocation(t *testing.T) {
	pairs := ordinary("accept: */*", "cookie: a=b", "cookie: c=d", "user-agent: x", "content-length: 0")
	var l message.Fields
	var req message.Request
	mem := make([]byte, 0, 1<<10)
	allocs := testing.AllocsPerRun(100, func() {
		l.CopyFrom(pairs)
		var h Head
		if h.Check(&l, &limits) != "" || h.Status != 0 {
			t.Fatal("refused")
		}
		req.Reset()
		h.CopyTo(&req, mem[:0])
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// Whatever comes, what goes on is a request whose bytes cannot be read as two.
func FuzzHead(f *testing.F) {
	f.Add(":method\nGET\n:scheme\nhttp\n:path\n/a?b\n:authority\nh\naccept\nx")
	f.Add(":method\nPOST\n:scheme\nhttps\n:path\n/\nhost\nh\ncookie\na=b\ncookie\nc=d\ncontent-length\n5")
	f.Add(":method\nCONNECT\n:protocol\nwebsocket\n:scheme\nhttps\n:path\n/\n:authority\n[::1]:80")
	f.Add(":method\nGET\n:scheme\nhttp\n:path\n/%00\n:authority\nh\ntransfer_encoding\nchunked")
	f.Fuzz(func(t *testing.T, s string) {
		parts := strings.Split(s, "\n")
		var l message.Fields
		for i := 0; i+1 < len(parts); i += 2 {
			l.Append(message.LookupName([]byte(parts[i])), []byte(parts[i]), []byte(parts[i+1]))
		}
		var h Head
		if h.Check(&l, &limits) != "" {
			return
		}
		var req message.Request
		h.CopyTo(&req, nil)
		hosts := 0
		for _, f := range req.Fields.List() {
			if !message.ValidToken(f.Name) || !message.ValidValue(f.Value) || in(connection, f.ID) {
				t.Fatalf("field %q: %q", f.Name, f.Value)
			}
			if f.ID == message.Host {
				hosts++
			}
		}
		if !message.ValidToken(req.Method) || h.Status == 0 && (hosts != 1 || !message.ValidTarget(req.Target) || !ValidHost(req.Host)) {
			t.Fatalf("%q %q %q", req.Method, req.Target, req.Host)
		}
		if bytes.ContainsAny(req.Target, "\r\n ") {
			t.Fatalf("%q", req.Target)
		}
	})
}

// FuzzPriority: whatever a client sends, the urgency is one that there is, the last word counts, and other members mean nothing.
func FuzzPriority(f *testing.F) {
	for _, value := range []string{"", "u=1, i", "u=9", "u=-1,i=?0", "u=1;x=2, a=(1 2);b, i=?1", "u", "=", ",,", "u=\"1\"", " \tu = 7 "} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		p := ParsePriority([]byte(value))
		if p.Urgency > 7 {
			t.Fatalf("%q: urgency %d", value, p.Urgency)
		}
		if got := ParsePriority([]byte(value + ",u=5,i=?1")); got != (Priority{5, true}) {
			t.Errorf("%q and then u=5: %+v", value, got)
		}
		if got := ParsePriority([]byte("x=1;u=2," + value)); got != p {
			t.Errorf("%q behind another member: %+v, alone %+v", value, got, p)
		}
	})
}
