package server

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"pingap/message"
	"pingap/worker/http2/frame"
)

func setting(id frame.SettingID, v uint32) []byte {
	return frame.AppendSettings(nil, frame.Setting{ID: id, Value: v})
}

func TestAWindowOpenedBySettingsLetsDataGo(t *testing.T) {
	k := newClient(t, Options{}, func(s *Stream, _ *message.Request) { answer(s, 200, "hello") })
	k.start(frame.Setting{ID: frame.InitialWindowSize, Value: 0})
	k.feed(k.request(nil, 1, "GET", "/"))
	k.expect("HEADERS 1")
	k.feed(setting(frame.InitialWindowSize, 1))
	k.expect("SETTINGS")
	k.expect("DATA 1 1 bytes")
	k.feed(setting(frame.InitialWindowSize, 0)) // the window is -1 now
	k.expect("SETTINGS")
	k.feed(frame.AppendWindowUpdate(nil, 1, 1))
	k.feed(frame.AppendWindowUpdate(nil, 1, 2))
	k.expect("DATA 1 2 bytes")
	k.feed(frame.AppendWindowUpdate(nil, 1, 20))
	k.expect("DATA 1 2 bytes end")
}

func TestDataKeepsWithinBothWindows(t *testing.T) {
	body := strings.Repeat("x", 200<<10)
	k := newClient(t, Options{}, func(s *Stream, _ *message.Request) { answer(s, 200, body) }).start()
	k.feed(k.request(nil, 1, "GET", "/"))
	k.feed(k.request(nil, 3, "GET", "/"))
	sum := map[uint32]int{}
	read := func(until int) {
		t.Helper()
		for sum[1]+sum[3] < until {
			if g, err := k.next(); err != nil {
				t.Fatal(err)
			} else if g.Type == frame.Data {
				sum[g.Stream] += len(g.payload)
				if len(g.payload) > 16384 {
					t.Errorf("a frame of %d bytes", len(g.payload))
				}
			}
		}
	}
	noData := func() {
		t.Helper()
		k.c.Flush()
		k.mu.Lock()
		defer k.mu.Unlock()
		for _, g := range k.frames {
			if g.Type == frame.Data {
				t.Fatalf("the server sent %v", k.frames)
			}
		}
	}
	read(65535)
	noData() // the connection's window is used up
	k.feed(frame.AppendWindowUpdate(nil, 0, 1<<20))
	read(2 * 65535)
	noData() // those of the streams are
	if sum[1] != 65535 || sum[3] != 65535 {
		t.Errorf("streams got %v", sum)
	}
	k.feed(frame.AppendWindowUpdate(nil, 1, 1<<20))
	k.feed(frame.AppendWindowUpdate(nil, 3, 1<<20))
	read(2 * len(body))
}

func TestMoreDataThanAWindowIsRefused(t *testing.T) {
	for name, o := range map[string]Options{
		"RST_STREAM 1 FLOW_CONTROL_ERROR": {StreamWindow: 100_000},
		"GOAWAY 0 FLOW_CONTROL_ERROR":     {StreamWindow: 1 << 20, ConnWindow: 65535},
	} {
		k := newClient(t, o, hanging)
		k.c.Start()
		k.feed([]byte(frame.Preface + string(frame.AppendSettings(nil))))
		k.feed(k.post(nil, 1, "/"))
		chunk := string(make([]byte, 16384))
		for i := 0; i < 10; i++ {
			if k.c.Feed(data(nil, 1, chunk, false)) != nil {
				break
			}
		}
		for {
			g, err := k.next()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if g.Type == frame.RSTStream || g.Type == frame.GoAway {
				if g.String() != name {
					t.Errorf("%v, want %s", g, name)
				}
				break
			}
		}
	}
}

// Windows are given back as the body is read, and not before.
func TestWindowsAreGivenBackAsTheBodyIsRead(t *testing.T) {
	read := make(chan int)
	k := newClient(t, Options{StreamWindow: 64 << 10, ConnWindow: 128 << 10}, func(s *Stream, _ *message.Request) {
		for n := range read {
			for buf := make([]byte, n); n > 0; {
				m, err := s.Read(buf[:n])
				if err != nil {
					t.Error(err)
				}
				n -= m
			}
		}
	})
	defer close(read)
	k.c.Start()
	k.feed([]byte(frame.Preface + string(frame.AppendSettings(nil)) + string(frame.AppendSettingsAck(nil))))
	k.expect("SETTINGS")
	k.expect("WINDOW_UPDATE 0")
	k.expect("SETTINGS")
	k.feed(k.post(nil, 1, "/"))
	for range 4 {
		k.feed(data(nil, 1, string(make([]byte, 16<<10)), false))
	}
	k.quiet()
	read <- 16 << 10
	read <- 16 << 10
	sum := map[uint32]uint32{}
	for sum[0] < 32<<10 || sum[1] < 32<<10 {
		g := k.expect("WINDOW_UPDATE")
		n, _ := frame.ParseWindowUpdate(g.Header, g.payload)
		sum[g.Stream] += n
	}
	if sum[0] != 32<<10 || sum[1] != 32<<10 {
		t.Errorf("given back: %v", sum)
	}
}

