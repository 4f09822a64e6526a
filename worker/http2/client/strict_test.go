package client

import (
	"bytes"
	"strings"
	"testing"

	"pingap/message"
	"pingap/worker/http2/frame"
)

// A response that breaks a rule costs its stream only.
func TestAMalformedResponseIsReset(t *testing.T) {
	type build func(sv *server, id uint32) []byte
	fields := func(end bool, fields ...string) build {
		return func(sv *server, id uint32) []byte { return sv.headers(id, end, fields...) }
	}
	join := func(parts ...build) build {
		return func(sv *server, id uint32) (out []byte) {
			for _, p := range parts {
				out = append(out, p(sv, id)...)
			}
			return out
		}
	}
	data := func(n int, end bool) build {
		return func(_ *server, id uint32) []byte { return appendData(nil, id, make([]byte, n), end) }
	}
	ok := fields(false, ":status", "200")
	for _, k := range []struct {
		name   string
		method string
		send   build
		code   frame.ErrCode
	}{
		{"no status", "GET", fields(true, "server", "x"), 0},
		{"status not first", "GET", fields(true, "server", "x", ":status", "200"), 0},
		{"status twice", "GET", fields(true, ":status", "200", ":status", "200"), 0},
		{"another pseudo-field", "GET", fields(true, ":status", "200", ":path", "/"), 0},
		{"status of two digits", "GET", fields(true, ":status", "20"), 0},
		{"status of four digits", "GET", fields(true, ":status", "2000"), 0},
		{"status below 100", "GET", fields(true, ":status", "099"), 0},
		{"status with a sign", "GET", fields(true, ":status", "+20"), 0},
		{"status 101", "GET", fields(false, ":status", "101"), 0},
		{"upper-case name", "GET", fields(true, ":status", "200", "Server", "x"), 0},
		{"empty name", "GET", fields(true, ":status", "200", "", "x"), 0},
		{"blank in a name", "GET", fields(true, ":status", "200", "a b", "x"), 0},
		{"line end in a value", "GET", fields(true, ":status", "200", "a", "x\r\nb: c"), 0},
		{"NUL in a value", "GET", fields(true, ":status", "200", "a", "x\x00"), 0},
		{"connection", "GET", fields(true, ":status", "200", "connection", "close"), 0},
		{"keep-alive", "GET", fields(true, ":status", "200", "keep-alive", "5"), 0},
		{"proxy-connection", "GET", fields(true, ":status", "200", "proxy-connection", "x"), 0},
		{"transfer-encoding", "GET", fields(false, ":status", "200", "transfer-encoding", "chunked"), 0},
		{"upgrade", "GET", fields(true, ":status", "200", "upgrade", "h2c"), 0},
		{"content-length twice", "GET", fields(false, ":status", "200", "content-length", "5", "content-length", "5"), 0},
		{"content-length with a sign", "GET", fields(false, ":status", "200", "content-length", "+5"), 0},
		{"empty content-length", "GET", fields(false, ":status", "200", "content-length", ""), 0},
		{"huge content-length", "GET", fields(false, ":status", "200", "content-length", "9999999999999999999"), 0},
		{"content-length without a body", "GET", fields(true, ":status", "200", "content-length", "5"), 0},
		{"body too short", "GET", join(fields(false, ":status", "200", "content-length", "5"), data(4, true)), 0},
		{"body too long", "GET", join(fields(false, ":status", "200", "content-length", "5"), data(6, false)), 0},
		{"body too short before trailers", "GET", join(fields(false, ":status", "200", "content-length", "5"), data(4, false), fields(true, "a", "b")), 0},
		{"body of HEAD", "HEAD", join(ok, data(1, true)), 0},
		{"body of 204", "GET", join(fields(false, ":status", "204"), data(1, true)), 0},
		{"body of 304", "GET", join(fields(false, ":status", "304"), data(1, true)), 0},
		{"DATA first", "GET", data(1, false), 0},
		{"DATA behind an interim head", "GET", join(fields(false, ":status", "103"), data(1, false)), 0},
		{"interim head ends the stream", "GET", fields(true, ":status", "103"), 0},
		{"second head", "GET", join(ok, fields(false, ":status", "200")), 0},
		{"status in trailers", "GET", join(ok, fields(true, ":status", "200")), 0},
		{"trailers without an end", "GET", join(ok, data(1, false), fields(false, "a", "b")), 0},
		{"connection in trailers", "GET", join(ok, data(1, false), fields(true, "connection", "b")), 0},
		{"upper case in trailers", "GET", join(ok, data(1, false), fields(true, "A", "b")), 0},
		{"WINDOW_UPDATE of nothing", "GET", func(_ *server, id uint32) []byte { return frame.AppendWindowUpdate(nil, id, 0) }, 0},
		{"window overflow", "POST", func(_ *server, id uint32) []byte { return frame.AppendWindowUpdate(nil, id, maxWindow) }, frame.FlowControlError},
		{"head over the limit", "GET", fields(true, ":status", "200", "a", strings.Repeat("x", 3000)), frame.EnhanceYourCalm},
		{"too many interim heads", "GET", func(sv *server, id uint32) []byte {
			return bytes.Repeat(sv.headers(id, false, ":status", "103"), maxInterim+1)
		}, 0},
		{"interim heads over the limit", "GET", func(sv *server, id uint32) []byte {
			return bytes.Repeat(sv.headers(id, false, ":status", "103", "link", strings.Repeat("x", 500)), 10)
		}, frame.EnhanceYourCalm},
		{"frames behind the end", "POST", join(fields(true, ":status", "200"), data(0, true)), frame.StreamClosed},
		{"HEADERS behind the end", "POST", join(fields(true, ":status", "200"), fields(true, "a", "b")), frame.StreamClosed},
	} {
		t.Run(k.name, func(t *testing.T) {
			c, sv := script(t, Options{MaxHead: 2000})
			s := open(t, c, request(k.method, "/"), OpenOptions{ContentLength: message.LengthUnknown, End: k.method != "POST"})
			id, _ := sv.request()
			sv.write(k.send(sv, id))
			code := k.code
			if code == 0 {
				code = frame.ProtocolError
			}
			sv.wantReset(id, code)
			if code != frame.StreamClosed { // then the response was right as far as it went
				if e := failure(t, s); e.Cause != Malformed && e.Cause != TooLarge || e.Code != code {
					t.Errorf("cause %d, code %v: %v", e.Cause, e.Code, e)
				}
			}
			if s.Unprocessed() {
				t.Error("the request counts as not processed")
			}
			s.Release()
			sv.serves(c)
		})
	}
}

