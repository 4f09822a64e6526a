package proxy

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pingap/message"
	"pingap/plugins"
)

// fileOf is a file with a content, open.
func fileOf(t testing.TB, content string) *os.File {
	name := t.TempDir() + "/f"
	must(t, os.WriteFile(name, []byte(content), 0o600))
	f, err := os.Open(name)
	must(t, err)
	return f
}

func TestAnswersOfFilesAndStreamsAreFramedForTheClient(t *testing.T) {
	file := func(status int) func(*testing.T) *plugins.Answer {
		return func(t *testing.T) *plugins.Answer {
			return &plugins.Answer{Status: status, File: &plugins.FilePart{File: fileOf(t, "0123456789"), Offset: 2, Length: 5}}
		}
	}
	stream := func(length int64, pieces ...string) func(*testing.T) *plugins.Answer {
		return func(*testing.T) *plugins.Answer {
			m := &making{length: length, closed: new(atomic.Int32)}
			for _, p := range pieces {
				m.pieces = append(m.pieces, []byte(p))
			}
			return &plugins.Answer{Status: 200, Stream: m}
		}
	}
	for _, tc := range []struct {
		name, request string
		answer        func(*testing.T) *plugins.Answer
		want          string // head fields that must be there, "|", and the rest of the connection
	}{
		{"file, kept alive", get + "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", file(200), "Content-Length: 5|23456"},
		{"file for 1.0", get10, file(200), "Content-Length: 5\r\nConnection: close|23456"},
		{"stream for 1.0", get10, stream(message.LengthUnknown, "ab", "", "cde"), "Connection: close|abcde"},
		{"stream with length for 1.0", get10, stream(5, "ab", "cde"), "Content-Length: 5\r\nConnection: close|abcde"},
		{"stream in chunks", get, stream(message.LengthUnknown, "ab", "", "cde"), "Transfer-Encoding: chunked|2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"},
		{"HEAD of a stream", "HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", stream(message.LengthUnknown, "ab"), "Date|"},
		{"HEAD of a file", "HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", file(200), "Content-Length: 5|"},
		{"304 with a file", "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", file(304), "304 Not Modified|"},
		{"204 with a file", "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", file(204), "204 No Content|"},
		{"206", "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", file(206), "206 Partial Content|23456"},
		{"body that is not read", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nrest", file(200), "Connection: close|23456"},
		{"stream that says too little", get, stream(5, "ab"), "Content-Length: 5|ab"},
		{"stream that gives too much", get, stream(3, "ab", "cd"), "Content-Length: 3|ab"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, rigOptions{plugins: answering(false, func(*plugins.Exchange) *plugins.Answer { return tc.answer(t) })})
			c := r.dial().send(tc.request)
			fields, body, _ := strings.Cut(tc.want, "|")
			for range strings.Count(tc.request, "GET ") - 1 {
				c.head()
				c.body(len(body))
			}
			if head := c.head(); !strings.Contains(head, fields) || strings.Count(head, "Date:") != 1 {
				t.Errorf("head %q, want %q", head, fields)
			}
			must(t, c.Conn.(*net.TCPConn).CloseWrite())
			if rest := c.rest(); rest != body {
				t.Errorf("rest %q, want %q", rest, body)
			}
		})
	}
}

func TestABodyThatFailsCutsTheAnswerOffOrBecomesAnError(t *testing.T) {
	short := func() *plugins.FilePart { return &plugins.FilePart{File: fileOf(t, "0123456789"), Length: 100} }
	long := func() *plugins.FilePart {
		return &plugins.FilePart{File: fileOf(t, strings.Repeat("x", 20000)), Length: 40000}
	}
	for _, tc := range []struct {
		name, head string
		answer     func() *plugins.Answer
		kind       string
	}{
		{"small file", "HTTP/1.1 500 ", func() *plugins.Answer { return &plugins.Answer{Status: 200, File: short()} }, "ReadError"},
		{"large file", "HTTP/1.1 200 ", func() *plugins.Answer { return &plugins.Answer{Status: 200, File: long()} }, "ReadError"},
		{"stream", "HTTP/1.1 200 ", func() *plugins.Answer {
			return &plugins.Answer{Status: 200, Stream: &making{length: message.LengthUnknown, pieces: [][]byte{[]byte("ab")}, err: errors.New("lost"), closed: new(atomic.Int32)}}
		}, "ReadError"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			over := newEnds()
			r := newRig(t, rigOptions{plugins: answering(false, func(e *plugins.Exchange) *plugins.Answer {
				e.AtEnd(over)
				return tc.answer()
			})})
			c := r.dial().send(get)
			if head := c.head(); !strings.HasPrefix(head, tc.head) {
				t.Errorf("head %q", head)
			}
			must(t, c.Conn.(*net.TCPConn).CloseWrite())
			if rest := c.rest(); strings.HasSuffix(rest, "0\r\n\r\n") {
				t.Error("the body looks complete")
			}
			if line := r.log.wait(t, 0); line.kind != tc.kind {
				t.Errorf("log %+v", line)
			}
			over.wait(t, tc.head == "HTTP/1.1 500 ")
		})
	}
}

