package server

import (
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pingap/message"
	"pingap/worker/http2/frame"
)

// heap is the memory in use, in bytes.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// standing is a clock that stands still: nothing is forgiven.
func standing() int64 { return int64(time.Hour) }

// drain throws away what the server sends, but for the last frame.
func (k *client) drain() (last got) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if n := len(k.frames); n > 0 {
		last = k.frames[n-1]
	}
	k.frames = nil
	return last
}

// Floods are cut off with ENHANCE_YOUR_CALM after a bounded number of frames, and cost neither memory nor goroutines. A flood
// is a frame, or a few, sent again and again; n counts.
func TestFloodsAreCutOff(t *testing.T) {
	for _, c := range []struct {
		name  string
		send  func(k *client, n int) []byte
		limit int // so many at most
	}{
		{"rapid reset", func(k *client, n int) []byte {
			id := uint32(2*n + 101)
			return append(k.request(nil, id, "GET", "/"), frame.AppendRSTStream(nil, id, frame.Cancel)...)
		}, 201},
		{"streams that the server has to reset", func(k *client, n int) []byte {
			id := uint32(2*n + 101)
			return append(k.request(nil, id, "GET", "/"), raw(frame.WindowUpdate, 0, id, "\x00\x00\x00\x00")...)
		}, 201},
		{"malformed requests", func(k *client, n int) []byte {
			return raw(frame.Headers, frame.FlagEndHeaders, uint32(2*n+101), "\x82")
		}, 201},
		{"refused requests", func(k *client, n int) []byte {
			return k.request(nil, uint32(2*n+101), "GET", "/hang")
		}, 1 << 14}, // each is forgiven one control frame, and spends one
		{"SETTINGS", func(*client, int) []byte { return setting(frame.InitialWindowSize, 70000) }, 2001},
		{"acknowledgements", func(*client, int) []byte { return frame.AppendSettingsAck(nil) }, 2001},
		{"PING", func(*client, int) []byte { return raw(frame.Ping, 0, 0, "12345678") }, 2001},
		{"PRIORITY", func(_ *client, n int) []byte {
			return raw(frame.Priority, 0, uint32(2*n+101), "\x00\x00\x00\x01\x07")
		}, 2001},
		{"PRIORITY_UPDATE", func(*client, int) []byte { return raw(frame.PriorityUpdate, 0, 0, "\x00\x00\x00\x01u=1") }, 2001},
		{"WINDOW_UPDATE", func(*client, int) []byte { return raw(frame.WindowUpdate, 0, 0, "\x00\x00\x00\x01") }, 2001},
		{"unknown frames", func(*client, int) []byte { return raw(0x77, 0, 0, "abc") }, 2001},
		{"GOAWAY", func(*client, int) []byte { return raw(frame.GoAway, 0, 0, "\x00\x00\x00\x00\x00\x00\x00\x00") }, 2001},
		{"RST_STREAM on a closed stream", func(*client, int) []byte { return raw(frame.RSTStream, 0, 5, "\x00\x00\x00\x08") }, 2001},
		{"empty DATA", func(*client, int) []byte { return raw(frame.Data, 0, 1, "") }, 101},
		{"padding", func(*client, int) []byte { return raw(frame.Data, frame.FlagPadded, 1, "\x03\x00\x00\x00") }, 101},
		{"CONTINUATION", func(_ *client, n int) []byte {
			if n == 0 {
				return raw(frame.Headers, 0, 101, "\x82")
			}
			return raw(frame.Continuation, 0, 101, "\x82")
		}, 34},
		{"empty CONTINUATION", func(_ *client, n int) []byte {
			if n == 0 {
				return raw(frame.Headers, 0, 101, "\x82")
			}
			return raw(frame.Continuation, 0, 101, "")
		}, 34},
		{"long CONTINUATION", func(_ *client, n int) []byte {
			if n == 0 {
				return raw(frame.Headers, 0, 101, "\x82")
			}
			return raw(frame.Continuation, 0, 101, strings.Repeat("a", 16000))
		}, 7},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newClient(t, Options{Now: standing, MaxStreams: 16}, func(s *Stream, req *message.Request) {
				if string(req.Path) == "/answer" {
					answer(s, 200, "")
					return
				}
				waitGone(s)
			}).start()
			k.feed(k.post(nil, 1, "/"))
			k.feed(k.request(nil, 3, "GET", "/"))
			k.feed(k.request(nil, 5, "GET", "/answer"))
			k.expect("HEADERS 5")
			before, goroutines := heap(), runtime.NumGoroutine()
			n := 0
			var err error
			most := 0
			for ; err == nil && n <= c.limit+1; n++ {
				err = k.c.Feed(c.send(k, n))
				if n%64 == 0 {
					k.drain()
					most = max(most, runtime.NumGoroutine())
				}
			}
			grown := heap() - before
			k.c.Flush()
			g := k.drain()
			if c.name == "refused requests" {
				if err != nil || k.c.Streams() > 20 {
					t.Errorf("%v with %d streams", err, k.c.Streams())
				}
			} else if err == nil || g.String() != "GOAWAY 0 ENHANCE_YOUR_CALM" || n > c.limit {
				t.Errorf("%d sent, then %v and %v; want at most %d", n, err, g, c.limit)
			}
			if grown > 1<<20 || most > goroutines+40 {
				t.Errorf("%d bytes and %d goroutines more", grown, most-goroutines)
			}
			waitFor(t, func() bool { return c.name == "refused requests" || k.c.Streams() == 0 })
		})
	}
}

