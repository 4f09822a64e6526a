package compression

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"pingap/plugins"
	"pingap/plugins/plugintest"
)

func encoded(t testing.TB, c coding, level int, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	e := newEncoder(c, level)
	e.Reset(&b)
	_, err := e.Write(body)
	if err = errors.Join(err, e.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func decoder(t testing.TB, table string, c coding) plugins.Filter {
	t.Helper()
	x := plugintest.Build(t, Factory(), "decompression = true\n"+table)
	f, _ := begin(t, x, "GET /\nAccept-Encoding: identity", "200 OK\nContent-Encoding: "+string(codingNames[c]))
	if f == nil {
		t.Fatal("not taken")
	}
	return f
}

func TestDecodesInAnyPieces(t *testing.T) {
	for c := identity + 1; c < codings; c++ {
		for _, n := range []int{0, 1, 1000, 500_000} {
			body := page(n)
			in := encoded(t, c, 6, body)
			for _, size := range []int{1, 10, 4096, len(in) + 1} {
				if got := pass(t, decoder(t, "", c), in, size); !bytes.Equal(got, body) {
					t.Errorf("%s: %d bytes in pieces of %d: %d others", codingNames[c], n, size, len(got))
				}
			}
		}
		if got := pass(t, decoder(t, "", c), nil, 1); len(got) > 0 {
			t.Errorf("%s: %q of nothing", codingNames[c], got)
		}
	}
}

func TestMembersOfAGzipBodyAreAllDecoded(t *testing.T) {
	in := append(encoded(t, gzipCoding, 1, []byte("hello ")), encoded(t, gzipCoding, 9, []byte("world"))...)
	if got := pass(t, decoder(t, "", gzipCoding), in, 3); string(got) != "hello world" {
		t.Errorf("got %q", got)
	}
}

func TestWhatWasFlushedIsDecodedAtOnce(t *testing.T) {
	for c := identity + 1; c < codings; c++ {
		var b bytes.Buffer
		e := newEncoder(c, 4)
		e.Reset(&b)
		f := decoder(t, "", c)
		for i := range 20 {
			event := fmt.Sprintf("event %d", i)
			_, err := io.WriteString(e, event)
			if err = errors.Join(err, e.Flush()); err != nil {
				t.Fatal(err)
			}
			got, err := f.Filter(nil, b.Bytes(), false)
			if err != nil || string(got) != event {
				t.Fatalf("%s: %q, %v", codingNames[c], got, err)
			}
			b.Reset()
		}
	}
}

func TestBombsAreCutOff(t *testing.T) {
	zeros := make([]byte, 20<<20)
	cases := []struct {
		name, table string
		body        []byte
		want        error
	}{
		{"dense", "", zeros, errTooDense},
		{"dense and allowed", "decompression_max_ratio = 100000", zeros, nil},
		{"dense and short", "", zeros[:1<<20], nil},
		{"long", "decompression_max_size = \"1mib\"", page(1<<20 + 1), errTooLong},
		{"as long as may be", "decompression_max_size = \"1mib\"", page(1 << 20), nil},
	}
	for c := identity + 1; c < codings; c++ {
		for _, tc := range cases {
			in, f := encoded(t, c, 3, tc.body), decoder(t, tc.table, c)
			out, err := f.Filter(nil, in, false)
			if err == nil {
				var rest []byte
				rest, err = f.Filter(nil, nil, true)
				out = append(out, rest...)
			}
			if !errors.Is(err, tc.want) {
				t.Errorf("%s, %s: %v", codingNames[c], tc.name, err)
			}
			if tc.want != nil && len(out) > max(innocent, 200*len(in))+outStep {
				t.Errorf("%s, %s: %d bytes before the end", codingNames[c], tc.name, len(out))
			}
			if _, again := f.Filter(nil, nil, true); !errors.Is(again, tc.want) {
				t.Errorf("%s, %s: goes on", codingNames[c], tc.name)
			}
		}
	}
}

func TestBrokenBodiesAreCutOff(t *testing.T) {
	body := page(50_000)
	for c := identity + 1; c < codings; c++ {
		in := encoded(t, c, 6, body)
		middle := bytes.Clone(in)
		for i := range 200 {
			middle[len(middle)/2+i] ^= 0x55
		}
		for name, broken := range map[string][]byte{"truncated": in[:len(in)-9], "no such coding": body, "in the middle": middle} {
			f := decoder(t, "", c)
			_, err := f.Filter(nil, broken, false)
			if err == nil {
				_, err = f.Filter(nil, nil, true)
			}
			if err == nil && !(c == zstdCoding && name == "in the middle") { // a zstd body without a checksum may decode to something else
				t.Errorf("%s, %s: no error", codingNames[c], name)
			}
		}
	}
}

func TestADecoderEndsAtAnyPoint(t *testing.T) {
	for c := identity + 1; c < codings; c++ {
		in := encoded(t, c, 6, page(50_000))
		for _, n := range []int{0, 1, 5, 1000, len(in)} {
			x := plugintest.Build(t, Factory(), "decompression = true\nmax_memory = \"20mib\"")
			for range 5 { // more than there is room for at once
				e := plugintest.New(t, "GET /")
				plugintest.SetResponse(t, e, "200 OK\nContent-Encoding: "+string(codingNames[c]))
				f := x.BodyFilterer.BodyFilter(e)
				if f == nil {
					t.Fatal("memory was not given back")
				}
				if _, err := f.Filter(nil, in[:n], false); err != nil {
					t.Fatal(err)
				}
				f.(plugins.Ender).End(false)
			}
		}
	}
}

func TestWindowsAreBounded(t *testing.T) {
	body := page(1 << 20)
	for window, ok := range map[int]bool{8 << 20: true, 16 << 20: false} {
		var b bytes.Buffer
		e, err := zstd.NewWriter(&b, zstd.WithWindowSize(window), zstd.WithEncoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		_, err = e.Write(body)
		if err = errors.Join(err, e.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := decoder(t, "", zstdCoding).Filter(nil, b.Bytes(), true); (err == nil) != ok {
			t.Errorf("zstd with a window of %d: %v", window, err)
		}
	}
	for lgwin, ok := range map[int]bool{22: true, 24: false} { // 5 MiB and 17 MiB
		var b bytes.Buffer
		e := brotli.NewWriterOptions(&b, brotli.WriterOptions{Quality: 4, LGWin: lgwin})
		_, err := e.Write(body)
		if err = errors.Join(err, e.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := decoder(t, "max_memory = \"10mib\"", brotliCoding).Filter(nil, b.Bytes(), true); (err == nil) != ok || !ok && !errors.Is(err, errMemory) {
			t.Errorf("brotli with a window of 2^%d: %v", lgwin, err)
		}
	}
}

// Whatever comes as an encoded body, decoding ends, within the bounds.
func FuzzDecode(f *testing.F) {
	for c := identity + 1; c < codings; c++ {
		f.Add(encoded(f, c, 3, page(200)), uint8(c), uint16(7))
		f.Add([]byte("no such coding"), uint8(c), uint16(1000))
		f.Add(encoded(f, c, 3, make([]byte, 3<<19)), uint8(c), uint16(100))
	}
	f.Fuzz(func(t *testing.T, body []byte, which uint8, size uint16) {
		c := identity + 1 + coding(which%3)
		d := decoder(t, "decompression_max_size = \"1mib\"", c)
		var made int
		for len(body) > 0 {
			n := min(len(body), 1+int(size))
			out, err := d.Filter(nil, body[:n], n == len(body))
			if made += len(out); made > 1<<20+outStep {
				t.Fatalf("%d bytes", made)
			}
			if err != nil {
				return
			}
			body = body[n:]
		}
	})
}
