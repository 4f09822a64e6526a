//go:build !race

// Under the race detector sync.Pool drops at random what it is given: nothing here could hold.

package server

import (
	"testing"

	"pingap/message"
	"pingap/worker/http2/frame"
	"pingap/worker/http2/hpack"
)

// inline answers at once, on the goroutine that feeds.
type inline struct {
	req  message.Request
	resp message.Response
	mem  []byte
	body []byte
}

func newInline() *inline {
	h := &inline{mem: make([]byte, 0, 4<<10), body: make([]byte, 200)}
	h.resp.Status = 200
	for _, f := range [][2]string{{"Server", "nginx/1.22.1"}, {"Date", "Mon, 23 Nov 2026 08:00:00 GMT"}, {"Content-Type", "text/plain"},
		{"Last-Modified", "Mon, 23 Nov 2026 07:00:00 GMT"}, {"ETag", `"0123456789"`}, {"Accept-Ranges", "bytes"}} {
		h.resp.Fields.Add(f[0], []byte(f[1]))
	}
	return h
}

func (h *inline) Request(s *Stream, head *Head) {
	h.req.Reset()
	head.CopyTo(&h.req, h.mem[:0])
	if _, whole := s.Body(); whole {
		_ = s.WriteHead(&h.resp, int64(len(h.body)), h.body, true)
	}
	s.Release()
}

// warm returns a connection that has served some requests, and a function that serves n at a time.
func warm(n int, post bool) func() {
	e := NewEngine(Options{})
	w := new(nowhere)
	c := e.NewConn(newInline(), w)
	c.Start()
	_ = c.Feed(frame.AppendSettings([]byte(frame.Preface)))
	_ = c.Feed(append(frame.AppendSettingsAck(nil), frame.AppendWindowUpdate(nil, 0, 1<<30)...))
	var enc hpack.Encoder
	enc.Init()
	texts := [][2]string{{":method", "GET"}, {":scheme", "https"}, {":path", "/some/path?with=query"}, {":authority", "h.example"},
		{"user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"}, {"accept", "text/html,application/xhtml+xml"},
		{"accept-encoding", "gzip, deflate, br"}, {"accept-language", "en-US,en;q=0.9"}, {"cookie", "session=0123456789abcdef"}}
	if post {
		texts[0][1] = "POST"
	}
	values := make([][]byte, len(texts))
	for i := range texts {
		values[i] = []byte(texts[i][1])
	}
	body := make([]byte, 200)
	id := uint32(1)
	var p, block []byte
	return func() {
		p = p[:0]
		for range n {
			block = block[:0]
			for i := range texts {
				block = enc.AppendPseudo(block, texts[i][0], values[i])
			}
			p = frame.AppendHeaders(p, id, block, !post, 16384)
			if post {
				p = append(frame.AppendHeader(p, frame.Header{Length: 200, Type: frame.Data, Flags: frame.FlagEndStream, Stream: id}), body...)
			}
			id += 2
		}
		p = frame.AppendWindowUpdate(p, 0, uint32(200*n)) // so that the window stays
		if err := c.Feed(p); err != nil {
			panic(err)
		}
	}
}

func TestAWarmConnectionAllocatesNothing(t *testing.T) {
	for _, post := range []bool{false, true} {
		serve := warm(16, post)
		for range 50 {
			serve()
		}
		if allocs := testing.AllocsPerRun(200, serve); allocs > 0.5 {
			t.Errorf("%v allocations for 16 requests (with a body: %v)", allocs, post)
		}
	}
}

func BenchmarkRequests(b *testing.B) {
	for name, post := range map[string]bool{"GET": false, "POST": true} {
		b.Run(name, func(b *testing.B) {
			serve := warm(32, post)
			b.ReportAllocs()
			for range b.N/32 + 1 {
				serve()
			}
		})
	}
}

func BenchmarkUpload(b *testing.B) {
	c := New(Options{}, uploads{}, new(nowhere))
	c.Start()
	_ = c.Feed(frame.AppendSettings([]byte(frame.Preface)))
	_ = c.Feed(frame.AppendSettingsAck(nil))
	var k client
	k.enc.Init()
	_ = c.Feed(k.post(nil, 1, "/"))
	p := data(data(nil, 1, string(make([]byte, 16384)), false), 1, string(make([]byte, 16384)), false)
	b.SetBytes(32 << 10)
	b.ReportAllocs()
	for b.Loop() {
		c.mu.Lock()
		for c.recvWindow < 1<<17 || c.table.get(1).recvWindow < 1<<17 { // the client waits for its window
			c.mu.Unlock()
			waitFor(b, func() bool { return true })
			c.mu.Lock()
		}
		c.mu.Unlock()
		if err := c.Feed(p); err != nil {
			b.Fatal(err)
		}
	}
	c.Close(nil)
	c.Wait()
}

// uploads reads bodies.
type uploads struct{}

func (uploads) Request(s *Stream, _ *Head) {
	go func() {
		defer s.Release()
		buf := make([]byte, 64<<10)
		for {
			if _, err := s.Read(buf); err != nil {
				return
			}
		}
	}()
}

func BenchmarkDownload(b *testing.B) {
	done := make(chan error)
	e := NewEngine(Options{})
	var k client
	k.enc.Init()
	c := e.NewConn(handler(func(s *Stream, _ *message.Request) {
		chunk := make([]byte, 64<<10)
		_ = s.WriteHead(&message.Response{Status: 200}, message.LengthUnknown, nil, false)
		for b.Loop() {
			if _, err := s.Write(chunk); err != nil {
				break
			}
		}
		close(done)
	}), new(nowhere))
	c.Start()
	_ = c.Feed(frame.AppendSettings([]byte(frame.Preface), frame.Setting{ID: frame.InitialWindowSize, Value: 1 << 30}))
	_ = c.Feed(append(frame.AppendSettingsAck(nil), frame.AppendWindowUpdate(nil, 0, 1<<30)...))
	b.SetBytes(64 << 10)
	b.ReportAllocs()
	_ = c.Feed(k.request(nil, 1, "GET", "/"))
	for open := true; open; {
		select {
		case <-done:
			open = false
		default:
			c.mu.Lock()
			low := c.sendWindow < 1<<28
			c.mu.Unlock()
			if low {
				_ = c.Feed(append(frame.AppendWindowUpdate(nil, 0, 1<<28), frame.AppendWindowUpdate(nil, 1, 1<<28)...))
			}
		}
	}
	c.Close(nil)
	c.Wait()
}
