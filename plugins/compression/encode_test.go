package compression

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"pingap/plugins"
	"pingap/plugins/plugintest"
)

// pass sends a body through a filter, in pieces of a buffer that is used again, as the proxy does.
func pass(t testing.TB, f plugins.Filter, body []byte, size int) []byte {
	t.Helper()
	var sent []byte
	var err error
	buffer := make([]byte, size)
	for len(body) > 0 && err == nil {
		n := copy(buffer, body)
		body = body[n:]
		sent, err = f.Filter(sent, buffer[:n], false)
		clear(buffer)
	}
	if err == nil {
		sent, err = f.Filter(sent, nil, true)
	}
	if err != nil {
		t.Fatal(err)
	}
	return sent
}

// plain decodes with the decoders themselves.
func plain(t testing.TB, c coding, body []byte) []byte {
	t.Helper()
	got, err := io.ReadAll(reader(t, c, bytes.NewReader(body)))
	if err != nil {
		t.Fatalf("%s: %v", codingNames[c], err)
	}
	return got
}

func reader(t testing.TB, c coding, r io.Reader) io.Reader {
	t.Helper()
	var err error
	switch c {
	case zstdCoding:
		r, err = zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20))
	case brotliCoding:
		r = brotli.NewReader(r)
	case gzipCoding:
		r, err = gzip.NewReader(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// page is a page of about n bytes, the same for the same n.
func page(n int) []byte {
	words := strings.Fields(`the of proxy request <div class="row"> </div> response <a href="/docs/ connection "> </a> cache header <li> </li> upstream
		server location plugin body { "id": "name": }, null true 1024 0.25 value, each time with from that is not when`)
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	var b bytes.Buffer
	for b.Len() < n {
		b.WriteString(words[min(rng.IntN(len(words)), rng.IntN(len(words)))])
		fmt.Fprintf(&b, " %x ", rng.IntN(1<<uint(rng.IntN(20))))
		if rng.IntN(9) == 0 {
			b.WriteByte('\n')
		}
	}
	return b.Bytes()[:n]
}

func levels(c coding) []int {
	switch c {
	case zstdCoding:
		return []int{1, 3, 6, 9, 10, 22}
	case brotliCoding:
		return []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
	}
	return []int{1, 2, 3, 4, 5, 6, 7, 8, 9}
}

func key(c coding) string {
	return [codings]string{zstdCoding: "zstd_level", brotliCoding: "br_level", gzipCoding: "gzip_level"}[c]
}

func build1(t testing.TB, c coding, level int) *plugins.Instance {
	return plugintest.Build(t, Factory(), fmt.Sprintf("%s = %d\nmin_length = 0", key(c), level))
}

const text = "200 OK\nContent-Type: text/html"

func request(c coding) string { return "GET /\nAccept-Encoding: " + string(codingNames[c]) }

func TestEveryLevelGivesTheBodyBack(t *testing.T) {
	for c := identity + 1; c < codings; c++ {
		for _, level := range levels(c) {
			t.Run(fmt.Sprintf("%s %d", codingNames[c], level), func(t *testing.T) {
				x := build1(t, c, level)
				for _, n := range []int{0, 1, 100, 70_000, 300_000} {
					if raceEnabled && n > 70_000 {
						continue
					}
					if c == brotliCoding && level >= 10 && n > 100_000 {
						continue // seconds
					}
					f, e := begin(t, x, request(c), text)
					body := page(n)
					sent := pass(t, f, body, 1+n/7)
					if got := plain(t, c, sent); !bytes.Equal(got, body) {
						t.Fatalf("%d bytes came back as %d others", n, len(got))
					}
					if n == 300_000 && len(sent) > n/2 {
						t.Errorf("%d bytes became %d", n, len(sent))
					}
					if n > 0 && (e.CompressionRatio != int64(n)*10/int64(len(sent)) || e.CompressionTime <= 0) {
						t.Errorf("ratio %d, %d ns, of %d bytes to %d", e.CompressionRatio, e.CompressionTime, n, len(sent))
					}
				}
			})
		}
	}
}

func TestAFlushLetsTheClientReadAllThatCame(t *testing.T) {
	for c := identity + 1; c < codings; c++ {
		t.Run(string(codingNames[c]), func(t *testing.T) {
			f, _ := begin(t, build1(t, c, 5), request(c), "200 OK\nContent-Type: text/event-stream")
			in, out := io.Pipe()
			t.Cleanup(func() { out.Close() })
			sent := make(chan []byte)
			go func() { // ends with the channel
				for p := range sent {
					out.Write(p)
				}
				out.Close()
			}()
			var r io.Reader
			for i := range 50 {
				event := fmt.Appendf(nil, "data: event %d\n\n", i)
				p, err := f.Filter(nil, event, false)
				if err != nil {
					t.Fatal(err)
				}
				if p, err = f.(plugins.Flusher).Flush(p); err != nil || len(p) == 0 {
					t.Fatal(p, err)
				}
				if again, err := f.(plugins.Flusher).Flush(nil); err != nil || len(again) > 0 {
					t.Fatalf("a flush of nothing gave %q, %v", again, err)
				}
				sent <- p
				if r == nil {
					r = reader(t, c, in)
				}
				got := make([]byte, len(event))
				if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, event) {
					t.Fatalf("got %q, %v", got, err)
				}
			}
			p, err := f.Filter(nil, nil, true)
			if err != nil {
				t.Fatal(err)
			}
			sent <- p
			close(sent)
			if rest, err := io.ReadAll(r); err != nil || len(rest) > 0 {
				t.Errorf("rest %q, %v", rest, err)
			}
		})
	}
}