func TestUrgentStreamsGoFirst(t *testing.T) {
	body := strings.Repeat("x", 64<<10)
	var started sync.WaitGroup
	started.Add(4)
	k := newClient(t, Options{Output: 16 << 10}, func(s *Stream, _ *message.Request) {
		if s.WriteHead(&message.Response{Status: 200}, message.LengthUnknown, nil, false) == nil {
			started.Done()
			_, _ = s.WriteLast([]byte(body))
		}
	})
	k.start(frame.Setting{ID: frame.InitialWindowSize, Value: 1 << 20})
	k.feed(setting(frame.InitialWindowSize, 0))
	k.feed(k.request(nil, 1, "GET", "/", "priority: u=5, i"))
	k.feed(k.request(nil, 3, "GET", "/", "priority: u=5, i"))
	k.feed(k.request(nil, 5, "GET", "/", "priority: u=4"))
	k.feed(k.request(nil, 7, "GET", "/", "priority: u=7"))
	started.Wait()
	waitFor(t, func() bool { return pending(k.c) == 4 })
	k.feed(raw(frame.PriorityUpdate, 0, 0, "\x00\x00\x00\x07u=0"))
	k.feed(join(frame.AppendWindowUpdate(nil, 0, 1<<20), setting(frame.InitialWindowSize, 1<<20)))
	order := ""
	for strings.Count(order, " ") < 16 {
		g, err := k.next()
		if err != nil {
			t.Fatal(err)
		}
		if g.Type == frame.Data {
			order += string('0'+byte(g.Stream)) + " "
		}
	}
	if order != "7 7 7 7 5 5 5 5 1 3 1 3 1 3 1 3 " && order != "7 7 7 7 5 5 5 5 3 1 3 1 3 1 3 1 " {
		t.Errorf("frames went in the order %s", order)
	}
}

// pending counts the streams whose writers wait.
func pending(c *Conn) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.table.each(func(s *Stream) {
		if len(s.pending) > 0 {
			n++
		}
	})
	return n
}

