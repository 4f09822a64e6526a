package frame

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestHeadersOfFramesSurvive(t *testing.T) {
	for _, h := range []Header{{}, {Length: MaxMaxFrame, Type: 255, Flags: 255, Stream: MaxStream}, {Length: 0x010203, Type: Headers, Flags: 5, Stream: 0x01020304}} {
		raw := AppendHeader(nil, h)
		put := make([]byte, HeaderLen)
		PutHeader(put, h)
		if len(raw) != HeaderLen || !bytes.Equal(raw, put) || ParseHeader(raw) != h {
			t.Errorf("%+v is %x, or %x", h, raw, put)
		}
		raw[5] |= 0x80
		if ParseHeader(raw) != h {
			t.Errorf("the reserved bit of %+v is not ignored", h)
		}
	}
}

// take reads one whole frame and what is in it, as an engine does.
func take(raw []byte, max uint32) (Header, int, error) {
	h, p, n, err := Next(raw, max)
	if n == 0 || err != nil {
		return h, n, err
	}
	switch h.Type {
	case Data:
		_, err = ParseData(h, p)
	case Headers:
		_, err = ParseHeaders(h, p)
	case Priority:
		_, err = ParsePriority(h, p)
	case RSTStream:
		ParseRSTStream(p)
	case Settings:
		for len(p) > 0 && err == nil {
			_, p, err = NextSetting(p)
		}
	case Ping:
		ParsePing(p)
	case GoAway:
		ParseGoAway(p)
	case WindowUpdate:
		_, err = ParseWindowUpdate(h, p)
	case PriorityUpdate:
		_, _, err = ParsePriorityUpdate(p)
	}
	return h, n, err
}

// raw makes a frame.
func raw(typ Type, flags Flags, stream uint32, payload string) []byte {
	return append(AppendHeader(nil, Header{Length: uint32(len(payload)), Type: typ, Flags: flags, Stream: stream}), payload...)
}

