package server

import (
	"bytes"
	"strings"
	"testing"

	"pingap/message"
	"pingap/worker/http2/frame"
)

func TestAGetIsAnswered(t *testing.T) {
	k := newClient(t, Options{}, func(s *Stream, req *message.Request) {
		resp := &message.Response{Status: 200}
		resp.Fields.Add("Content-Type", []byte("text/plain"))
		resp.Fields.Add("Connection", []byte("close"))
		resp.Fields.Add("X-Path", req.Target)
		_ = s.WriteHead(resp, 5, []byte("hello"), true)
	}).start()
	for id := uint32(1); id < 9; id += 2 {
		k.feed(k.request(nil, id, "GET", "/a?b"))
		k.expect("HEADERS")
		g := k.expect("DATA")
		if g.Stream != id || string(g.payload) != "hello" || !g.Flags.Has(frame.FlagEndStream) {
			t.Errorf("got %v %q", g, g.payload)
		}
	}
	k.quiet()
	waitFor(t, func() bool { return k.c.Streams() == 0 && k.c.Idle() })
}

func TestResponseHeadsLeaveOutTheConnectionsFields(t *testing.T) {
	k := newClient(t, Options{}, func(s *Stream, req *message.Request) {
		resp := &message.Response{Status: 304}
		for _, f := range []string{"Connection", "Keep-Alive", "Transfer-Encoding", "Upgrade", "Proxy-Connection", "X-Y", "Content-Length"} {
			resp.Fields.Add(f, []byte("7"))
		}
		length := message.LengthUnknown
		if string(req.Path) == "/keep" {
			length = KeepLength
		}
		_ = s.WriteHead(resp, length, nil, true)
	}).start()
	k.feed(k.request(nil, 1, "GET", "/"))
	if g := k.expect("HEADERS 1"); g.String() != "HEADERS 1 [:status: 304, x-y: 7] end" {
		t.Error(g)
	}
	k.feed(k.request(nil, 3, "HEAD", "/keep"))
	if g := k.expect("HEADERS 3"); g.String() != "HEADERS 3 [:status: 304, x-y: 7, content-length: 7] end" {
		t.Error(g)
	}
}

func TestABodyIsEchoed(t *testing.T) {
	k := newClient(t, Options{}, echo).start(frame.Setting{ID: frame.InitialWindowSize, Value: 1 << 20})
	body := strings.Repeat("0123456789abcdef", 3<<10) // 48 KiB
	p := k.post(nil, 1, "/")
	for i := 0; i < len(body); i += 10000 {
		end := min(i+10000, len(body))
		p = data(p, 1, body[i:end], end == len(body))
	}
	for i := 0; i < len(p); i += 777 { // frames in pieces
		k.feed(p[i:min(i+777, len(p))])
	}
	k.expect("HEADERS 1")
	var back []byte
	for {
		g := k.expect("DATA 1")
		back = append(back, g.payload...)
		if g.Flags.Has(frame.FlagEndStream) {
			break
		}
	}
	if !bytes.Equal(back, []byte(body)) {
		t.Errorf("%d bytes came back of %d, or others", len(back), len(body))
	}
}
