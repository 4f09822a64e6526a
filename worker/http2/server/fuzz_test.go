package server

import (
	"testing"

	"pingap/worker/http2/frame"
)

// keeper keeps every stream that it gets, and looks at its body.
type keeper struct{ streams []*Stream }

func (k *keeper) Request(s *Stream, h *Head) {
	if h.Status == 0 && (len(h.Method) == 0 || len(h.Authority) == 0) {
		panic("a request without method or authority is handed over")
	}
	k.streams = append(k.streams, s)
}

// run feeds p in steps of a size, and returns how the connection ended. Nothing may stay behind.
func run(t *testing.T, p []byte, step int) string {
	h := new(keeper)
	c := New(Options{Now: standing, MaxStreams: 8, HeadSize: 4 << 10, StreamWindow: 1 << 16, ConnWindow: 1 << 17}, h, new(nowhere))
	c.Start()
	p = append([]byte(frame.Preface+"\x00\x00\x00\x04\x00\x00\x00\x00\x00"), p...)
	var err error
	for len(p) > 0 && err == nil {
		n := min(step, len(p))
		err = c.Feed(p[:n])
		p = p[n:]
	}
	end := ""
	if err != nil {
		end = err.Error()
	}
	buffered := int64(0)
	c.mu.Lock()
	c.table.each(func(s *Stream) { buffered += int64(s.buffered) })
	coming := int64(c.input.data.left - c.input.data.pad) // padding is given back before it has come
	if c.recvWindow > 1<<17 || err == nil && c.recvWindow+c.recvUnsaid+buffered+coming != 1<<17 {
		t.Fatalf("windows: %d to come, %d to give back, %d buffered, %d coming", c.recvWindow, c.recvUnsaid, buffered, coming)
	}
	c.mu.Unlock()
	for _, s := range h.streams {
		if p, whole := s.Body(); whole && s.length >= 0 && int64(len(p)) != s.length {
			t.Fatalf("a body of %d bytes, announced were %d", len(p), s.length)
		}
		s.Release()
	}
	c.Close(nil)
	c.Wait()
	if c.Streams() != 0 || c.table.n != 0 {
		t.Fatalf("%d streams are left", c.Streams())
	}
	return end
}

// Whatever comes, the engine lives, keeps its accounts, and does not care how the bytes were cut.
func FuzzFeed(f *testing.F) {
	k := new(client)
	k.enc.Init()
	f.Add(k.request(nil, 1, "GET", "/"))
	f.Add(data(k.post(nil, 1, "/", "content-length: 5"), 1, "hello", true))
	f.Add(join(k.post(nil, 1, "/"), raw(frame.Data, frame.FlagPadded, 1, "\x03abc\x00\x00\x00"), frame.AppendRSTStream(nil, 1, frame.Cancel)))
	f.Add(join(raw(frame.Headers, 0, 1, "\x82\x87"), raw(frame.Continuation, frame.FlagEndHeaders, 1, "\x84\x01\x01h")))
	f.Add(join(setting(frame.InitialWindowSize, 5), raw(frame.Ping, 0, 0, "12345678"), frame.AppendWindowUpdate(nil, 0, 7)))
	f.Add(join(raw(frame.Headers, frame.FlagPriority|frame.FlagEndHeaders, 3, "\x00\x00\x00\x01\x07\x82\x87\x84\x01\x01h"), raw(frame.PriorityUpdate, 0, 0, "\x00\x00\x00\x03u=1, i")))
	f.Add(join(raw(frame.Headers, frame.FlagEndHeaders, 1, "\x82\x87\x84\x01\x01h"), data(nil, 1, "x", false), raw(frame.Headers, frame.FlagEndHeaders|frame.FlagEndStream, 1, "\x40\x01a\x01b")))
	f.Fuzz(func(t *testing.T, p []byte) {
		whole := run(t, p, len(p)+100)
		for _, step := range []int{1, 10} {
			if cut := run(t, p, step); cut != whole {
				t.Fatalf("whole it ends with %q, in steps of %d with %q", whole, step, cut)
			}
		}
	})
}
