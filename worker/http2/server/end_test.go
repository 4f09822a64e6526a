package server

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"pingap/message"
	"pingap/worker/http2/frame"
)

func TestDrainingInTwoSteps(t *testing.T) {
	leave := make(chan struct{})
	k := newClient(t, Options{}, func(s *Stream, _ *message.Request) {
		<-leave
		answer(s, 200, "")
	}).start()
	k.feed(k.request(nil, 1, "GET", "/"))
	k.c.Shutdown()
	g := k.expect("GOAWAY 0 NO_ERROR")
	if last, _, _ := frame.ParseGoAway(g.payload); last != 1<<31-1 {
		t.Errorf("the first GOAWAY names stream %d", last)
	}
	k.feed(k.request(nil, 3, "GET", "/")) // was on its way
	k.c.GoAway()
	g = k.expect("GOAWAY 0 NO_ERROR")
	if last, _, _ := frame.ParseGoAway(g.payload); last != 3 {
		t.Errorf("the second GOAWAY names stream %d", last)
	}
	k.feed(k.post(nil, 5, "/"))
	k.expect("RST_STREAM 5 REFUSED_STREAM")
	k.feed(data(nil, 5, "late", true))
	if k.c.Drained() {
		t.Error("drained with two streams in work")
	}
	close(leave)
	k.expect("HEADERS")
	k.expect("HEADERS")
	waitFor(t, k.c.Drained)
	k.c.Shutdown()
	k.c.GoAway()
	k.quiet()
}

func TestSettingsHaveToBeAcknowledged(t *testing.T) {
	now := int64(time.Hour)
	k := newClient(t, Options{Now: func() int64 { return now }}, echo)
	k.c.Start()
	k.feed([]byte(frame.Preface + string(frame.AppendSettings(nil))))
	tick := func(after time.Duration) error {
		k.c.Flush()
		now += int64(after)
		return k.c.Tick(now)
	}
	if err := tick(9 * time.Second); err != nil {
		t.Fatal(err)
	}
	if tick(2*time.Second) == nil {
		t.Error("settings that are not acknowledged are no error")
	}
	k.c.Flush()
	if g := k.drain(); g.String() != "GOAWAY 0 SETTINGS_TIMEOUT" {
		t.Error(g)
	}
}

func TestSignsOfLife(t *testing.T) {
	var now atomic.Int64
	now.Store(int64(time.Hour))
	k := newClient(t, Options{Now: now.Load}, hanging).start()
	tick := func(after time.Duration) error {
		k.c.Flush()
		return k.c.Tick(now.Add(int64(after)))
	}
	if err := tick(time.Hour); err != nil { // no streams: nobody waits for anything
		t.Fatal(err)
	}
	k.quiet()
	k.feed(k.request(nil, 1, "GET", "/"))
	for range 3 {
		if err := tick(31 * time.Second); err != nil {
			t.Fatal(err)
		}
		g := k.expect("PING 0")
		if err := tick(14 * time.Second); err != nil {
			t.Fatal(err)
		}
		k.feed(frame.AppendPing(nil, true, frame.ParsePing(g.payload)))
	}
	if err := tick(31 * time.Second); err != nil {
		t.Fatal(err)
	}
	k.expect("PING 0")
	if err := tick(16 * time.Second); !errors.Is(err, ErrPing) {
		t.Errorf("silence is %v", err)
	}
	waitFor(t, func() bool { return k.c.Streams() == 0 })
}

func TestATransportThatBreaksEndsEveryStream(t *testing.T) {
	broken := errors.New("broken")
	seen := make(chan error, 10)
	k := newClient(t, Options{}, func(s *Stream, req *message.Request) {
		if string(req.Path) == "/write" {
			_ = s.WriteHead(&message.Response{Status: 200}, message.LengthUnknown, nil, false)
			_, err := s.Write(make([]byte, 1<<20))
			seen <- err
			return
		}
		_, err := s.Read(make([]byte, 1))
		seen <- err
	}).start()
	for id := uint32(1); id < 20; id += 4 {
		k.feed(k.request(nil, id, "GET", "/write"))
		k.feed(k.post(nil, id+2, "/read"))
	}
	waitFor(t, func() bool { return pending(k.c) == 5 })
	k.c.Close(broken)
	for range 10 {
		if err := <-seen; !errors.Is(err, broken) {
			t.Errorf("a stream saw %v", err)
		}
	}
	k.c.Wait()
	if err := k.c.Feed([]byte("x")); !errors.Is(err, broken) {
		t.Errorf("Feed: %v", err)
	}
}