func TestDeadlinesWakeWhoWaits(t *testing.T) {
	results := make(chan error, 4)
	streams := make(chan *Stream, 1)
	k := newClient(t, Options{}, func(s *Stream, _ *message.Request) {
		streams <- s
		_, err := s.Read(make([]byte, 1))
		results <- err
		_ = s.WriteHead(&message.Response{Status: 200}, message.LengthUnknown, nil, false)
		n, err := s.Write(make([]byte, 10))
		if n != 4 {
			t.Errorf("%d bytes were written", n)
		}
		results <- err
		_, err = s.Write(make([]byte, 10))
		results <- err
	})
	k.start(frame.Setting{ID: frame.InitialWindowSize, Value: 4})
	k.feed(k.post(nil, 1, "/"))
	s := <-streams
	_ = s.SetReadDeadline(time.Unix(1, 0))
	if err := <-results; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read: %v", err)
	}
	waitFor(t, func() bool { return pending(k.c) == 1 })
	_ = s.SetWriteDeadline(time.Now().Add(time.Hour))
	if err := k.c.Tick(k.c.o.Now()); err != nil {
		t.Fatal(err)
	}
	if pending(k.c) != 1 {
		t.Error("a deadline came an hour early")
	}
	waitFor(t, func() bool { // Tick lets go where somebody else works on the connection
		return k.c.Tick(k.c.o.Now()+int64(2*time.Hour)) == nil && pending(k.c) == 0
	})
	for _, what := range []string{"Write", "later Write"} {
		if err := <-results; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestASmallBodyIsThereWithItsHead(t *testing.T) {
	whole := make(chan string, 1)
	k := newClient(t, Options{}, func(s *Stream, req *message.Request) {
		p, ok := s.Body()
		if !ok || req.BodyLength != int64(len(p)) {
			t.Errorf("body %q, whole %v, length %d", p, ok, req.BodyLength)
		}
		whole <- string(p)
		answer(s, 200, "")
	}).start()
	k.feed(data(k.post(nil, 1, "/"), 1, "a small body", true))
	if got := <-whole; got != "a small body" {
		t.Errorf("body %q", got)
	}
	k.expect("HEADERS 1")
	k.feed(frame.AppendHeaders(data(k.post(nil, 3, "/"), 3, "with trailers", false), 3, k.fields("a: b"), true, 16384))
	if got := <-whole; got != "with trailers" {
		t.Errorf("body %q", got)
	}
}

// A view of the body stays what it is, whatever becomes of the stream meanwhile.
func TestAViewOfABodyStaysUntilRelease(t *testing.T) {
	step, look := make(chan bool), make(chan bool)
	k := newClient(t, Options{}, func(s *Stream, _ *message.Request) {
		p, ok := s.Body()
		step <- ok
		if !ok {
			return
		}
		<-look
		if !bytes.Equal(p, bytes.Repeat([]byte("a"), 1000)) {
			t.Errorf("the body has become %.20q", p)
		}
		step <- true
	}).start()
	k.feed(data(k.post(nil, 1, "/"), 1, strings.Repeat("a", 1000), true))
	if !<-step {
		t.Fatal("no body")
	}
	k.feed(frame.AppendRSTStream(nil, 1, frame.Cancel))
	for id := uint32(3); id < 40; id += 2 {
		k.feed(data(k.post(nil, id, "/"), id, strings.Repeat("b", 1000), false))
		if <-step {
			t.Error("a body that is not complete is whole")
		}
	}
	look <- true
	<-step
}

func TestTrailersBothWays(t *testing.T) {
	k := newClient(t, Options{}, func(s *Stream, _ *message.Request) {
		body := new(bytes.Buffer)
		if _, err := body.ReadFrom(s); err != nil {
			t.Error(err)
		}
		resp := &message.Response{Status: 200}
		_ = s.WriteHead(resp, message.LengthUnknown, body.Bytes(), false)
		out := new(message.Fields)
		out.CopyFrom(s.Trailers())
		out.Add("Content-Length", []byte("5"))
		_ = s.WriteTrailers(out)
	}).start()
	p := data(k.post(nil, 1, "/"), 1, "abc", false)
	k.feed(frame.AppendHeaders(p, 1, k.fields("grpc-status: 0", "authorization: x"), true, 16384))
	k.expect("HEADERS 1 [:status: 200]")
	k.expect("DATA 1 3 bytes")
	if g := k.expect("HEADERS 1"); g.String() != "HEADERS 1 [grpc-status: 0] end" {
		t.Error(g)
	}
}

func TestInterimResponses(t *testing.T) {
	k := newClient(t, Options{}, func(s *Stream, _ *message.Request) {
		for _, status := range []int{100, 101, 103} {
			if err := s.WriteInterim(&message.Response{Status: status}); err != nil {
				t.Error(err)
			}
		}
		answer(s, 204, "")
		if s.WriteInterim(&message.Response{Status: 103}) == nil || s.WriteHead(&message.Response{Status: 200}, 0, nil, true) == nil {
			t.Error("a head behind the response is taken")
		}
	}).start()
	k.feed(k.request(nil, 1, "GET", "/"))
	k.expect("HEADERS 1 [:status: 100]")
	k.expect("HEADERS 1 [:status: 103]")
	k.expect("HEADERS 1 [:status: 204")
}

// An answer that does not wait for the body ends the response, and then tells that the rest is of no use.
func TestAnEarlyAnswer(t *testing.T) {
	k := newClient(t, Options{}, func(s *Stream, _ *message.Request) { answer(s, 413, "no") }).start()
	k.feed(data(k.post(nil, 1, "/"), 1, "the first part", false))
	k.expect("HEADERS 1")
	k.expect("DATA 1 2 bytes end")
	k.expect("RST_STREAM 1 NO_ERROR")
}

func TestAResponseThatIsCutOffIsReset(t *testing.T) {
	k := newClient(t, Options{}, func(s *Stream, _ *message.Request) {
		_ = s.WriteHead(&message.Response{Status: 200}, 100, []byte("part"), false)
	}).start()
	k.feed(k.request(nil, 1, "GET", "/"))
	k.expect("HEADERS 1")
	k.expect("DATA 1 4 bytes")
	k.expect("RST_STREAM 1 INTERNAL_ERROR")
}

func TestContentLengthHolds(t *testing.T) {
	for _, c := range []struct {
		name, length string
		parts        []string
		ok           bool
	}{
		{"exact", "5", []string{"hello"}, true}, {"in parts", "5", []string{"he", "llo"}, true}, {"none", "0", []string{""}, true},
		{"too short", "5", []string{"hell"}, false}, {"too long", "5", []string{"hello!"}, false}, {"nothing", "5", []string{""}, false},
		{"too long in the second part", "5", []string{"hell", "oo"}, false}, {"something", "0", []string{"x"}, false},
	} {
		for _, trailers := range []bool{false, true} {
			k := newClient(t, Options{}, echo).start()
			p := k.post(nil, 1, "/", "content-length: "+c.length)
			for i, part := range c.parts {
				p = data(p, 1, part, i == len(c.parts)-1 && !trailers)
			}
			if trailers {
				p = frame.AppendHeaders(p, 1, k.fields("a: b"), true, 16384)
			}
			k.feed(p)
			if c.ok {
				k.expect("HEADERS 1")
				continue
			}
			k.expect("RST_STREAM 1 PROTOCOL_ERROR")
			waitFor(t, func() bool { return k.c.Streams() == 0 }) // nobody heard of it
		}
	}
	k := newClient(t, Options{}, echo).start()
	k.feed(frame.AppendHeaders(nil, 1, k.get("POST", "/", "content-length: 5"), true, 16384))
	k.expect("RST_STREAM 1 PROTOCOL_ERROR")
}