// A breach of the connection's rules ends it with a code.
func TestABreachEndsTheConnection(t *testing.T) {
	raw := func(h frame.Header, p ...byte) []byte {
		h.Length = uint32(len(p))
		return append(frame.AppendHeader(nil, h), p...)
	}
	settings := func(id frame.SettingID, value uint32) []byte {
		return frame.AppendSettings(nil, frame.Setting{ID: id, Value: value})
	}
	for _, k := range []struct {
		name string
		send []byte
		code frame.ErrCode
	}{
		{"frame too large", frame.AppendHeader(nil, frame.Header{Length: frameSize + 1, Type: frame.Data, Stream: 1}), frame.FrameSizeError},
		{"PUSH_PROMISE", raw(frame.Header{Type: frame.PushPromise, Stream: 1, Flags: frame.FlagEndHeaders}, 0, 0, 0, 2), frame.ProtocolError},
		{"DATA on stream 0", raw(frame.Header{Type: frame.Data}), frame.ProtocolError},
		{"DATA on an idle stream", raw(frame.Header{Type: frame.Data, Stream: 99}, 0), frame.ProtocolError},
		{"DATA on an even stream", raw(frame.Header{Type: frame.Data, Stream: 2}, 0), frame.ProtocolError},
		{"HEADERS on an idle stream", raw(frame.Header{Type: frame.Headers, Stream: 99, Flags: frame.FlagEndHeaders}), frame.ProtocolError},
		{"RST_STREAM on an idle stream", frame.AppendRSTStream(nil, 99, frame.Cancel), frame.ProtocolError},
		{"RST_STREAM too short", raw(frame.Header{Type: frame.RSTStream, Stream: 1}, 0), frame.FrameSizeError},
		{"WINDOW_UPDATE on an idle stream", frame.AppendWindowUpdate(nil, 99, 1), frame.ProtocolError},
		{"WINDOW_UPDATE of nothing", frame.AppendWindowUpdate(nil, 0, 0), frame.ProtocolError},
		{"the connection's window overflows", frame.AppendWindowUpdate(nil, 0, maxWindow), frame.FlowControlError},
		{"padding longer than the frame", raw(frame.Header{Type: frame.Data, Stream: 1, Flags: frame.FlagPadded}, 5, 0), frame.ProtocolError},
		{"CONTINUATION alone", raw(frame.Header{Type: frame.Continuation, Stream: 1}), frame.ProtocolError},
		{"a frame inside a field block", append(raw(frame.Header{Type: frame.Headers, Stream: 1}), frame.AppendPing(nil, false, [8]byte{})...), frame.ProtocolError},
		{"CONTINUATION of another stream", append(raw(frame.Header{Type: frame.Headers, Stream: 1}), raw(frame.Header{Type: frame.Continuation, Stream: 3})...), frame.ProtocolError},
		{"a broken field block", raw(frame.Header{Type: frame.Headers, Stream: 1, Flags: frame.FlagEndHeaders}, 0xff), frame.CompressionError},
		{"SETTINGS of a wrong length", raw(frame.Header{Type: frame.Settings}, 0), frame.FrameSizeError},
		{"SETTINGS on a stream", raw(frame.Header{Type: frame.Settings, Stream: 1}), frame.ProtocolError},
		{"push is enabled", settings(frame.EnablePush, 1), frame.ProtocolError},
		{"window of SETTINGS overflows", settings(frame.InitialWindowSize, 1<<31), frame.FlowControlError},
		{"frame size of SETTINGS too small", settings(frame.MaxFrameSize, 100), frame.ProtocolError},
		{"extended CONNECT is taken back", append(settings(frame.EnableConnectProtocol, 1), settings(frame.EnableConnectProtocol, 0)...), frame.ProtocolError},
		{"PING of a wrong length", raw(frame.Header{Type: frame.Ping}, 1, 2, 3), frame.FrameSizeError},
		{"PING on a stream", raw(frame.Header{Type: frame.Ping, Stream: 1}, 1, 2, 3, 4, 5, 6, 7, 8), frame.ProtocolError},
		{"GOAWAY on a stream", raw(frame.Header{Type: frame.GoAway, Stream: 1}, 0, 0, 0, 0, 0, 0, 0, 0), frame.ProtocolError},
	} {
		t.Run(k.name, func(t *testing.T) {
			c, sv := script(t, Options{})
			s := get(t, c, "/")
			sv.request()
			sv.write(k.send)
			sv.wantGoAway(k.code)
			if e := failure(t, s); e.Cause != Broken || e.Code != k.code {
				t.Errorf("cause %d, code %v: %v", e.Cause, e.Code, e)
			}
			if c.Healthy() || c.Room() != 0 || c.Reserve() {
				t.Error("the connection still takes requests")
			}
			if _, err := c.Open(request("GET", "/"), &message.Fields{}, OpenOptions{End: true}); err != ErrClosed {
				t.Errorf("open says %v", err)
			}
		})
	}
}