func TestMemoryInUseIsBoundedAndGivenBack(t *testing.T) {
	x := plugintest.Build(t, Factory(), "gzip_level = 6\nmax_memory = \"4mib\"") // two encoders
	var in []plugins.Filter
	for i := range 5 {
		e := plugintest.New(t, request(gzipCoding))
		plugintest.SetResponse(t, e, text+"\nETag: \"a\"")
		f := x.BodyFilterer.BodyFilter(e)
		if (f != nil) != (i < 2) {
			t.Fatalf("response %d: %v", i, f)
		}
		if f == nil {
			if got := plugintest.FieldText(e.Response.Fields.List()); got != "Content-Type: text/html\nETag: \"a\"\nVary: Accept-Encoding\n" {
				t.Errorf("passes with %s", got)
			}
			continue
		}
		in = append(in, f)
	}
	for _, f := range in {
		f.(plugins.Ender).End(false)
	}
	for range 10 {
		e := plugintest.New(t, request(gzipCoding))
		plugintest.SetResponse(t, e, text)
		f := x.BodyFilterer.BodyFilter(e)
		if f == nil {
			t.Fatal("nothing was given back")
		}
		f.(plugins.Ender).End(true)
	}
}

// An encoder that was left in the middle of a body begins anew with the next.
func TestAnEncoderIsUsedAgainAfterAnAbort(t *testing.T) {
	for c := identity + 1; c < codings; c++ {
		x, body := build1(t, c, 5), page(200_000)
		for i := range 4 {
			e := plugintest.New(t, request(c))
			plugintest.SetResponse(t, e, text)
			f := x.BodyFilterer.BodyFilter(e)
			if i%2 == 0 {
				if _, err := f.Filter(nil, body, false); err != nil {
					t.Fatal(err)
				}
				f.(plugins.Ender).End(false)
				if e.CompressionTime <= 0 {
					t.Error("what was done is not recorded")
				}
				continue
			}
			if got := plain(t, c, pass(t, f, body, 9999)); !bytes.Equal(got, body) {
				t.Errorf("%s: another body", codingNames[c])
			}
			f.(plugins.Ender).End(true)
		}
	}
}

func TestInUpstreamModeNothingIsRecorded(t *testing.T) {
	f, e := begin(t, plugintest.Build(t, Factory(), all+`mode = "upstream"`), request(gzipCoding), text)
	pass(t, f, page(1000), 100)
	if e.CompressionTime >= 0 || e.CompressionRatio >= 0 {
		t.Errorf("%d, %d", e.CompressionTime, e.CompressionRatio)
	}
}

func TestACompressedResponseAllocatesHardlyAnything(t *testing.T) {
	body := page(20_000)
	for c := identity + 1; c < codings; c++ {
		x := build1(t, c, 3)
		e := plugintest.New(t, request(c))
		room := make([]byte, 0, 40_000)
		n := testing.AllocsPerRun(200, func() {
			plugintest.SetResponse(t, e, text)
			f := x.BodyFilterer.BodyFilter(e)
			out, err := f.Filter(room, body, false)
			if err == nil {
				_, err = f.Filter(out, nil, true)
			}
			if err != nil {
				t.Fatal(err)
			}
			f.(plugins.Ender).End(true)
		})
		if n > 12 && !raceEnabled { // SetResponse makes some
			t.Errorf("%s: %v allocations", codingNames[c], n)
		}
	}
}

// Any body, in any pieces, with flushes in between, comes back.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("hello hello hello hello"), uint64(1), uint8(0))
	f.Add(page(300), uint64(77), uint8(1))
	f.Add([]byte{}, uint64(0), uint8(2))
	f.Add(bytes.Repeat([]byte{0}, 700), uint64(3), uint8(4))
	x := plugintest.Build(f, Factory(), "gzip_level = 6\nbr_level = 4\nzstd_level = 6\nmin_length = 0")
	y := plugintest.Build(f, Factory(), "decompression = true\ndecompression_max_ratio = 100000")
	f.Fuzz(func(t *testing.T, body []byte, seed uint64, which uint8) {
		c := identity + 1 + coding(which%3)
		rng := rand.New(rand.NewPCG(seed, 1))
		encoder, _ := begin(t, x, request(c), text)
		encoded := inPieces(t, encoder, body, rng)
		if got := plain(t, c, encoded); !bytes.Equal(got, body) {
			t.Fatalf("%s: %d bytes came back as %d others", codingNames[c], len(body), len(got))
		}
		decoder, _ := begin(t, y, "GET /", text+"\nContent-Encoding: "+string(codingNames[c]))
		if got := inPieces(t, decoder, encoded, rng); !bytes.Equal(got, body) {
			t.Fatalf("%s: %d bytes were decoded as %d others", codingNames[c], len(body), len(got))
		}
	})
}

func inPieces(t *testing.T, f plugins.Filter, body []byte, rng *rand.Rand) []byte {
	var sent []byte
	var err error
	for err == nil && len(body) > 0 {
		n := min(len(body), rng.IntN(1+len(body)/3+rng.IntN(40)))
		sent, err = f.Filter(sent, body[:n], n == len(body) && rng.IntN(2) == 0)
		if last := n == len(body); last && err == nil {
			sent, err = f.Filter(sent, nil, true)
		}
		body = body[n:]
		if flusher, ok := f.(plugins.Flusher); ok && err == nil && rng.IntN(3) == 0 {
			sent, err = flusher.Flush(sent)
		}
	}
	if err == nil {
		sent, err = f.Filter(sent, nil, true)
	}
	if err != nil {
		t.Fatal(err)
	}
	return sent
}