// TestASlowClientGetsTheWholeFile has sendfile wait for the client over and over.
func TestASlowClientGetsTheWholeFile(t *testing.T) {
	const size = 8 << 20
	content := strings.Repeat("0123456789abcdef", size/16)
	over := newEnds()
	r := newRig(t, rigOptions{plugins: answering(false, func(e *plugins.Exchange) *plugins.Answer {
		e.AtEnd(over)
		return &plugins.Answer{Status: 200, File: &plugins.FilePart{File: fileOf(t, content), Length: size}}
	})})
	c := r.dial().send(get)
	c.head()
	if got := c.body(size); got != content {
		t.Error("not what the file has")
	}
	over.wait(t, true)
	c.send(get)
	c.head()
	if line := r.log.wait(t, 0); line.sent != size {
		t.Errorf("log %+v", line)
	}
}

func TestAClientThatTakesNothingOfAFileIsLeftInTheWriteTimeout(t *testing.T) {
	f, err := os.Create(t.TempDir() + "/f")
	must(t, err)
	must(t, f.Truncate(64<<20))
	over := newEnds()
	r := newRig(t, rigOptions{server: func(s *Server) { s.WriteTimeout = 200 * time.Millisecond },
		plugins: answering(false, func(e *plugins.Exchange) *plugins.Answer {
			e.AtEnd(over)
			return &plugins.Answer{Status: 200, File: &plugins.FilePart{File: f, Length: 64 << 20}}
		})})
	r.dial().send(get)
	over.wait(t, false)
}

func TestADrainCutsAFileThatIsBeingSent(t *testing.T) {
	f, err := os.Create(t.TempDir() + "/f")
	must(t, err)
	must(t, f.Truncate(64<<20))
	over := newEnds()
	r := newRig(t, rigOptions{plugins: answering(false, func(e *plugins.Exchange) *plugins.Answer {
		e.AtEnd(over)
		return &plugins.Answer{Status: 200, File: &plugins.FilePart{File: f, Length: 64 << 20}}
	})})
	c := r.dial().send(get)
	c.head()
	r.closeProxy()
	over.wait(t, false)
	if _, err := io.Copy(io.Discard, c.r); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Error(err)
	}
}

func TestAStreamThatPausesHoldsNothingBack(t *testing.T) {
	for _, transport := range transports() {
		for _, filtered := range []bool{false, true} {
			wait := make(chan struct{})
			r := newRig(t, rigOptions{server: speaks(t, transport), plugins: answering(filtered, func(*plugins.Exchange) *plugins.Answer {
				return &plugins.Answer{Status: 200, Content: true, Stream: &making{length: message.LengthUnknown,
					pieces: [][]byte{[]byte("first"), []byte("second")}, closed: new(atomic.Int32), wait: wait}}
			})})
			client, base := r.user(transport)
			resp, err := client.Get(base + "/")
			must(t, err)
			buf := make([]byte, 5)
			_, err = io.ReadFull(resp.Body, buf)
			must(t, err)
			if !strings.EqualFold(string(buf), "first") {
				t.Errorf("%s: got %q", transport, buf)
			}
			close(wait)
			rest, err := io.ReadAll(resp.Body)
			must(t, err)
			must(t, resp.Body.Close())
			if !strings.EqualFold(string(rest), "second") {
				t.Errorf("%s: then %q", transport, rest)
			}
		}
	}
}

// ready is a Stream that has everything at hand.
type ready struct{ making }

func (*ready) Ready() bool { return true }

func TestAStreamThatIsReadyIsNotFlushedPieceByPiece(t *testing.T) {
	r := newRig(t, rigOptions{plugins: answering(true, func(*plugins.Exchange) *plugins.Answer {
		return &plugins.Answer{Status: 200, Content: true, Stream: &ready{making{length: message.LengthUnknown,
			pieces: [][]byte{[]byte("first"), []byte("second")}, closed: new(atomic.Int32)}}}
	})})
	c := r.dial().send(get)
	c.head()
	const want = "b\r\nFIRSTSECOND\r\n0\r\n\r\n"
	if got := c.body(len(want)); got != want {
		t.Errorf("got %q", got)
	}
}
