package proxy

import (
	"io"
	"strings"
	"testing"
)

func TestInvalidRequestsOfHTTP2AreAnsweredAndNothingOfThemGoesOn(t *testing.T) {
	b := newBackend(t, echo)
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, server: speaks(t, "h2c"), quiet: true})
	const next = "GET / HTTP/1.1\r\nhost: h\r\n\r\n"
	a := r.attack()
	for i, row := range invalid() {
		if i%50 == 49 { // more would be a flood
			a.Close()
			a = r.attack()
		}
		before := len(b.received())
		if got := a.ask(row.end, row.fields, row.parts...); got != row.want && !strings.HasPrefix(got, row.want+" ") {
			t.Errorf("%s: %.200q, want %s", row.name, got, row.want)
		}
		if got := a.ask(true, plain()); got != "200 0:" {
			t.Fatalf("%s: the request behind it gets %q", row.name, got)
		}
		if got := b.received()[before:]; got != next {
			t.Errorf("%s: the upstream received %.300q", row.name, got)
		}
	}
}

// Behind the "=>" stands what the upstream of HTTP/1 receives, to the byte.
func TestValidRequestsOfHTTP2ReachAnUpstreamOfHTTP1AsTheyAre(t *testing.T) {
	const head = " HTTP/1.1\r\nhost: h\r\n"
	b := newBackend(t, echo)
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, server: speaks(t, "h2c"), quiet: true})
	a := r.attack()
	chunked := "POST /" + head + "%sTransfer-Encoding: chunked\r\n\r\n"
	for _, tc := range []struct {
		name, want string
		ended      bool
		fields     []string
		parts      []part
	}{
		{"two slashes", "GET //other/a" + head + "\r\n", true, []string{":method=GET", ":scheme=http", ":authority=h", ":path=//other/a"}, nil},
		{"odd escapes in a query", "GET /?%zz=%00" + head + "\r\n", true, []string{":method=GET", ":scheme=http", ":authority=h", ":path=/?%zz=%00"}, nil},
		{"dots", "GET /a/../b" + head + "\r\n", true, []string{":method=GET", ":scheme=http", ":authority=h", ":path=/a/../b"}, nil},
		{"star", "OPTIONS *" + head + "\r\n", true, []string{":method=OPTIONS", ":scheme=http", ":authority=h", ":path=*"}, nil},
		{"method in lower case", "get /" + head + "\r\n", true, []string{":method=get", ":scheme=http", ":authority=h", ":path=/"}, nil},
		{"host alone", "GET /" + head + "\r\n", true, []string{":method=GET", ":scheme=http", ":path=/", "host=h"}, nil},
		{"host as well", "GET /" + head + "\r\n", true, plain("host=H"), nil},
		{"crumbs", "GET /" + head + "cookie: a=1; b=2; c=3\r\nx: y\r\n\r\n", true, plain("cookie=a=1", "x=y", "cookie=b=2", "cookie=c=3"), nil},
		{"te", "GET /" + head + "TE: trailers\r\nConnection: TE\r\n\r\n", true, plain("te=trailers"), nil},
		{"settings", "GET /" + head + "\r\n", true, plain("http2-settings=AAMAAABk"), nil},
		{"aliases", "GET /" + head + "x_y: z\r\n\r\n", true, plain("content_length=5", "transfer_encoding=chunked", "x_y=z", "keep_alive=1", "http2_settings=AA"), nil},
		{"empty value", "GET /" + head + "x: \r\n\r\n", true, plain("x="), nil},
		{"length of nothing", "POST /" + head + "Content-Length: 0\r\n\r\n", true, posted("content-length=0"), nil},
		{"body", "POST /" + head + "Content-Length: 5\r\n\r\nhello", false, posted("content-length=5"), []part{{data: "hello", end: true}}},
		{"body without a length that is there", "POST /" + head + "Content-Length: 5\r\n\r\nhello", false, posted(), []part{{data: "hello", end: true}}},
		{"GET with a body", "GET /" + head + "Content-Length: 5\r\n\r\nhello", false, plain(), []part{{data: "hello", end: true}}},
		{"body that looks like a request", "POST /" + head + "Content-Length: 35\r\n\r\n" + smuggled, false, posted(), []part{{data: smuggled, end: true}}},
		{"chunk that looks like the last", strings.Replace(chunked, "%s", "", 1) + "5\r\n0\r\n\r\n\r\n0\r\nx: y\r\n\r\n", false, posted(),
			[]part{{data: "0\r\n\r\n"}, {trailers: []string{"x=y"}, end: true}}},
		{"trailers that may not be there", strings.Replace(chunked, "%s", "", 1) + "5\r\nhello\r\n0\r\nx: y\r\n\r\n", false, posted(),
			[]part{{data: "hello"}, {trailers: []string{"content-length=5", "host=b", "x=y", "content_length=5", "te=trailers", "authorization=b", "trailer=z"}, end: true}}},
		{"trailers behind a length", "POST /" + head + "Content-Length: 5\r\n\r\nhello", false, posted("content-length=5"),
			[]part{{data: "hello"}, {trailers: []string{"x=y"}, end: true}}},
		{"trailers alone", strings.Replace(chunked, "%s", "", 1) + "0\r\nx: y\r\n\r\n", false, posted(), []part{{trailers: []string{"x=y"}, end: true}}},
	} {
		before := len(b.received())
		if got := a.ask(tc.ended, tc.fields, tc.parts...); !strings.HasPrefix(got, "200 ") {
			t.Errorf("%s: %.200q", tc.name, got)
		}
		if got := b.received()[before:]; got != tc.want {
			t.Errorf("%s: the upstream received\n%q, want\n%q", tc.name, got, tc.want)
		}
	}
}