func TestFramesThatMustNotBeAreRefusedAsTheRFCSays(t *testing.T) {
	long := strings.Repeat("x", MinMaxFrame+1)
	for _, c := range []struct {
		what   string
		frame  []byte
		stream uint32
		code   ErrCode
	}{
		{"a DATA frame that is too large", raw(Data, 0, 1, long), 0, FrameSizeError},
		{"an unknown frame that is too large", raw(0x77, 0, 1, long), 0, FrameSizeError},
		{"DATA without a stream", raw(Data, 0, 0, "x"), 0, ProtocolError},
		{"HEADERS without a stream", raw(Headers, 0, 0, "x"), 0, ProtocolError},
		{"CONTINUATION without a stream", raw(Continuation, 0, 0, "x"), 0, ProtocolError},
		{"PRIORITY without a stream", raw(Priority, 0, 0, "\x00\x00\x00\x03x"), 0, ProtocolError},
		{"RST_STREAM without a stream", raw(RSTStream, 0, 0, "xxxx"), 0, ProtocolError},
		{"SETTINGS on a stream", raw(Settings, 0, 1, ""), 0, ProtocolError},
		{"PING on a stream", raw(Ping, 0, 1, "12345678"), 0, ProtocolError},
		{"GOAWAY on a stream", raw(GoAway, 0, 1, "12345678"), 0, ProtocolError},
		{"PRIORITY_UPDATE on a stream", raw(PriorityUpdate, 0, 1, "\x00\x00\x00\x01"), 0, ProtocolError},
		{"padding without a length", raw(Data, FlagPadded, 1, ""), 0, FrameSizeError},
		{"padding as long as the frame", raw(Data, FlagPadded, 1, "\x03xx"), 0, ProtocolError},
		{"padding of HEADERS as long as the frame", raw(Headers, FlagPadded, 1, "\x01"), 0, ProtocolError},
		{"HEADERS that end in their priority", raw(Headers, FlagPriority, 1, "\x00\x00\x00\x03"), 0, FrameSizeError},
		{"padding that reaches into the priority", raw(Headers, FlagPriority|FlagPadded, 1, "\x01\x00\x00\x00\x03x"), 0, FrameSizeError},
		{"HEADERS that depend on themselves", raw(Headers, FlagPriority, 3, "\x80\x00\x00\x03x"), 3, ProtocolError},
		{"a PRIORITY on itself", raw(Priority, 0, 3, "\x00\x00\x00\x03x"), 3, ProtocolError},
		{"a PRIORITY of 4 bytes", raw(Priority, 0, 3, "xxxx"), 3, FrameSizeError},
		{"a RST_STREAM of 3 bytes", raw(RSTStream, 0, 3, "xxx"), 0, FrameSizeError},
		{"a SETTINGS of 5 bytes", raw(Settings, 0, 0, "xxxxx"), 0, FrameSizeError},
		{"an acknowledgement of 6 bytes", raw(Settings, FlagAck, 0, "xxxxxx"), 0, FrameSizeError},
		{"ENABLE_PUSH of 2", raw(Settings, 0, 0, "\x00\x02\x00\x00\x00\x02"), 0, ProtocolError},
		{"ENABLE_CONNECT_PROTOCOL of 2", raw(Settings, 0, 0, "\x00\x08\x00\x00\x00\x02"), 0, ProtocolError},
		{"NO_RFC7540_PRIORITIES of 2", raw(Settings, 0, 0, "\x00\x09\x00\x00\x00\x02"), 0, ProtocolError},
		{"a window of 2^31", raw(Settings, 0, 0, "\x00\x04\x80\x00\x00\x00"), 0, FlowControlError},
		{"a frame size of 2^14-1", raw(Settings, 0, 0, "\x00\x05\x00\x00\x3f\xff"), 0, ProtocolError},
		{"a frame size of 2^24", raw(Settings, 0, 0, "\x00\x05\x01\x00\x00\x00"), 0, ProtocolError},
		{"a bad setting behind a good one", raw(Settings, 0, 0, "\x00\x02\x00\x00\x00\x01\x00\x02\x00\x00\x00\x02"), 0, ProtocolError},
		{"a PING of 7 bytes", raw(Ping, 0, 0, "1234567"), 0, FrameSizeError},
		{"a GOAWAY of 7 bytes", raw(GoAway, 0, 0, "1234567"), 0, FrameSizeError},
		{"a WINDOW_UPDATE of 5 bytes", raw(WindowUpdate, 0, 0, "12345"), 0, FrameSizeError},
		{"a WINDOW_UPDATE of nothing", raw(WindowUpdate, 0, 0, "\x80\x00\x00\x00"), 0, ProtocolError},
		{"a WINDOW_UPDATE of nothing for a stream", raw(WindowUpdate, 0, 5, "\x00\x00\x00\x00"), 5, ProtocolError},
		{"a PRIORITY_UPDATE of 3 bytes", raw(PriorityUpdate, 0, 0, "xxx"), 0, FrameSizeError},
		{"a PRIORITY_UPDATE for no stream", raw(PriorityUpdate, 0, 0, "\x00\x00\x00\x00u=1"), 0, ProtocolError},
	} {
		_, _, err := take(c.frame, MinMaxFrame)
		var e *Error
		if !errors.As(err, &e) || e.Stream != c.stream || e.Code != c.code || !strings.Contains(e.Error(), c.code.String()) {
			t.Errorf("%s: %v, want %s on stream %d", c.what, err, c.code, c.stream)
		}
	}
}

