package client

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"pingap/message"
	"pingap/worker/http2/frame"
	"pingap/worker/http2/hpack"
)

// server is the other side of a connection, frame by frame.
type server struct {
	t   testing.TB
	nc  net.Conn
	dec hpack.Decoder
	enc hpack.Encoder
}

// script connects to a server that says what the test wants. It has read the preface and sent its SETTINGS.
func script(t testing.TB, o Options, settings ...frame.Setting) (*Conn, *server) {
	t.Helper()
	a, b := socketPair(t)
	c := New(a, o)
	t.Cleanup(func() {
		c.Close()
		c.Wait()
	})
	sv := &server{t: t, nc: b}
	sv.dec.Init(hpackTable)
	sv.enc.Init()
	_ = b.SetDeadline(time.Now().Add(patient))
	c.greet()
	preface := make([]byte, len(frame.Preface))
	if _, err := io.ReadFull(b, preface); err != nil || string(preface) != frame.Preface {
		t.Fatalf("preface %q, %v", preface, err)
	}
	if h, _ := sv.read(); h.Type != frame.Settings {
		t.Fatalf("first frame is %v", h.Type)
	}
	sv.write(frame.AppendSettingsAck(frame.AppendSettings(nil, settings...)))
	for {
		if h, _ := sv.read(); h.Type == frame.Settings && h.Flags.Has(frame.FlagAck) {
			return c, sv
		}
	}
}

func (sv *server) write(p []byte) {
	sv.t.Helper()
	if _, err := sv.nc.Write(p); err != nil {
		sv.t.Fatalf("server: %v", err)
	}
}

// read returns the next frame.
func (sv *server) read() (frame.Header, []byte) {
	sv.t.Helper()
	head := make([]byte, frame.HeaderLen)
	if _, err := io.ReadFull(sv.nc, head); err != nil {
		sv.t.Fatalf("server waits for a frame: %v", err)
	}
	h := frame.ParseHeader(head)
	p := make([]byte, h.Length)
	if _, err := io.ReadFull(sv.nc, p); err != nil {
		sv.t.Fatalf("server reads %v: %v", h.Type, err)
	}
	return h, p
}

// want returns the next frame of a type, and passes over others.
func (sv *server) want(kind frame.Type) (frame.Header, []byte) {
	sv.t.Helper()
	for {
		h, p := sv.read()
		if h.Type == kind {
			return h, p
		}
		if h.Type == frame.Headers { // a request that the test does not look at
			_, _, _ = sv.dec.Decode(p, new(message.Fields), nil, hpack.Limit{})
		}
		if h.Type == frame.GoAway {
			_, code, _ := frame.ParseGoAway(p)
			sv.t.Fatalf("server waits for %v, gets GOAWAY %v", kind, code)
		}
	}
}

// request returns the number of the next request and its fields as "name: value" lines.
func (sv *server) request() (uint32, string) {
	sv.t.Helper()
	h, p := sv.want(frame.Headers)
	block := append([]byte(nil), p...)
	for !h.Flags.Has(frame.FlagEndHeaders) {
		more, p := sv.read()
		if more.Type != frame.Continuation || more.Stream != h.Stream {
			sv.t.Fatalf("%v inside a field block", more.Type)
		}
		block = append(block, p...)
		h.Flags |= more.Flags & frame.FlagEndHeaders
	}
	var fields message.Fields
	if _, over, err := sv.dec.Decode(block, &fields, nil, hpack.Limit{Size: 1 << 20, Fields: 1000}); err != nil || over {
		sv.t.Fatalf("request does not decode: %v, over %v", err, over)
	}
	var text strings.Builder
	for _, f := range fields.List() {
		text.WriteString(string(f.Name) + ": " + string(f.Value) + "\n")
	}
	return h.Stream, text.String()
}

// block encodes fields, names and values in turn, without a look at them.
func (sv *server) block(fields ...string) []byte {
	var b []byte
	for i := 0; i < len(fields); i += 2 { // literals without indexing: the encoder would make names lower case
		b = append(b, 0)
		b = appendString(b, fields[i])
		b = appendString(b, fields[i+1])
	}
	return b
}

