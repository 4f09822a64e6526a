package proxy

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pingap/message"
	"pingap/worker/http2/frame"
	"pingap/worker/http2/hpack"
)

// framedBackend is a script that speaks HTTP/2 frame by frame: reply says what to write to a request for a path.
func framedBackend(reply func(stream uint32, path string) []byte) func(*scripted) {
	return framedLoop(func(h frame.Header, path string) []byte {
		if h.Type != frame.Headers {
			return nil
		}
		return reply(h.Stream, path)
	})
}

// framedLoop is a script that says something to each frame. path is that of the request which was begun last.
func framedLoop(reply func(h frame.Header, path string) []byte) func(*scripted) {
	return func(p *scripted) {
		if _, err := io.ReadFull(p.r, make([]byte, len(frame.Preface))); err != nil {
			return
		}
		_, _ = p.Conn.Write(frame.AppendSettingsAck(frame.AppendSettings(nil)))
		var dec hpack.Decoder
		dec.Init(hpack.DefaultTable)
		path := ""
		for {
			head := make([]byte, frame.HeaderLen)
			if _, err := io.ReadFull(p.r, head); err != nil {
				return
			}
			h := frame.ParseHeader(head)
			payload := make([]byte, h.Length)
			if _, err := io.ReadFull(p.r, payload); err != nil {
				return
			}
			if h.Type == frame.Headers {
				var list message.Fields
				if _, _, err := dec.Decode(payload, &list, nil, hpack.Limit{Size: 1 << 20, Fields: 1000}); err != nil {
					return
				}
				value, _ := list.Lookup(":path")
				path = string(value)
			}
			_, _ = p.Conn.Write(reply(h, path))
		}
	}
}

// said is an answer in frames, and what a client is to see of it: the beginning of its status and body, or of how the stream ends.
type said struct {
	name   string
	h1, h2 string
	heads  [][]string // all but the last of them interim
	body   string
	extra  []string // trailers
}

func (s *said) frames(stream uint32) (out []byte) {
	for i, lines := range s.heads {
		end := i == len(s.heads)-1 && s.body == "" && s.extra == nil
		out = frame.AppendHeaders(out, stream, block(lines...), end, frame.MinMaxFrame)
	}
	if s.body != "" {
		h := frame.Header{Length: uint32(len(s.body)), Type: frame.Data, Stream: stream}
		if s.extra == nil {
			h.Flags = frame.FlagEndStream
		}
		out = append(frame.AppendHeader(out, h), s.body...)
	}
	if s.extra != nil {
		out = frame.AppendHeaders(out, stream, block(s.extra...), true, frame.MinMaxFrame)
	}
	return out
}

// answers are what an upstream of HTTP/2 may say, bad and good.
func answers() (l []said) {
	ok := func(more ...string) [][]string { return [][]string{append([]string{":status=200"}, more...)} }
	bad := func(name string, lines ...string) {
		l = append(l, said{name, "502", "502", [][]string{lines}, "hello", nil})
	}
	for _, c := range "\x00\r\n\x01\x7f" {
		bad(fmt.Sprintf("value with %q", c), ":status=200", "x=a"+string(c)+"b")
		bad(fmt.Sprintf("name with %q", c), ":status=200", "x"+string(c)+"=a")
		bad(fmt.Sprintf("status with %q", c), ":status=20"+string(c))
	}
	bad("a second answer in a value", ":status=200", "x=a\r\n\r\nHTTP/1.1 200 OK")
	for _, field := range []string{"\x00", "X=a", "x y=a", "x:=a", "connection=close", "connection=x", "keep-alive=5", "proxy-connection=x", "transfer-encoding=chunked",
		"upgrade=h2c", ":status=200", ":path=/", ":x=y", "content-length=5x", "content-length=-1", "content-length=+5", "content-length="} {
		bad("field "+field, ":status=200", field)
	}
	bad("no status", "x=y")
	bad("status behind a field", "x=y", ":status=200")
	bad("length twice", ":status=200", "content-length=5", "content-length=5")
	for _, status := range []string{"", "20", "2000", "099", "0", "-20", "2e2", "101", " 200", "20x"} {
		bad("status "+status, ":status="+status)
	}
	l = append(l,
		said{"longer than its body", "200 !", "200  reset", ok("content-length=6"), "hello", nil},
		said{"shorter than its body", "200 !", "200  reset", ok("content-length=4"), "hello", nil},
		said{"body with 204", "204 ", "204 ", [][]string{{":status=204"}}, "HTTP/1.1 200 OK\r\n\r\n", nil},
		said{"body with 304", "304 ", "304 ", [][]string{{":status=304"}}, "HTTP/1.1 200 OK\r\n\r\n", nil},
		said{"interim", "200 hello", "200 hello", [][]string{{":status=103", "link=a"}, {":status=100"}, {":status=200"}}, "hello", nil},
		said{"interim that switches", "502", "502", [][]string{{":status=101"}, {":status=200"}}, "hello", nil},
		said{"interim with a field of the connection", "502", "502", [][]string{{":status=103", "upgrade=x"}, {":status=200"}}, "hello", nil},
		said{"interim with a length", "200 hello", "200 hello", [][]string{{":status=103", "content-length=3"}, {":status=200"}}, "hello", nil},
		said{"many interim", "502", "502", append(slices.Repeat([][]string{{":status=103"}}, 40), []string{":status=200"}), "hello", nil},
		said{"interim alone", "502", "502", [][]string{{":status=103"}}, "", nil},
		said{"aliases", "200 hello", "200 hello", ok("content_length=3", "transfer_encoding=chunked"), "hello", nil},
		said{"te and settings", "200 hello", "200 hello", ok("te=trailers", "http2-settings=AA"), "hello", nil},
		said{"trailers", "200 hello", "200 hello", ok(), "hello", []string{"x=y"}},
		said{"trailers that frame", "200 hello", "200 hello", ok(), "hello", []string{"content-length=3", "set-cookie=a", "x=y"}},
		said{"pseudo-field in trailers", "200 hello!", "200 hello reset", ok(), "hello", []string{":status=200"}},
		said{"a field of the connection in trailers", "200 hello!", "200 hello reset", ok(), "hello", []string{"transfer-encoding=chunked"}},
		said{"line end in trailers", "200 hello!", "200 hello reset", ok(), "hello", []string{"x=a\r\nb: c"}},
		said{"shorter than announced, with trailers", "200 hell!", "200 hell", ok("content-length=5"), "hell", []string{"x=y"}},
	)
	return l
}

