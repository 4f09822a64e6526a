package client

import (
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"pingap/message"
	"pingap/worker/http2/frame"
)

func setting(id frame.SettingID, value uint32) []byte {
	return frame.AppendSettings(nil, frame.Setting{ID: id, Value: value})
}

// settle waits until the connection has answered what was sent to it.
func (sv *server) settle() {
	sv.t.Helper()
	sv.write(frame.AppendPing(nil, false, [8]byte{0xfe}))
	for {
		if h, p := sv.want(frame.Ping); h.Flags.Has(frame.FlagAck) && p[0] == 0xfe {
			return
		}
	}
}

func TestAWindowMayBecomeNegative(t *testing.T) {
	c, sv := script(t, Options{}, frame.Setting{ID: frame.InitialWindowSize, Value: 100})
	s := open(t, c, request("POST", "/"), OpenOptions{ContentLength: 200, Body: make([]byte, 200)})
	if h, _ := sv.want(frame.Data); h.Length != 100 {
		t.Fatalf("first DATA has %d bytes", h.Length)
	}
	sv.write(setting(frame.InitialWindowSize, 10)) // the stream's window is -90
	sv.settle()
	sv.write(frame.AppendWindowUpdate(nil, s.id, 90)) // 0
	sv.settle()
	sv.write(frame.AppendWindowUpdate(nil, s.id, 7))
	if h, _ := sv.want(frame.Data); h.Length != 7 {
		t.Fatalf("second DATA has %d bytes", h.Length)
	}
	sv.write(setting(frame.InitialWindowSize, 1000))
	if h, _ := sv.want(frame.Data); h.Length != 93 || !h.Flags.Has(frame.FlagEndStream) {
		t.Fatalf("last DATA has %d bytes", h.Length)
	}
	sv.answer(s.id)
	complete(t, s)
}

func TestFramesAreAsLargeAsThePeerTakes(t *testing.T) {
	c, sv := script(t, Options{}, frame.Setting{ID: frame.InitialWindowSize, Value: 1 << 20})
	s := open(t, c, request("POST", "/"), OpenOptions{ContentLength: 40000, Body: make([]byte, 40000)})
	var sizes []uint32
	for left := 40000; left > 0; {
		h, _ := sv.want(frame.Data)
		sizes = append(sizes, h.Length)
		left -= int(h.Length)
	}
	if len(sizes) != 3 || sizes[0] != frame.MinMaxFrame {
		t.Errorf("frames of %d", sizes)
	}
	sv.answer(s.id)
	complete(t, s)
	sv.write(setting(frame.MaxFrameSize, 1<<20))
	sv.settle()
	s = open(t, c, request("POST", "/"), OpenOptions{ContentLength: 60000, Body: make([]byte, 20000)})
	if h, _ := sv.want(frame.Data); h.Length != 20000 {
		t.Errorf("frame of %d", h.Length)
	}
	sv.answer(s.id)
	complete(t, s)
}

// Streams take turns on a connection whose window is small, and one that is blocked holds up no other.
func TestStreamsShareTheConnectionsWindow(t *testing.T) {
	c, sv := script(t, Options{}, frame.Setting{ID: frame.InitialWindowSize, Value: 1 << 20})
	var streams []*Stream
	for range 3 {
		streams = append(streams, open(t, c, request("POST", "/"), OpenOptions{ContentLength: 1 << 20, Body: make([]byte, 1<<20)}))
	}
	got := map[uint32]int{}
	for total := 0; total < minWindow; {
		h, _ := sv.want(frame.Data)
		got[h.Stream] += int(h.Length)
		total += int(h.Length)
	}
	sv.settle()
	for range 30 {
		sv.write(frame.AppendWindowUpdate(nil, 0, 16384))
		h, _ := sv.want(frame.Data)
		got[h.Stream] += int(h.Length)
		for n := h.Length; n < 16384; n += h.Length { // a turn may end where the window did
			h, _ = sv.want(frame.Data)
			got[h.Stream] += int(h.Length)
		}
	}
	for _, s := range streams {
		if n := got[s.id]; n < 100000 {
			t.Errorf("stream %d sent only %d bytes", s.id, n)
		}
		s.Release()
	}
	sv.write(frame.AppendWindowUpdate(nil, 0, 16384))
	sv.serves(c)
}