// appendString appends a string of HPACK, uncoded.
func appendString(b []byte, s string) []byte {
	if len(s) < 127 {
		return append(append(b, byte(len(s))), s...)
	}
	n := len(s) - 127
	b = append(b, 127)
	for ; n >= 128; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(append(b, byte(n)), s...)
}

func (sv *server) headers(id uint32, end bool, fields ...string) []byte {
	return frame.AppendHeaders(nil, id, sv.block(fields...), end, frame.MinMaxFrame)
}

// answer sends a small response.
func (sv *server) answer(id uint32) {
	sv.t.Helper()
	sv.write(appendData(sv.headers(id, false, ":status", "200"), id, []byte("ok"), true))
}

// serves checks that the connection still works.
func (sv *server) serves(c *Conn) {
	sv.t.Helper()
	s := get(sv.t, c, "/again")
	for {
		id, _ := sv.request()
		if id != s.id {
			continue
		}
		sv.answer(id)
		break
	}
	if resp, body := complete(sv.t, s); resp.Status != 200 || body != "ok" {
		sv.t.Fatalf("got %d %q", resp.Status, body)
	}
}

// wantReset waits for RST_STREAM.
func (sv *server) wantReset(id uint32, code frame.ErrCode) {
	sv.t.Helper()
	h, p := sv.want(frame.RSTStream)
	if got := frame.ParseRSTStream(p); h.Stream != id || got != code {
		sv.t.Errorf("stream %d was reset with %v, want %d with %v", h.Stream, got, id, code)
	}
}

// wantGoAway waits for the end of the connection, with a code.
func (sv *server) wantGoAway(code frame.ErrCode) {
	sv.t.Helper()
	for {
		h, p := sv.read()
		if h.Type != frame.GoAway {
			continue
		}
		if _, got, _ := frame.ParseGoAway(p); got != code {
			sv.t.Errorf("GOAWAY says %v, want %v", got, code)
		}
		break
	}
	if n, err := sv.nc.Read(make([]byte, 1)); n != 0 || err == nil {
		sv.t.Errorf("the connection is still open")
	}
}

// failure reads a response until it fails.
func failure(t testing.TB, s *Stream) *Error {
	t.Helper()
	resp := new(message.Response)
	var err error
	for final := false; err == nil && !final; {
		_, final, err = s.Head(resp, nil)
	}
	if err == nil {
		_, err = io.Copy(io.Discard, s)
	}
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an error of the engine", err)
	}
	return e
}

func TestARequestIsWrittenAsHTTP2Wants(t *testing.T) {
	c, sv := script(t, Options{})
	req := request("GET", "/x?y", "X-Upper", "1", "Connection", "keep-alive, te", "Keep-Alive", "5", "TE", "gzip, trailers",
		"Upgrade", "h2c", "HTTP2-Settings", "AA", "Transfer-Encoding", "chunked", "Proxy-Connection", "x", "Host", "other.example",
		"Content-Length", "77", "Cookie", "a=b")
	s := open(t, c, req, OpenOptions{Scheme: "https", ContentLength: 0, End: true})
	_, text := sv.request()
	want := ":method: GET\n:scheme: https\n:authority: other.example\n:path: /x?y\nx-upper: 1\nte: trailers\ncookie: a=b\ncontent-length: 0\n"
	if text != want {
		t.Errorf("got\n%swant\n%s", text, want)
	}
	sv.answer(s.id)
	complete(t, s)
	long := strings.Repeat("v", 40000)
	s = open(t, c, request("GET", "/", "X-Long", long), OpenOptions{ContentLength: message.LengthUnknown, End: true, Authority: "never used"})
	if _, text := sv.request(); !strings.Contains(text, "x-long: "+long+"\n") || !strings.Contains(text, ":authority: example.com\n") {
		t.Errorf("a long head came as %d bytes", len(text))
	}
	sv.answer(s.id)
	complete(t, s)
	req = request("GET", "/")
	req.Host = nil
	s = open(t, c, req, OpenOptions{ContentLength: message.LengthUnknown, End: true, Authority: "127.0.0.1:80"})
	if _, text := sv.request(); !strings.Contains(text, ":authority: 127.0.0.1:80\n") {
		t.Errorf("without a host: %s", text)
	}
	sv.answer(s.id)
	complete(t, s)
}