// TestWhatAnUpstreamOfHTTP2SaysReachesClientsWholeOrNotAtAll also looks at the bytes that clients of HTTP/1 get: their heads and
// chunks are ours alone.
func TestWhatAnUpstreamOfHTTP2SaysReachesClientsWholeOrNotAtAll(t *testing.T) {
	rows := answers()
	b := newBackend(t, framedBackend(func(stream uint32, path string) []byte {
		n, err := strconv.Atoi(path[1:])
		if err != nil {
			return (&said{heads: [][]string{{":status=200", "content-length=5"}}, body: "hello"}).frames(stream)
		}
		return rows[n].frames(stream)
	}))
	reach := rigOptions{addrs: []string{b.addr()}, server: speaks(t, "h2c"), upstream: reaches("h2c"), quiet: true}
	r := newRig(t, reach)
	for i, row := range rows {
		path := fmt.Sprintf("/%d", i)
		c := r.dial().send("GET " + path + " HTTP/1.1\r\nHost: h\r\nTE: trailers\r\nConnection: TE\r\n\r\nGET /ok HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
		var got bytes.Buffer
		_, _ = got.ReadFrom(c.r)
		if wrong := judge(got.String(), row.h1); wrong != "" {
			t.Errorf("%s over HTTP/1: %s: %.600q", row.name, wrong, got.String())
		}
		c.Close()
		a := r.attack()
		if got := a.ask(true, []string{":method=GET", ":scheme=http", ":authority=h", ":path=" + path}); !strings.HasPrefix(got, row.h2) {
			t.Errorf("%s over HTTP/2: %.300q, want %s", row.name, got, row.h2)
		}
		if got := a.ask(true, plain()); got != "200 hello" {
			t.Errorf("%s over HTTP/2: the request behind it gets %q", row.name, got)
		}
		a.Close()
	}
	if n := b.open.Load(); n > 3 {
		t.Errorf("%d connections to the upstream: bad answers are no fault of the connection", n)
	}
}

// judge reads what came over HTTP/1 for a request and one behind it, and says what is wrong with it. want ends in "!" where the answer is
// to be cut off.
func judge(got, want string) string {
	lower := strings.ToLower(got)
	for _, evil := range []string{"\r\nb: c", "\r\nhttp2-settings:", "\r\nset-cookie", "\r\nupgrade", "\x00"} {
		if strings.Contains(lower, evil) {
			return fmt.Sprintf("has %q", evil)
		}
	}
	want, cut := strings.CutSuffix(want, "!")
	status, body, _ := strings.Cut(want, " ")
	for strings.HasPrefix(got, "HTTP/1.1 1") {
		_, got, _ = strings.Cut(got, "\r\n\r\n")
	}
	head, rest, _ := strings.Cut(got, "\r\n\r\n")
	if !strings.HasPrefix(head, "HTTP/1.1 "+status+" ") || framings(head) != 1 && status != "204" && status != "304" {
		return "want one head with " + status
	}
	if body != "" && !strings.Contains(rest, body) {
		return "want body " + body
	}
	if cut {
		if strings.Contains(rest, "0\r\n\r\n") || strings.Contains(rest, "0\r\nx") || strings.Contains(rest, "HTTP/1.1") {
			return "is not cut off"
		}
		return ""
	}
	if status == "200" && strings.Count(rest, "HTTP/1.1 ") != 1 || !strings.Contains(rest, "HTTP/1.1 200 OK\r\n") && status != "502" {
		return "want one answer behind it"
	}
	return ""
}

// framings counts the fields of a head that frame its body.
func framings(head string) int {
	head = strings.ToLower(head)
	return strings.Count(head, "\r\ncontent-length:") + strings.Count(head, "\r\ntransfer-encoding:")
}