func TestAPeerThatAllowsNoStreamsGetsNone(t *testing.T) {
	c, sv := script(t, Options{}, frame.Setting{ID: frame.MaxConcurrentStreams, Value: 2})
	if c.Room() != 2 {
		t.Fatalf("room for %d", c.Room())
	}
	a, b := get(t, c, "/"), get(t, c, "/")
	if _, err := c.Open(request("GET", "/"), &message.Fields{}, OpenOptions{End: true}); err != ErrFull {
		t.Errorf("open says %v", err)
	}
	sv.write(setting(frame.MaxConcurrentStreams, 0))
	sv.request()
	sv.request()
	sv.answer(a.id)
	sv.answer(b.id)
	complete(t, a)
	complete(t, b)
	if c.Room() != 0 || !c.Healthy() || c.Reserve() {
		t.Errorf("room for %d, healthy %v", c.Room(), c.Healthy())
	}
	sv.write(setting(frame.MaxConcurrentStreams, 1<<31))
	sv.settle()
	sv.serves(c)
}

func TestOurOwnLimitOfStreamsHolds(t *testing.T) {
	c, sv := script(t, Options{MaxStreams: 2})
	for i := range 3 {
		if got := c.Reserve(); got != (i < 2) {
			t.Fatalf("reservation %d: %v", i, got)
		}
	}
	c.Unreserve()
	s := open(t, c, request("GET", "/"), OpenOptions{End: true, ContentLength: message.LengthUnknown, Reserved: true})
	sv.request()
	if c.Room() != 1 {
		t.Errorf("room for %d", c.Room())
	}
	sv.answer(s.id)
	complete(t, s)
	if c.Room() != 2 {
		t.Errorf("room for %d", c.Room())
	}
}

func TestASmallHeaderTableIsHonoured(t *testing.T) {
	c, sv := script(t, Options{}, frame.Setting{ID: frame.HeaderTableSize, Value: 0})
	sv.dec.Init(0)
	for range 4 {
		s := open(t, c, request("GET", "/same", "x-same", "value"), OpenOptions{End: true, ContentLength: message.LengthUnknown})
		if _, text := sv.request(); !strings.Contains(text, "x-same: value\n") {
			t.Fatal(text)
		}
		sv.answer(s.id)
		complete(t, s)
	}
}

// What is not read stays with the peer.
func TestAnUnreadBodyIsBounded(t *testing.T) {
	c, sv := script(t, Options{StreamWindow: 1 << 17, ConnWindow: 1 << 18})
	s := get(t, c, "/")
	id, _ := sv.request()
	sv.write(sv.headers(id, false, ":status", "200"))
	chunk := make([]byte, 1<<14)
	for range 8 {
		sv.write(appendData(nil, id, chunk, false))
	}
	sv.settle()
	finalHead(t, s)
	if n, whole := s.Buffered(); n != 1<<17 || whole {
		t.Fatalf("%d bytes are buffered", n)
	}
	if _, err := io.ReadFull(s, make([]byte, 1<<16)); err != nil {
		t.Fatal(err)
	}
	for seen := uint32(0); seen < 1<<16; {
		h, p := sv.want(frame.WindowUpdate)
		if n, _ := frame.ParseWindowUpdate(h, p); h.Stream == id {
			seen += n
		}
	}
	for range 4 {
		sv.write(appendData(nil, id, chunk, false))
	}
	sv.write(appendData(nil, id, []byte("!"), false)) // one too many
	sv.wantReset(id, frame.FlowControlError)
	s.Release()
	sv.serves(c)
}

