package server

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"pingap/message"
	"pingap/worker/http2/frame"
	"pingap/worker/http2/hpack"
)

// got is a frame that the server has sent, or a decoded field block.
type got struct {
	frame.Header
	payload []byte
	fields  string // of HEADERS: "name: value" joined by ", "
}

func (g got) code() frame.ErrCode {
	switch g.Type {
	case frame.RSTStream:
		return frame.ParseRSTStream(g.payload)
	case frame.GoAway:
		_, code, _ := frame.ParseGoAway(g.payload)
		return code
	}
	return 0xffff
}

func (g got) String() string {
	text := fmt.Sprintf("%v %d", g.Type, g.Stream)
	switch g.Type {
	case frame.Headers:
		text += " [" + g.fields + "]"
	case frame.Data:
		text += fmt.Sprintf(" %d bytes", len(g.payload))
	case frame.RSTStream, frame.GoAway:
		text += " " + g.code().String()
	}
	if (g.Type == frame.Headers || g.Type == frame.Data) && g.Flags.Has(frame.FlagEndStream) {
		text += " end"
	}
	return text
}

// client is a scripted client: what it sends is fed to the connection, what the connection writes is parsed.
type client struct {
	t   testing.TB
	c   *Conn
	enc hpack.Encoder

	mu     sync.Mutex
	more   sync.Cond
	buf    []byte
	dec    hpack.Decoder
	frames []got
	block  bool  // the transport takes nothing
	fail   error // the transport is broken
}

// newClient returns a client of a connection that has been started; serve is run for every request in a goroutine.
func newClient(t testing.TB, o Options, serve func(*Stream, *message.Request)) *client {
	t.Helper()
	k := &client{t: t}
	k.more.L = &k.mu
	k.enc.Init()
	k.dec.Init(4096)
	k.c = New(o, handler(serve), k)
	t.Cleanup(func() {
		k.mu.Lock()
		k.unblockLocked()
		k.mu.Unlock()
		k.c.Close(nil)
		k.c.Wait()
	})
	return k
}

// start exchanges the settings.
func (k *client) start(settings ...frame.Setting) *client {
	k.t.Helper()
	k.c.Start()
	k.feed(frame.AppendSettings([]byte(frame.Preface), settings...))
	k.feed(frame.AppendSettingsAck(nil))
	k.expect("SETTINGS")
	k.expect("WINDOW_UPDATE 0")
	k.expect("SETTINGS")
	return k
}

type handler func(*Stream, *message.Request)

func (h handler) Request(s *Stream, head *Head) {
	req := new(message.Request)
	head.CopyTo(req, nil)
	status, text := head.Status, head.Text
	go func() {
		defer s.Release()
		if status != 0 {
			answer(s, status, text)
			return
		}
		h(s, req)
	}()
}

// answer sends a whole response.
func answer(s *Stream, status int, body string) {
	resp := &message.Response{Status: status}
	_ = s.WriteHead(resp, int64(len(body)), []byte(body), true)
}

// echo answers with the request's body.
func echo(s *Stream, _ *message.Request) {
	if s.WriteHead(&message.Response{Status: 200}, message.LengthUnknown, nil, false) != nil {
		return
	}
	buf := make([]byte, 32<<10)
	for {
		n, err := s.Read(buf)
		if n > 0 {
			if _, err := s.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			if err.Error() == "EOF" {
				_ = s.CloseWrite()
			}
			return
		}
	}
}

// Write implements Writer.
func (k *client) Write(p []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for k.block && k.fail == nil {
		k.more.Wait()
	}
	if k.fail != nil {
		return k.fail
	}
	k.buf = append(k.buf, p...)
	for {
		h, payload, n, err := frame.Next(k.buf, 1<<24-1)
		if err != nil {
			k.t.Errorf("the server sent %v", err)
		}
		if n == 0 {
			break
		}
		k.take(h, append([]byte(nil), payload...))
		k.buf = k.buf[n:]
	}
	k.more.Broadcast()
	return nil
}