// What is spent comes back with time, and with work.
func TestBudgetsAreRefilled(t *testing.T) {
	now := int64(time.Hour)
	k := newClient(t, Options{Now: func() int64 { return atomic.LoadInt64(&now) }}, hanging).start()
	for n := range 5000 {
		id := uint32(2*n + 1)
		k.feed(append(k.request(nil, id, "GET", "/"), frame.AppendRSTStream(nil, id, frame.Cancel)...))
		k.feed(raw(frame.Ping, 0, 0, "12345678"))
		atomic.AddInt64(&now, int64(time.Second)/90)
		if n%64 == 0 {
			k.drain()
		}
	}
}

// A handler that does not see the reset holds its place.
func TestStreamsThatAreResetStillCountWhileInWork(t *testing.T) {
	leave := make(chan struct{})
	var begun atomic.Int32
	k := newClient(t, Options{MaxStreams: 20}, func(*Stream, *message.Request) {
		begun.Add(1)
		<-leave
	}).start()
	refused := 0
	for n := range 100 {
		id := uint32(2*n + 1)
		k.feed(k.request(nil, id, "GET", "/"))
		k.feed(frame.AppendRSTStream(nil, id, frame.Cancel))
	}
	k.c.Flush()
	k.mu.Lock()
	for _, g := range k.frames {
		if g.code() == frame.RefusedStream {
			refused++
		}
	}
	k.mu.Unlock()
	waitFor(t, func() bool { return begun.Load() == 25 })
	if refused != 75 || k.c.Streams() != 25 {
		t.Errorf("%d refused, %d in work", refused, k.c.Streams())
	}
	close(leave)
	waitFor(t, func() bool { return k.c.Streams() == 0 })
}

// A client that opens no window holds a bounded amount of memory, for a bounded time.
func TestSlowReaders(t *testing.T) {
	for _, c := range []struct {
		name  string
		block bool // the transport takes nothing either
		first uint32
		conn  bool // it is the connection's window that is closed
		want  string
	}{
		{"windows of streams", false, 0, false, "RST_STREAM"},
		{"window of the connection", false, 1 << 20, true, "GOAWAY 0 ENHANCE_YOUR_CALM"},
		{"transport", true, 1 << 20, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := int64(time.Hour)
			body := make([]byte, 1<<20)
			k := newClient(t, Options{Now: func() int64 { return atomic.LoadInt64(&now) }}, func(s *Stream, _ *message.Request) {
				if s.WriteHead(&message.Response{Status: 200}, message.LengthUnknown, nil, false) == nil {
					_, _ = s.WriteLast(body)
				}
			})
			k.start(frame.Setting{ID: frame.InitialWindowSize, Value: c.first})
			before := heap()
			k.setBlock(c.block)
			if c.block {
				k.feed(frame.AppendWindowUpdate(nil, 0, 1<<30))
			}
			for n := range 100 {
				k.feed(k.request(nil, uint32(2*n+1), "GET", "/"))
			}
			waitFor(t, func() bool { return pending(k.c) >= 99 })
			if grown := heap() - before; grown > 4<<20 { // 100 goroutines and streams among it
				t.Errorf("%d bytes more", grown)
			}
			atomic.AddInt64(&now, int64(2*time.Minute))
			if c.want == "" {
				return // the transport's own time-out ends it
			}
			waitFor(t, func() bool {
				_ = k.c.Tick(atomic.LoadInt64(&now))
				return k.c.Streams() == 0
			})
			k.c.Flush()
			if g := k.drain(); !strings.HasPrefix(g.String(), c.want) {
				t.Errorf("it ends with %v", g)
			}
		})
	}
}

// Who asks and does not read is cut off before the answers fill the memory, whatever the budget.
func TestAnswersThatAreNotRead(t *testing.T) {
	k := newClient(t, Options{Control: 1 << 30, ControlPerSecond: 1 << 29}, hanging).start()
	k.setBlock(true)
	n := 0
	for err := error(nil); err == nil && n < 10000; n++ {
		err = k.c.Feed(raw(frame.Ping, 0, 0, "12345678"))
	}
	if n > 2*controlBytes/17+1 {
		t.Errorf("%d pings were taken", n)
	}
	k.setBlock(false)
	k.c.Flush()
	if g := k.drain(); g.String() != "GOAWAY 0 ENHANCE_YOUR_CALM" {
		t.Errorf("it ends with %v", g)
	}
}

// A few bytes that unfold to a large head are answered with 431, and kept nowhere.
func TestHeaderBombs(t *testing.T) {
	k := newClient(t, Options{}, echo).start()
	value := strings.Repeat("v", 3900)
	// An entry for the decoder's table by hand, which is not worth it for the encoder of the test.
	const get = "\x82\x87\x84\x01\x01h" // and a head without entries of the test's encoder
	block := append([]byte(get), "\x40\x04bomb\x7f\xbd\x1d"+value...)
	k.feed(frame.AppendHeaders(nil, 1, block, true, 16384))
	k.expect("HEADERS 1 [:status: 200]")
	before := heap()
	for i, times := range []int{30, 1000, 15000} {
		id := uint32(2*i + 3)
		bomb := append([]byte(get), strings.Repeat("\xbe", times)...)
		k.feed(frame.AppendHeaders(nil, id, bomb, true, 16384))
		for {
			g, err := k.next()
			if err != nil {
				t.Fatal(err)
			}
			if g.Stream != id {
				continue
			}
			if !strings.HasPrefix(g.fields, ":status: 431") {
				t.Errorf("%d times: %v", times, g)
			}
			break
		}
	}
	if grown := heap() - before; grown > 1<<20 {
		t.Errorf("%d bytes more", grown)
	}
}