// Streams that nobody reads keep what their own windows hold. Those beside them go on, and new ones go to another connection.
func TestUnreadStreamsDoNotStopOthers(t *testing.T) {
	c, sv := script(t, Options{StreamWindow: 1 << 17, ConnWindow: 1 << 17})
	a, b := get(t, c, "/"), get(t, c, "/")
	sv.request()
	sv.request()
	chunk := make([]byte, 1<<14)
	sv.write(append(sv.headers(a.id, false, ":status", "200"), sv.headers(b.id, false, ":status", "200")...))
	given := int64(1 << 17) // of the connection's window
	say := func(id uint32, end bool) {
		t.Helper()
		for given < int64(len(chunk)) {
			h, p := sv.want(frame.WindowUpdate)
			if n, _ := frame.ParseWindowUpdate(h, p); h.Stream == 0 {
				given += int64(n)
			}
		}
		given -= int64(len(chunk))
		sv.write(appendData(nil, id, chunk, end))
	}
	for range 8 {
		say(a.id, false)
	}
	for i := range 8 {
		say(b.id, i == 7)
	}
	if _, body := complete(t, b); len(body) != 1<<17 {
		t.Errorf("%d bytes", len(body))
	}
	if n, _ := a.Buffered(); n != 1<<17 || c.Room() != 0 {
		t.Errorf("%d bytes are unread, and there is room for %d streams", n, c.Room())
	}
	sv.write(appendData(nil, a.id, []byte("!"), false)) // one too many
	sv.wantReset(a.id, frame.FlowControlError)
}

// What comes on a stream that was reset is given back, and no more comes than was on its way.
func TestLateFramesAreTaken(t *testing.T) {
	c, sv := script(t, Options{StreamWindow: 1 << 17, ConnWindow: 1 << 17})
	for range 10 {
		s := get(t, c, "/")
		id, _ := sv.request()
		sv.write(sv.headers(id, false, ":status", "200"))
		finalHead(t, s)
		s.Release()
		sv.wantReset(id, frame.Cancel)
		for range 8 {
			sv.write(appendData(nil, id, make([]byte, 1<<14), false))
		}
		sv.write(sv.headers(id, true, "x-indexed", "no"))
		for back := uint32(0); back < 1<<17; {
			h, p := sv.want(frame.WindowUpdate)
			n, _ := frame.ParseWindowUpdate(h, p)
			back += n
		}
	}
	sv.serves(c)
	last := uint32(21)
	sv.write(append(sv.headers(last, false, ":status", "200"), appendData(nil, last, make([]byte, 1<<14), false)...))
	for range 300 {
		if _, err := sv.nc.Write(sv.headers(last, true, ":status", "200")); err != nil {
			break
		}
	}
	sv.wantGoAway(frame.StreamClosed)
}

// A download goes on while the reader is slower than the peer, and the other way round.
func TestALargeBodyFlows(t *testing.T) {
	c, sv := script(t, Options{})
	s := get(t, c, "/")
	id, _ := sv.request()
	const size = 32 << 20
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		sv.write(sv.headers(id, false, ":status", "200"))
		stream, conn := 1<<20, 8<<20
		var chunk [1 << 14]byte
		for sent := 0; sent < size; sent += len(chunk) {
			for stream < len(chunk) || conn < len(chunk) {
				h, p := sv.want(frame.WindowUpdate)
				n, _ := frame.ParseWindowUpdate(h, p)
				if h.Stream == 0 {
					conn += int(n)
				} else {
					stream += int(n)
				}
			}
			stream, conn = stream-len(chunk), conn-len(chunk)
			sv.write(appendData(nil, id, chunk[:], sent+len(chunk) == size))
		}
	}()
	finalHead(t, s)
	time.Sleep(5 * time.Millisecond) // let the window fill
	n, err := io.Copy(io.Discard, s)
	if n != size || err != nil {
		t.Errorf("got %d bytes, %v", n, err)
	}
	wg.Wait()
	s.Release()
}