func (k *client) take(h frame.Header, payload []byte) {
	g := got{Header: h, payload: payload}
	if last := len(k.frames) - 1; h.Type == frame.Continuation && last >= 0 {
		k.frames[last].payload = append(k.frames[last].payload, payload...)
		g = k.frames[last]
		g.Flags |= h.Flags
		k.frames = k.frames[:last]
	}
	if g.Type == frame.Headers && g.Flags.Has(frame.FlagEndHeaders) {
		var list message.Fields
		if _, _, err := k.dec.Decode(g.payload, &list, nil, hpack.Limit{Size: 1 << 20, Fields: 1 << 10}); err != nil {
			k.t.Errorf("response cannot be decoded: %v", err)
		}
		var lines []string
		for _, f := range list.List() {
			lines = append(lines, string(f.Name)+": "+string(f.Value))
		}
		g.fields = strings.Join(lines, ", ")
	}
	k.frames = append(k.frames, g)
}

func (k *client) setBlock(block bool) {
	k.mu.Lock()
	k.block = block
	k.more.Broadcast()
	k.mu.Unlock()
}

func (k *client) unblockLocked() {
	k.block = false
	k.more.Broadcast()
}

var errNothing = errors.New("nothing came")

// next returns the next frame, of any kind but WINDOW_UPDATE unless that is wanted.
func (k *client) next() (got, error) {
	timer := time.AfterFunc(30*time.Second, func() {
		k.mu.Lock()
		k.fail = errNothing
		k.more.Broadcast()
		k.mu.Unlock()
	})
	defer timer.Stop()
	k.mu.Lock()
	defer k.mu.Unlock()
	for len(k.frames) == 0 {
		if k.fail != nil {
			return got{}, k.fail
		}
		k.more.Wait()
	}
	g := k.frames[0]
	k.frames = k.frames[1:]
	return g, nil
}

// expect waits for the next frame, which must begin like want.
func (k *client) expect(want string) got {
	k.t.Helper()
	g, err := k.next()
	if err != nil || !strings.HasPrefix(g.String(), want) {
		k.t.Fatalf("the server sent %v (%v), want %s", g, err, want)
	}
	return g
}

// quiet checks that nothing but what was asked for has come.
func (k *client) quiet() {
	k.t.Helper()
	k.c.Flush()
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.frames) > 0 {
		k.t.Fatalf("the server sent %v", k.frames)
	}
}

// feed sends bytes; the connection must go on.
func (k *client) feed(p []byte) {
	k.t.Helper()
	if err := k.c.Feed(p); err != nil {
		k.t.Fatalf("the connection has ended: %v", err)
	}
}

// block encodes a field block from "name: value" pairs.
func (k *client) fields(pairs ...string) []byte {
	var block []byte
	for _, pair := range pairs {
		i := strings.Index(pair[1:], ": ") + 1
		name, value := pair[:i], pair[i+2:]
		block = k.enc.AppendPseudo(block, name, []byte(value))
	}
	return block
}

// get is the head of an ordinary request, followed by more.
func (k *client) get(method, path string, more ...string) []byte {
	return k.fields(append([]string{":method: " + method, ":scheme: https", ":path: " + path, ":authority: h.example"}, more...)...)
}

// request appends a request without a body.
func (k *client) request(dst []byte, id uint32, method, path string, more ...string) []byte {
	return frame.AppendHeaders(dst, id, k.get(method, path, more...), true, 16384)
}

// post appends the head of a request with a body.
func (k *client) post(dst []byte, id uint32, path string, more ...string) []byte {
	return frame.AppendHeaders(dst, id, k.get("POST", path, more...), false, 16384)
}

// data appends DATA.
func data(dst []byte, id uint32, p string, end bool) []byte {
	h := frame.Header{Length: uint32(len(p)), Type: frame.Data, Stream: id}
	if end {
		h.Flags = frame.FlagEndStream
	}
	return append(frame.AppendHeader(dst, h), p...)
}