func TestGoodFramesAreTakenHoweverTheyCome(t *testing.T) {
	all := [][]byte{
		raw(Data, FlagPadded|FlagEndStream, 1, "\x02abxx"), raw(Data, 0, 1, ""), raw(Headers, FlagPriority|FlagPadded, 1, "\x00\x80\x00\x00\x03x"),
		raw(0x77, 0xff, 7, "anything"), raw(Settings, FlagAck, 0, ""), AppendSettings(nil, Setting{MaxFrameSize, 1 << 14}, Setting{0x4242, 1 << 31}),
		AppendPing(nil, true, [8]byte{1}), AppendGoAway(nil, 7, EnhanceYourCalm, "slow down"), AppendRSTStream(nil, 3, Cancel),
		AppendWindowUpdate(nil, 3, 1), AppendPriorityUpdate(nil, 3, "u=1"), AppendSettingsAck(nil), raw(Data, 0, 1, strings.Repeat("x", MinMaxFrame)),
	}
	for _, f := range all {
		for _, behind := range []string{"", "more"} {
			if _, n, err := take(append(bytes.Clone(f), behind...), MinMaxFrame); n != len(f) || err != nil {
				t.Errorf("%x is %d bytes, %v", f[:HeaderLen], n, err)
			}
		}
		if _, n, err := take(f[:len(f)-1], MinMaxFrame); n != 0 || err != nil {
			t.Errorf("the start of %x is %d bytes, %v", f[:HeaderLen], n, err)
		}
	}
}

func TestWhatIsInAFrameComesOut(t *testing.T) {
	h, p, _, _ := Next(raw(Data, FlagPadded, 1, "\x02abxx"), MinMaxFrame)
	if data, err := ParseData(h, p); string(data) != "ab" || err != nil {
		t.Errorf("data %q, %v", data, err)
	}
	h, p, _, _ = Next(raw(Headers, FlagPadded|FlagPriority, 3, "\x01\x80\x00\x00\x03wblockx"), MinMaxFrame)
	block, err := ParseHeaders(h, p)
	var e *Error
	if string(block) != "block" || !errors.As(err, &e) || e.Stream != 3 {
		t.Errorf("a block that must be decoded is %q, %v", block, err)
	}
	h, p, _, _ = Next(raw(Priority, 0, 3, "\x80\x00\x00\x05\xff"), MinMaxFrame)
	if d, err := ParsePriority(h, p); d != (Dependency{Stream: 5, Exclusive: true, Weight: 255}) || err != nil {
		t.Errorf("%+v, %v", d, err)
	}
	_, p, _, _ = Next(AppendGoAway(nil, 7, Cancel, "why"), MinMaxFrame)
	if last, code, debug := ParseGoAway(p); last != 7 || code != Cancel || string(debug) != "why" {
		t.Errorf("%d %s %q", last, code, debug)
	}
	_, p, _, _ = Next(AppendRSTStream(nil, 7, RefusedStream), MinMaxFrame)
	if code := ParseRSTStream(p); code != RefusedStream {
		t.Error(code)
	}
	h, p, _, _ = Next(AppendWindowUpdate(nil, 7, MaxWindow), MinMaxFrame)
	if n, err := ParseWindowUpdate(h, p); n != MaxWindow || err != nil || h.Stream != 7 {
		t.Error(h, n, err)
	}
	h, p, _, _ = Next(AppendPing(nil, true, [8]byte{1}), MinMaxFrame)
	if ParsePing(p)[0] != 1 || !h.Flags.Has(FlagAck) {
		t.Error(h, p)
	}
	_, p, _, _ = Next(AppendPriorityUpdate(nil, 9, "u=1, i"), MinMaxFrame)
	if stream, value, err := ParsePriorityUpdate(p); stream != 9 || string(value) != "u=1, i" || err != nil {
		t.Error(stream, value, err)
	}
	_, p, _, _ = Next(AppendSettings(nil, Setting{EnablePush, 0}, Setting{MaxHeaderListSize, 1<<32 - 1}), MinMaxFrame)
	one, p, err1 := NextSetting(p)
	two, p, err2 := NextSetting(p)
	if one != (Setting{EnablePush, 0}) || two != (Setting{MaxHeaderListSize, 1<<32 - 1}) || len(p) > 0 || err1 != nil || err2 != nil {
		t.Error(one, two, p, err1, err2)
	}
}

