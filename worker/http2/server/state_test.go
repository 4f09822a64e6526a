package server

import (
	"testing"
	"time"

	"pingap/message"
	"pingap/worker/http2/frame"
)

// raw makes a frame of any kind.
func raw(typ frame.Type, flags frame.Flags, stream uint32, payload string) []byte {
	h := frame.Header{Length: uint32(len(payload)), Type: typ, Flags: flags, Stream: stream}
	return append(frame.AppendHeader(nil, h), payload...)
}

func join(frames ...[]byte) (all []byte) {
	for _, f := range frames {
		all = append(all, f...)
	}
	return all
}

// hanging serves nothing: a stream stays until it is gone.
func hanging(s *Stream, _ *message.Request) { waitGone(s) }

func waitGone(s *Stream) {
	gone := make(chan struct{})
	if !s.Watch(watcher(func() { close(gone) })) {
		<-gone
	}
}

type watcher func()

func (w watcher) StreamGone() { w() }

// What a client must not send, and how it ends. Stream 1 is an open request with a body, 3 has all come, 5 is closed.
func TestMistakesOfTheClient(t *testing.T) {
	pad := "\x05abc"
	for _, c := range []struct {
		name string
		send []byte
		want string // the frame that answers
	}{
		{"DATA on stream 0", raw(frame.Data, 0, 0, "x"), "GOAWAY 0 PROTOCOL_ERROR"},
		{"DATA on an idle stream", raw(frame.Data, 0, 9, "x"), "GOAWAY 0 PROTOCOL_ERROR"},
		{"DATA on a stream of the server", raw(frame.Data, 0, 2, "x"), "GOAWAY 0 PROTOCOL_ERROR"},
		{"DATA behind the end", raw(frame.Data, 0, 3, "x"), "RST_STREAM 3 STREAM_CLOSED"},
		{"DATA on a closed stream", raw(frame.Data, 0, 5, "x"), "GOAWAY 0 STREAM_CLOSED"},
		{"padding longer than DATA", raw(frame.Data, frame.FlagPadded, 1, pad), "GOAWAY 0 PROTOCOL_ERROR"},
		{"DATA without its padding", raw(frame.Data, frame.FlagPadded, 1, ""), "GOAWAY 0 FRAME_SIZE_ERROR"},
		{"frame too large", raw(frame.Data, 0, 1, string(make([]byte, 16385))), "GOAWAY 0 FRAME_SIZE_ERROR"},
		{"HEADERS on stream 0", raw(frame.Headers, frame.FlagEndHeaders, 0, "\x82"), "GOAWAY 0 PROTOCOL_ERROR"},
		{"HEADERS on an even stream", raw(frame.Headers, frame.FlagEndHeaders, 8, "\x82"), "GOAWAY 0 PROTOCOL_ERROR"},
		{"HEADERS on a closed stream", raw(frame.Headers, frame.FlagEndHeaders, 5, "\x82"), "GOAWAY 0 STREAM_CLOSED"},
		{"HEADERS behind the end", raw(frame.Headers, frame.FlagEndHeaders|frame.FlagEndStream, 3, "\x82"), "RST_STREAM 3 STREAM_CLOSED"},
		{"trailers without the end", raw(frame.Headers, frame.FlagEndHeaders, 1, "\x40\x01a\x01b"), "RST_STREAM 1 PROTOCOL_ERROR"},
		{"trailers with a pseudo-field", raw(frame.Headers, frame.FlagEndHeaders|frame.FlagEndStream, 1, "\x82"), "RST_STREAM 1 PROTOCOL_ERROR"},
		{"padding longer than HEADERS", raw(frame.Headers, frame.FlagPadded|frame.FlagEndHeaders, 9, pad), "GOAWAY 0 PROTOCOL_ERROR"},
		{"HEADERS cut in the priority", raw(frame.Headers, frame.FlagPriority|frame.FlagEndHeaders, 9, "abc"), "GOAWAY 0 FRAME_SIZE_ERROR"},
		{"HEADERS that depend on themselves", raw(frame.Headers, frame.FlagPriority|frame.FlagEndHeaders, 9, "\x00\x00\x00\x09\x00\x82"), "RST_STREAM 9 PROTOCOL_ERROR"},
		{"bad index", raw(frame.Headers, frame.FlagEndHeaders, 9, "\xff\x7f"), "GOAWAY 0 COMPRESSION_ERROR"},
		{"malformed head", raw(frame.Headers, frame.FlagEndHeaders, 9, "\x82"), "RST_STREAM 9 PROTOCOL_ERROR"},
		{"CONTINUATION alone", raw(frame.Continuation, frame.FlagEndHeaders, 9, "\x82"), "GOAWAY 0 PROTOCOL_ERROR"},
		{"CONTINUATION of another stream", join(raw(frame.Headers, 0, 9, "\x82"), raw(frame.Continuation, frame.FlagEndHeaders, 11, "")), "GOAWAY 0 PROTOCOL_ERROR"},
		{"another frame inside a block", join(raw(frame.Headers, 0, 9, "\x82"), raw(frame.Ping, 0, 0, "12345678")), "GOAWAY 0 PROTOCOL_ERROR"},
		{"unknown frame inside a block", join(raw(frame.Headers, 0, 9, "\x82"), raw(0x55, 0, 0, "")), "GOAWAY 0 PROTOCOL_ERROR"},
		{"PRIORITY on stream 0", raw(frame.Priority, 0, 0, "12345"), "GOAWAY 0 PROTOCOL_ERROR"},
		{"PRIORITY of a wrong length", raw(frame.Priority, 0, 9, "1234"), "RST_STREAM 9 FRAME_SIZE_ERROR"},
		{"PRIORITY on itself", raw(frame.Priority, 0, 9, "\x00\x00\x00\x09\x00"), "RST_STREAM 9 PROTOCOL_ERROR"},
		{"RST_STREAM on stream 0", raw(frame.RSTStream, 0, 0, "1234"), "GOAWAY 0 PROTOCOL_ERROR"},
		{"RST_STREAM on an idle stream", raw(frame.RSTStream, 0, 9, "1234"), "GOAWAY 0 PROTOCOL_ERROR"},
		{"RST_STREAM of a wrong length", raw(frame.RSTStream, 0, 1, "123"), "GOAWAY 0 FRAME_SIZE_ERROR"},
		{"SETTINGS on a stream", raw(frame.Settings, 0, 1, ""), "GOAWAY 0 PROTOCOL_ERROR"},
		{"SETTINGS of a wrong length", raw(frame.Settings, 0, 0, "123"), "GOAWAY 0 FRAME_SIZE_ERROR"},
		{"acknowledgement with a payload", raw(frame.Settings, frame.FlagAck, 0, "123456"), "GOAWAY 0 FRAME_SIZE_ERROR"},
		{"ENABLE_PUSH of 2", setting(frame.EnablePush, 2), "GOAWAY 0 PROTOCOL_ERROR"},
		{"window over 2^31-1", setting(frame.InitialWindowSize, 1<<31), "GOAWAY 0 FLOW_CONTROL_ERROR"},
		{"frame size below 2^14", setting(frame.MaxFrameSize, 1<<14-1), "GOAWAY 0 PROTOCOL_ERROR"},
		{"frame size over 2^24-1", setting(frame.MaxFrameSize, 1<<24), "GOAWAY 0 PROTOCOL_ERROR"},
		{"PUSH_PROMISE", raw(frame.PushPromise, frame.FlagEndHeaders, 1, "\x00\x00\x00\x02\x82"), "GOAWAY 0 PROTOCOL_ERROR"},
		{"PING on a stream", raw(frame.Ping, 0, 1, "12345678"), "GOAWAY 0 PROTOCOL_ERROR"},
		{"PING of a wrong length", raw(frame.Ping, 0, 0, "1234567"), "GOAWAY 0 FRAME_SIZE_ERROR"},
		{"GOAWAY on a stream", raw(frame.GoAway, 0, 1, "12345678"), "GOAWAY 0 PROTOCOL_ERROR"},
		{"WINDOW_UPDATE of nothing", raw(frame.WindowUpdate, 0, 1, "\x00\x00\x00\x00"), "RST_STREAM 1 PROTOCOL_ERROR"},
		{"WINDOW_UPDATE of nothing for all", raw(frame.WindowUpdate, 0, 0, "\x00\x00\x00\x00"), "GOAWAY 0 PROTOCOL_ERROR"},
		{"WINDOW_UPDATE of a wrong length", raw(frame.WindowUpdate, 0, 1, "\x00\x00\x01"), "GOAWAY 0 FRAME_SIZE_ERROR"},
		{"WINDOW_UPDATE on an idle stream", raw(frame.WindowUpdate, 0, 9, "\x00\x00\x00\x01"), "GOAWAY 0 PROTOCOL_ERROR"},
		{"stream window over 2^31-1", raw(frame.WindowUpdate, 0, 1, "\x7f\xff\xff\xff"), "RST_STREAM 1 FLOW_CONTROL_ERROR"},
		{"window over 2^31-1 for all", raw(frame.WindowUpdate, 0, 0, "\x7f\xff\xff\xff"), "GOAWAY 0 FLOW_CONTROL_ERROR"},
		{"settings open a window too far", join(raw(frame.WindowUpdate, 0, 1, "\x7f\xff\x00\x00"), setting(frame.InitialWindowSize, 1<<31-1)), "GOAWAY 0 FLOW_CONTROL_ERROR"},
		{"PRIORITY_UPDATE on a stream", raw(frame.PriorityUpdate, 0, 1, "\x00\x00\x00\x01u=1"), "GOAWAY 0 PROTOCOL_ERROR"},
		{"PRIORITY_UPDATE of no stream", raw(frame.PriorityUpdate, 0, 0, "\x00\x00\x00\x00u=1"), "GOAWAY 0 PROTOCOL_ERROR"},
		{"PRIORITY_UPDATE cut short", raw(frame.PriorityUpdate, 0, 0, "\x00\x00"), "GOAWAY 0 FRAME_SIZE_ERROR"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, step := range []int{1 << 20, 1, 7} {
				k := opened(t)
				var err error
				for p := c.send; len(p) > 0 && err == nil; {
					n := min(step, len(p))
					err = k.c.Feed(p[:n])
					p = p[n:]
				}
				g, nextErr := k.next()
				if nextErr != nil || g.String() != c.want {
					t.Fatalf("answered by %v (%v), want %s", g, nextErr, c.want)
				}
				if (err != nil) != (g.Type == frame.GoAway) {
					t.Errorf("the connection ends with %v after %v", err, g)
				}
			}
		})
	}
}