func TestTheFirstFrameHasToBeSettings(t *testing.T) {
	for name, first := range map[string][]byte{
		"PING":            frame.AppendPing(nil, false, [8]byte{}),
		"acknowledgement": frame.AppendSettingsAck(nil),
		"HTTP/1":          []byte("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			a, b := socketPair(t)
			c := watch(t, New(a, Options{}))
			s := get(t, c, "/")
			if _, err := b.Write(first); err != nil {
				t.Fatal(err)
			}
			if e := failure(t, s); e.Cause != Broken {
				t.Errorf("got %v", e)
			}
		})
	}
}

// What is odd but allowed passes.
func TestOddFramesAreTaken(t *testing.T) {
	c, sv := script(t, Options{})
	s := get(t, c, "/")
	id, _ := sv.request()
	block := sv.block(":status", "200", "a", " padded\t", "content-length", "6")
	out := append(frame.AppendHeader(nil, frame.Header{Type: frame.Headers, Length: 1 + 5 + 2 + 3, Stream: id, Flags: frame.FlagPadded | frame.FlagPriority}), 3)
	out = append(append(append(out, 0, 0, 0, byte(id), 7), block[:2]...), 0, 0, 0)
	out = append(out, frame.AppendHeader(nil, frame.Header{Type: frame.Continuation, Stream: id})...)
	out = append(out, frame.AppendHeader(nil, frame.Header{Type: frame.Continuation, Stream: id, Flags: frame.FlagEndHeaders, Length: uint32(len(block) - 2)})...)
	out = append(out, block[2:]...)
	out = append(out, frame.AppendHeader(nil, frame.Header{Type: 0x77, Stream: id, Length: 3})...) // unknown
	out = append(out, 1, 2, 3)
	out = append(out, frame.AppendHeader(nil, frame.Header{Type: frame.Data, Stream: id})...) // empty
	out = append(out, frame.AppendHeader(nil, frame.Header{Type: frame.Data, Stream: id, Flags: frame.FlagPadded, Length: 6})...)
	out = append(out, 2, 'a', 'b', 'c', 0, 0)
	out = append(out, frame.AppendSettings(nil, frame.Setting{ID: 0x99, Value: 5})...) // unknown
	out = appendData(out, id, []byte("def"), false)
	out = append(out, sv.headers(id, true, "x-trailer", "1", "content-length", "dropped", "set-cookie", "dropped", "grpc-status", "0")...)
	for _, b := range out { // byte by byte: nothing depends on how it is cut
		sv.write([]byte{b})
	}
	resp, body := finalHead(t, s), make([]byte, 0)
	for {
		p, err := s.Next()
		if err != nil {
			break
		}
		body = append(body, p...)
	}
	if a, _ := resp.Fields.Lookup("a"); string(a) != "padded" || string(body) != "abcdef" || resp.BodyLength != 6 {
		t.Errorf("got %q, body %q, length %d", a, body, resp.BodyLength)
	}
	var names []string
	for _, f := range s.Trailers().List() {
		names = append(names, string(f.Name))
	}
	if strings.Join(names, " ") != "x-trailer grpc-status" {
		t.Errorf("trailers %q", names)
	}
	s.Release()
	sv.serves(c)
}