func TestAWriteThatFailsEndsEveryStream(t *testing.T) {
	k := newClient(t, Options{}, hanging).start()
	k.feed(k.post(nil, 1, "/"))
	k.mu.Lock()
	k.fail = errNothing
	k.mu.Unlock()
	k.feed(raw(frame.Ping, 0, 0, "12345678"))
	waitFor(t, func() bool { return k.c.Streams() == 0 })
	if err := k.c.Err(); !errors.Is(err, errNothing) {
		t.Errorf("the connection ends with %v", err)
	}
}

func TestAWatcherIsToldOnce(t *testing.T) {
	var told atomic.Int32
	ready, leave := make(chan *Stream), make(chan struct{})
	k := newClient(t, Options{}, func(s *Stream, _ *message.Request) {
		s.Watch(watcher(func() { told.Add(1) }))
		ready <- s
		<-leave
	}).start()
	k.feed(k.post(nil, 1, "/"))
	s := <-ready
	if s.Gone() {
		t.Error("gone before anything happened")
	}
	k.feed(frame.AppendRSTStream(nil, 1, frame.Cancel))
	if told.Load() != 1 || !s.Gone() || !s.Watch(watcher(func() { told.Add(1) })) {
		t.Errorf("told %d times, gone %v", told.Load(), s.Gone())
	}
	k.c.Close(nil)
	if told.Load() != 1 {
		t.Errorf("told %d times", told.Load())
	}
	close(leave)
}

// "Upgrade: h2c": the request came as HTTP/1, its answer goes on stream 1.
func TestAnUpgradedConnection(t *testing.T) {
	k := newClient(t, Options{}, echo)
	s, err := k.c.StartUpgraded([]byte("\x00\x04\x00\x00\x00\x03"))
	if err != nil {
		t.Fatal(err)
	}
	k.expect("SETTINGS")
	k.expect("WINDOW_UPDATE")
	if p, whole := s.Body(); len(p) != 0 || !whole {
		t.Errorf("body %q, whole %v", p, whole)
	}
	go func() {
		defer s.Release()
		answer(s, 200, "hello")
	}()
	k.expect("HEADERS 1")
	k.expect("DATA 1 3 bytes")
	k.feed(frame.AppendSettings([]byte(frame.Preface)))
	k.expect("SETTINGS")
	k.feed(frame.AppendWindowUpdate(nil, 1, 10))
	k.expect("DATA 1 2 bytes end")
	k.feed(k.request(nil, 3, "GET", "/"))
	k.expect("HEADERS 3")
	k.expect("DATA 3 0 bytes end")

	bad := newClient(t, Options{}, echo)
	if _, err := bad.c.StartUpgraded([]byte("\x00\x04\x00")); err == nil {
		t.Error("settings of three bytes are taken")
	}
}

func TestExtendedConnect(t *testing.T) {
	k := newClient(t, Options{}, echo).start()
	chat := []string{":method: CONNECT", ":protocol: websocket", ":scheme: https", ":path: /chat", ":authority: h"}
	k.feed(frame.AppendHeaders(nil, 1, k.fields(chat...), false, 16384))
	k.expect("HEADERS 1 [:status: 200]")
	k.feed(data(nil, 1, "ping", false))
	k.expect("DATA 1 4 bytes")
	k.feed(data(nil, 1, "", true))
	k.expect("DATA 1 0 bytes end")
	k.feed(frame.AppendHeaders(nil, 3, k.fields(":method: CONNECT", ":authority: h:80"), false, 16384))
	k.expect("HEADERS 3 [:status: 405")

	k = newClient(t, Options{NoConnect: true}, echo).start()
	k.feed(frame.AppendHeaders(nil, 1, k.fields(chat...), false, 16384))
	k.expect("RST_STREAM 1 PROTOCOL_ERROR")
}