func TestAFieldBlockIsSplitAtTheFrameSize(t *testing.T) {
	for _, size := range []int{0, 1, 99, 100, 101, 199, 200, 201, 1000} {
		for _, end := range []bool{false, true} {
			block := make([]byte, size)
			for i := range block {
				block[i] = byte(i * 31)
			}
			out := AppendHeaders([]byte("before"), 5, block, end, 100)
			var back []byte
			rest := out[len("before"):]
			for i := 0; len(rest) > 0; i++ {
				h, p, n, err := Next(rest, 100)
				rest = rest[n:]
				back = append(back, p...)
				want := Header{Length: uint32(len(p)), Type: Continuation, Stream: 5}
				if i == 0 {
					want.Type = Headers
					if end {
						want.Flags = FlagEndStream
					}
				}
				if len(rest) == 0 {
					want.Flags |= FlagEndHeaders
				}
				if err != nil || n == 0 || h != want || len(rest) > 0 && len(p) != 100 {
					t.Fatalf("block of %d, frame %d: %+v, want %+v, %v", size, i, h, want, err)
				}
			}
			if !bytes.Equal(back, block) || string(out[:6]) != "before" {
				t.Errorf("a block of %d comes out as %d bytes, %q", size, len(back), out[:6])
			}
		}
	}
}

func TestNamesAreThoseOfTheRFC(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{NoError.String(), "NO_ERROR"}, {HTTP11Required.String(), "HTTP_1_1_REQUIRED"}, {CompressionError.String(), "COMPRESSION_ERROR"},
		{ErrCode(0xe).String(), "0xe"}, {ErrCode(1<<32 - 1).String(), "0xffffffff"},
		{Continuation.String(), "CONTINUATION"}, {PriorityUpdate.String(), "PRIORITY_UPDATE"}, {Type(0xa).String(), "0xa"},
	} {
		if c.got != c.want {
			t.Errorf("%s, want %s", c.got, c.want)
		}
	}
}

func TestFramesCostNoMemory(t *testing.T) {
	out := make([]byte, 0, 1<<16)
	block := make([]byte, 300)
	settings := []Setting{{EnablePush, 0}, {MaxFrameSize, 1 << 14}}
	n := testing.AllocsPerRun(100, func() {
		out = AppendSettings(out[:0], settings...)
		out = AppendHeaders(out, 1, block, true, 100)
		out = AppendWindowUpdate(AppendPing(out, false, [8]byte{}), 0, 1)
		for rest := out; len(rest) > 0; {
			_, n, err := take(rest, MinMaxFrame)
			if n == 0 || err != nil {
				t.Fatal(n, err)
			}
			rest = rest[n:]
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzFrames(f *testing.F) {
	f.Add(raw(Data, FlagPadded, 1, "\x02abxx"), 3)
	f.Add(raw(Headers, FlagPadded|FlagPriority, 3, "\x01\x80\x00\x00\x03wblockx"), 9)
	f.Add(AppendGoAway(AppendSettings(nil, Setting{MaxFrameSize, 1 << 14}), 7, Cancel, "why"), 20)
	f.Add(AppendPriorityUpdate(AppendPing(AppendWindowUpdate(nil, 1, 7), true, [8]byte{}), 1, "u=1"), 12)
	f.Add(AppendRSTStream(raw(Priority, 0, 3, "\x80\x00\x00\x05\xff"), 3, Cancel), 1)
	f.Add(AppendHeaders(nil, 1, make([]byte, 40), true, 16), 1)
	f.Fuzz(func(t *testing.T, buf []byte, at int) {
		at = min(max(at, 0), len(buf))
		for rest := buf; ; {
			h, n, err := take(rest, 1<<10)
			early, m, earlyErr := take(rest[:min(at, len(rest))], 1<<10)
			if n < 0 || n > len(rest) || n > HeaderLen+1<<10 || m != 0 && (m != n || early != h) || earlyErr != nil && err == nil {
				t.Fatalf("%x: %+v, %d, %v; its start: %+v, %d, %v", rest, h, n, err, early, m, earlyErr)
			}
			if n == 0 || err != nil {
				return
			}
			rest = rest[n:]
		}
	})
}
