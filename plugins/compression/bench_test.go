package compression

import (
	"fmt"
	"io"
	"testing"

	"pingap/plugins"
	"pingap/plugins/plugintest"
)

// What a response costs, whole: choice, head, body in pieces of 16 KiB. SetResponse is part of it.
func BenchmarkCompress(b *testing.B) {
	for c := identity + 1; c < codings; c++ {
		for _, level := range []int{1, 3, 6} {
			for _, n := range []int{2 << 10, 64 << 10, 1 << 20} {
				b.Run(fmt.Sprintf("%s-%d/%dKiB", codingNames[c], level, n>>10), func(b *testing.B) {
					x, body := build1(b, c, level), page(n)
					e := plugintest.New(b, request(c))
					var out []byte
					b.SetBytes(int64(n))
					b.ReportAllocs()
					for b.Loop() {
						plugintest.SetResponse(b, e, text)
						f := x.BodyFilterer.BodyFilter(e)
						out = out[:0]
						for rest := body; len(rest) > 0; {
							piece := rest[:min(len(rest), 16<<10)]
							rest = rest[len(piece):]
							out, _ = f.Filter(out, piece, false)
						}
						out, _ = f.Filter(out, nil, true)
						f.(plugins.Ender).End(true)
					}
					b.ReportMetric(float64(n)/float64(len(out)), "ratio")
				})
			}
		}
	}
}

// What a response costs that passes.
func BenchmarkPass(b *testing.B) {
	x := plugintest.Build(b, Factory(), all)
	e := plugintest.New(b, "GET /\nAccept-Encoding: gzip, deflate, br, zstd")
	plugintest.SetResponse(b, e, "200 OK\nContent-Type: image/png\nContent-Length: 500\nETag: \"a\"\nCache-Control: max-age=3600\nServer: s")
	b.ReportAllocs()
	for b.Loop() {
		x.Responder.Response(e)
		if x.BodyFilterer.BodyFilter(e) != nil {
			b.Fatal("taken")
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	for c := identity + 1; c < codings; c++ {
		b.Run(string(codingNames[c]), func(b *testing.B) {
			body := page(256 << 10)
			in := encoded(b, c, 5, body)
			x := plugintest.Build(b, Factory(), "decompression = true")
			e := plugintest.New(b, "GET /")
			out := make([]byte, 0, 300<<10)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				plugintest.SetResponse(b, e, "200 OK\nContent-Encoding: "+string(codingNames[c]))
				f := x.BodyFilterer.BodyFilter(e)
				got, err := f.Filter(out, in, true)
				if err != nil || len(got) != len(body) {
					b.Fatal(io.ErrUnexpectedEOF)
				}
				f.(plugins.Ender).End(true)
			}
		})
	}
}