// The head of such a request has gone on before its body turns out to be broken. The upstream must see the end of the connection,
// never the end of the body.
func TestABrokenBodyOfHTTP2BehindItsHead(t *testing.T) {
	heads, ends := make(chan string), make(chan string)
	b := newBackend(t, func(p *scripted) {
		head, ok := p.request()
		if !ok {
			return
		}
		if strings.HasPrefix(head, "GET") {
			p.reply(ok5)
			return
		}
		heads <- head
		rest, _ := io.ReadAll(p.r)
		ends <- string(rest)
	})
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, server: speaks(t, "h2c")})
	for i, tc := range []struct {
		name   string
		fields []string
		part   part
		status int
	}{
		{"less than announced", posted("content-length=5"), part{data: "hell", end: true}, 499},
		{"more than announced", posted("content-length=5"), part{data: "hello" + smuggled}, 499},
		{"a trailer with a line end", posted(), part{trailers: []string{"x=a\r\nb: c"}, end: true}, 499},
		{"a pseudo-field behind", posted(), part{trailers: []string{":path=/b"}, end: true}, 499},
		{"trailers that end nothing", posted(), part{trailers: []string{"x=y"}}, 499},
	} {
		a := r.attack()
		a.write(a.frames(false, tc.fields))
		<-heads
		a.write(a.more(tc.part))
		if got := a.outcome(); got != malformed {
			t.Errorf("%s: %q", tc.name, got)
		}
		if got := <-ends; strings.Contains(got, "0\r\n\r\n") || strings.Contains(got, "smuggled") || strings.Contains(got, "b: c") || len(got) >= 5 && tc.fields[len(tc.fields)-1] == "content-length=5" {
			t.Errorf("%s: the upstream received %.200q", tc.name, got)
		}
		if got := a.ask(true, plain()); got != "200 hello" {
			t.Errorf("%s: the request behind it gets %q", tc.name, got)
		}
		line := r.log.wait(t, 2*i+1) // both are logged now, in any order
		if line.method != "POST" {
			line = r.log.wait(t, 2*i)
		}
		if line.status != tc.status || line.method != "POST" {
			t.Errorf("%s: logged %+v", tc.name, line)
		}
		a.Close()
	}
}
