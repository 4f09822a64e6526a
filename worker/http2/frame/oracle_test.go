package frame

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"golang.org/x/net/http2"
)

// What we write is what a reader that others wrote takes.
func TestOthersReadOurFrames(t *testing.T) {
	out := AppendSettings(nil, Setting{InitialWindowSize, MaxWindow}, Setting{EnableConnectProtocol, 1})
	out = AppendSettingsAck(out)
	out = AppendPing(out, true, [8]byte{1, 2})
	out = AppendGoAway(out, MaxStream, EnhanceYourCalm, "why")
	out = AppendRSTStream(out, 3, RefusedStream)
	out = AppendWindowUpdate(out, 3, 77)
	out = AppendHeaders(out, 5, bytes.Repeat([]byte{0x82}, 250), true, 100)
	out = append(AppendHeader(out, Header{Length: 2, Type: Data, Flags: FlagEndStream, Stream: 7}), "ab"...)
	framer := http2.NewFramer(io.Discard, bytes.NewReader(out))
	var got []string
	for {
		f, err := framer.ReadFrame()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, f.Header().String()+describe(f))
	}
	want := []string{
		"[FrameHeader SETTINGS len=12] [INITIAL_WINDOW_SIZE = 2147483647] [ENABLE_CONNECT_PROTOCOL = 1]",
		"[FrameHeader SETTINGS flags=ACK len=0]", "[FrameHeader PING flags=ACK len=8] 0102000000000000",
		"[FrameHeader GOAWAY len=11] 2147483647 ENHANCE_YOUR_CALM why", "[FrameHeader RST_STREAM stream=3 len=4] REFUSED_STREAM",
		"[FrameHeader WINDOW_UPDATE stream=3 len=4] 77", "[FrameHeader HEADERS flags=END_STREAM stream=5 len=100] 100 false",
		"[FrameHeader CONTINUATION stream=5 len=100] 100 false", "[FrameHeader CONTINUATION flags=END_HEADERS stream=5 len=50] 50 true",
		"[FrameHeader DATA flags=END_STREAM stream=7 len=2] ab",
	}
	if len(got) != len(want) {
		t.Fatalf("%d frames: %q", len(got), got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("frame %d is\n%s, want\n%s", i, got[i], want[i])
		}
	}
}

func describe(f http2.Frame) string {
	switch f := f.(type) {
	case *http2.SettingsFrame:
		text := ""
		_ = f.ForeachSetting(func(s http2.Setting) error { text += " " + s.String(); return nil })
		return text
	case *http2.PingFrame:
		return fmt.Sprintf(" %x", f.Data)
	case *http2.GoAwayFrame:
		return fmt.Sprintf(" %d %s %s", f.LastStreamID, f.ErrCode, f.DebugData())
	case *http2.RSTStreamFrame:
		return " " + f.ErrCode.String()
	case *http2.WindowUpdateFrame:
		return fmt.Sprintf(" %d", f.Increment)
	case *http2.HeadersFrame:
		return fmt.Sprintf(" %d %t", len(f.HeaderBlockFragment()), f.HeadersEnded())
	case *http2.ContinuationFrame:
		return fmt.Sprintf(" %d %t", len(f.HeaderBlockFragment()), f.HeadersEnded())
	case *http2.DataFrame:
		return " " + string(f.Data())
	}
	return ""
}

// What others write is what we read.
func TestWeReadTheFramesOfOthers(t *testing.T) {
	var out bytes.Buffer
	framer := http2.NewFramer(&out, nil)
	for _, err := range []error{
		framer.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1 << 20}, http2.Setting{ID: 0xabc, Val: 9}),
		framer.WriteHeaders(http2.HeadersFrameParam{
			StreamID: 5, BlockFragment: []byte("block"), EndStream: true, EndHeaders: true, PadLength: 9,
			Priority: http2.PriorityParam{StreamDep: 3, Exclusive: true, Weight: 7},
		}),
		framer.WriteDataPadded(5, true, []byte("data"), make([]byte, 20)),
		framer.WritePriority(7, http2.PriorityParam{StreamDep: 5, Weight: 9}),
		framer.WriteRSTStream(5, http2.ErrCodeCancel),
		framer.WriteGoAway(7, http2.ErrCodeNo, []byte("bye")),
		framer.WriteWindowUpdate(0, 1000),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"SETTINGS 5=1048576 2748=9", "HEADERS block", "DATA data", "PRIORITY {5 false 9}", "RST_STREAM CANCEL", "GOAWAY 7 NO_ERROR bye", "WINDOW_UPDATE 1000"}
	rest := out.Bytes()
	for _, text := range want {
		h, p, n, err := Next(rest, MinMaxFrame)
		if err != nil || n == 0 {
			t.Fatal(n, err)
		}
		rest = rest[n:]
		if got := h.Type.String() + content(t, h, p); got != text {
			t.Errorf("%s, want %s", got, text)
		}
	}
}

func content(t *testing.T, h Header, p []byte) (text string) {
	t.Helper()
	var err error
	switch h.Type {
	case Settings:
		for len(p) > 0 {
			var s Setting
			s, p, err = NextSetting(p)
			text += fmt.Sprintf(" %d=%d", s.ID, s.Value)
		}
	case Headers:
		p, err = ParseHeaders(h, p)
		text = " " + string(p)
	case Data:
		p, err = ParseData(h, p)
		text = " " + string(p)
	case Priority:
		var d Dependency
		d, err = ParsePriority(h, p)
		text = fmt.Sprintf(" %v", d)
	case RSTStream:
		text = " " + ParseRSTStream(p).String()
	case GoAway:
		last, code, debug := ParseGoAway(p)
		text = fmt.Sprintf(" %d %s %s", last, code, debug)
	case WindowUpdate:
		var n uint32
		n, err = ParseWindowUpdate(h, p)
		text = fmt.Sprintf(" %d", n)
	}
	if err != nil {
		t.Error(err)
	}
	return text
}

func TestErrorCodesHaveTheNamesOthersKnow(t *testing.T) {
	for code := NoError; code <= HTTP11Required; code++ {
		if want := http2.ErrCode(code).String(); code.String() != want {
			t.Errorf("%d is %s, want %s", code, code, want)
		}
	}
}
