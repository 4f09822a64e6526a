//go:build !race

package compression

import (
	"io"
	"runtime"
	"testing"
)

// The table in cost is what the budget counts with: it must not say less than is used.
func TestAnEncoderCostsWhatItSays(t *testing.T) {
	body := page(5 << 20)
	for c := identity + 1; c < codings; c++ {
		for _, level := range levels(c) {
			n := len(body)
			if c != zstdCoding {
				n = 300_000 // more than the window
			}
			var before, after runtime.MemStats
			runtime.GC()
			runtime.GC() // what waits in pools goes with the second
			runtime.ReadMemStats(&before)
			e := newEncoder(c, level)
			e.Reset(io.Discard)
			if _, err := e.Write(body[:n]); err != nil {
				t.Fatal(err)
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			got := int64(after.HeapAlloc) - int64(before.HeapAlloc)
			if want := cost(c, level); got > want || got < want/8 {
				t.Errorf("%s %d: %d KiB, said to be %d", codingNames[c], level, got>>10, want>>10)
			}
			runtime.KeepAlive(e)
		}
	}
}