// opened returns a client with the streams that TestMistakesOfTheClient needs.
func opened(t *testing.T) *client {
	k := newClient(t, Options{}, func(s *Stream, req *message.Request) {
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
	return k
}

func TestBeginningsThatAreNone(t *testing.T) {
	for name, send := range map[string]string{
		"HTTP/1":            "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
		"half of a preface": frame.Preface[:20] + "XXXX",
		"no settings":       frame.Preface + string(raw(frame.Ping, 0, 0, "12345678")),
		"acknowledgement":   frame.Preface + string(frame.AppendSettingsAck(nil)),
	} {
		k := newClient(t, Options{}, echo)
		k.c.Start()
		if k.c.Feed([]byte(send)) == nil {
			t.Errorf("%s: the connection goes on", name)
		}
		k.expect("SETTINGS")
		k.expect("WINDOW_UPDATE")
		k.expect("GOAWAY 0 PROTOCOL_ERROR")
	}
}

// What must be ignored, or answered without an end.
func TestWhatIsNoMistake(t *testing.T) {
	for _, c := range []struct {
		name string
		send []byte
		want string
	}{
		{"unknown frame", raw(0x55, 0xff, 77, "abc"), ""},
		{"unknown setting", setting(0x77, 7), "SETTINGS"},
		{"unknown flags", raw(frame.Ping, 0xfe, 0, "12345678"), "PING"},
		{"WINDOW_UPDATE on a closed stream", raw(frame.WindowUpdate, 0, 5, "\x00\x00\x00\x01"), ""},
		{"RST_STREAM on a closed stream", raw(frame.RSTStream, 0, 5, "\x00\x00\x00\x08"), ""},
		{"PRIORITY on a closed stream", raw(frame.Priority, 0, 5, "\x00\x00\x00\x00\x07"), ""},
		{"PRIORITY on an idle stream", raw(frame.Priority, 0, 99, "\x00\x00\x00\x00\x07"), ""},
		{"PRIORITY_UPDATE on an idle stream", raw(frame.PriorityUpdate, 0, 0, "\x00\x00\x00\x63u=1"), ""},
		{"GOAWAY", raw(frame.GoAway, 0, 0, "\x00\x00\x00\x00\x00\x00\x00\x00bye"), ""},
		{"acknowledgement of a ping nobody sent", raw(frame.Ping, frame.FlagAck, 0, "12345678"), ""},
		{"padded DATA", raw(frame.Data, frame.FlagPadded, 1, "\x03abc\x00\x00\x00"), ""},
		{"only padding", raw(frame.Data, frame.FlagPadded, 1, "\x03\x00\x00\x00"), ""},
		{"empty DATA", raw(frame.Data, 0, 1, ""), ""},
	} {
		k := opened(t)
		for _, b := range c.send {
			k.feed([]byte{b})
		}
		if c.want != "" {
			k.expect(c.want)
		}
		k.feed(raw(frame.Ping, 0, 0, "still up"))
		if g := k.expect("PING 0"); string(g.payload) != "still up" {
			t.Errorf("%s: %v", c.name, g)
		}
	}
}

// Frames that were on their way when we reset a stream are ignored, and their data is given back.
func TestLateFramesAfterAResetOfOurs(t *testing.T) {
	k := newClient(t, Options{}, func(s *Stream, _ *message.Request) { s.Reset(frame.Cancel) }).start()
	k.feed(k.post(nil, 1, "/"))
	k.expect("RST_STREAM 1 CANCEL")
	waitFor(t, func() bool { return k.c.Streams() == 0 })
	block := k.fields("a: b")
	for range 100 {
		k.feed(data(nil, 1, string(make([]byte, 16000)), false))
	}
	k.feed(frame.AppendHeaders(nil, 1, block, true, 16384))
	sum := uint32(0)
	for sum < 1<<20 {
		g := k.expect("WINDOW_UPDATE 0")
		n, _ := frame.ParseWindowUpdate(g.Header, g.payload)
		sum += n
	}
	k.quiet()
}

func TestAClientThatIsReset(t *testing.T) {
	seen := make(chan error, 1)
	k := newClient(t, Options{}, func(s *Stream, _ *message.Request) {
		_, err := s.Read(make([]byte, 10))
		seen <- err
	}).start()
	k.feed(k.post(nil, 1, "/"))
	k.feed(frame.AppendRSTStream(nil, 1, frame.Cancel))
	select {
	case err := <-seen:
		if e, ok := err.(*ResetError); !ok || !e.Remote || e.Code != frame.Cancel {
			t.Errorf("the stream saw %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the stream saw nothing")
	}
	waitFor(t, func() bool { return k.c.Streams() == 0 })
	k.quiet()
}