func TestInterimResponsesComeOneByOne(t *testing.T) {
	c, sv := script(t, Options{})
	s := get(t, c, "/")
	id, _ := sv.request()
	out := sv.headers(id, false, ":status", "100")
	out = append(out, sv.headers(id, false, ":status", "103", "link", "</a.css>")...)
	out = append(out, sv.headers(id, false, ":status", "200", "x", "y")...)
	sv.write(appendData(out, id, []byte("body"), true))
	var got []string
	resp := new(message.Response)
	for final := false; !final; {
		var err error
		if _, final, err = s.Head(resp, nil); err != nil {
			t.Fatal(err)
		}
		link, _ := resp.Fields.Lookup("link")
		got = append(got, string(rune('0'+resp.Status/100))+string(link))
	}
	if strings.Join(got, " ") != "1 1</a.css> 2" {
		t.Errorf("got %q", got)
	}
	if n, whole := s.Buffered(); n != 4 || !whole {
		t.Errorf("%d bytes are there, whole %v", n, whole)
	}
	p, err := s.Next()
	if string(p) != "body" || err != nil {
		t.Errorf("got %q, %v", p, err)
	}
	if _, err := s.Next(); err != io.EOF {
		t.Errorf("got %v, want EOF", err)
	}
	s.Release()
}

func TestAResponseWithoutABodyEndsWithItsHead(t *testing.T) {
	for _, k := range []struct {
		name, method, status, length string
		want                         int64
	}{
		{"HEAD", "HEAD", "200", "500", 0},
		{"204", "GET", "204", "0", 0},
		{"304", "GET", "304", "77", 0},
		{"no length", "GET", "200", "", 0},
	} {
		t.Run(k.name, func(t *testing.T) {
			c, sv := script(t, Options{})
			s := open(t, c, request(k.method, "/"), OpenOptions{ContentLength: message.LengthUnknown, End: true})
			id, _ := sv.request()
			fields := []string{":status", k.status}
			if k.length != "" {
				fields = append(fields, "content-length", k.length)
			}
			sv.write(sv.headers(id, true, fields...))
			if resp, body := complete(t, s); body != "" || resp.BodyLength != k.want {
				t.Errorf("body %q, length %d", body, resp.BodyLength)
			}
			sv.serves(c)
		})
	}
}

func TestDeadlinesWakeWhoWaits(t *testing.T) {
	c, sv := script(t, Options{}, frame.Setting{ID: frame.InitialWindowSize, Value: 10})
	past := time.Unix(1, 0)
	s := open(t, c, request("POST", "/"), OpenOptions{ContentLength: message.LengthUnknown})
	sv.request()
	for _, at := range []func() time.Time{func() time.Time { return past }, func() time.Time { return time.Now().Add(20 * time.Millisecond) }} {
		done := make(chan error, 2)
		_ = s.SetDeadline(time.Time{})
		go func() {
			_, _, err := s.Head(new(message.Response), nil)
			done <- err
		}()
		go func() {
			n, err := s.Write(bytes.Repeat([]byte("x"), 100))
			if n > 10 {
				err = errors.New("more was written than the window allows")
			}
			done <- err
		}()
		time.Sleep(time.Millisecond) // so that they usually wait; both orders have to work
		_ = s.SetDeadline(at())
		for range 2 {
			if err := <-done; !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("got %v", err)
			}
		}
	}
	_ = s.SetDeadline(time.Now().Add(patient))
	sv.answer(s.id)
	finalHead(t, s)
	if body, err := io.ReadAll(s); string(body) != "ok" || err != nil {
		t.Errorf("after the deadlines: %q, %v", body, err)
	}
	s.Release()
	sv.wantReset(1, frame.Cancel)
}
