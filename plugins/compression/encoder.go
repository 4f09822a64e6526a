package compression

import (
	"io"
	"sync"
	"sync/atomic"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	kib = 1 << 10
	mib = 1 << 20

	// brotliWindow is the binary logarithm of brotli's window, 256 KiB: larger ones cost four times the memory and gain little on pages.
	brotliWindow = 18
	// zstdWindow bounds how far back zstd looks, and bestWindow at the levels from 10 on. Browsers take up to 8 MiB (RFC 8878 section 3.1.1.1.2).
	zstdWindow = 1 * mib
	bestWindow = 4 * mib
)

// encoder is what the three kinds of encoders have in common.
type encoder interface {
	io.Writer
	// Flush writes all that was put in, so that it can be decoded.
	Flush() error
	// Close writes the end.
	Close() error
	Reset(io.Writer)
}

// newEncoder makes an encoder. It needs a Reset before its use.
func newEncoder(c coding, level int) encoder {
	switch c {
	case zstdCoding:
		e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(level)), zstd.WithWindowSize(windowOf(level)),
			zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false))
		if err != nil {
			panic("compression: zstd refuses constant options: " + err.Error())
		}
		return e
	case brotliCoding:
		return brotli.NewWriterOptions(io.Discard, brotli.WriterOptions{Quality: level, LGWin: brotliWindow})
	}
	// Level 8 packs as tight as zlib does at 9, in less time; level 9 gains nothing worth twice the time.
	e, err := gzip.NewWriterLevel(io.Discard, min(level, 8))
	if err != nil {
		panic("compression: gzip refuses a level from 1 to 8: " + err.Error())
	}
	return e
}

func windowOf(zstdLevel int) int {
	if zstdLevel >= 10 {
		return bestWindow
	}
	return zstdWindow
}

// cost is how much memory an encoder holds when its window is full; a test measures it.
func cost(c coding, level int) int64 {
	switch c {
	case zstdCoding:
		switch zstd.EncoderLevelFromZstd(level) {
		case zstd.SpeedFastest:
			return 2 * mib
		case zstd.SpeedDefault:
			return 3 * mib
		case zstd.SpeedBetterCompression:
			return 6 * mib
		}
		return 40 * mib
	case brotliCoding:
		return [12]int64{0, 3 * mib, 4 * mib, 4 * mib, 9 * mib, 7 * mib, 8 * mib, 14 * mib, 22 * mib, 40 * mib, 16 * mib, 16 * mib}[level]
	}
	return 1536 * kib
}

// budget bounds the memory of what is in use.
type budget struct {
	limit int64
	used  atomic.Int64
}

// take counts n bytes, and reports whether there was room for them.
func (b *budget) take(n int64) bool {
	if b.used.Add(n) > b.limit {
		b.used.Add(-n)
		return false
	}
	return true
}

func (b *budget) give(n int64) { b.used.Add(-n) }

// pool holds filters with encoders of one coding and level that wait for a response. What is not used for some time is collected.
type pool struct {
	coding coding
	level  int
	cost   int64
	memory *budget
	idle   sync.Pool
}

// take returns a filter that waits for its begin; nil where memory for it is used up.
func (p *pool) take() *encoding {
	if !p.memory.take(p.cost) {
		return nil
	}
	if f, ok := p.idle.Get().(*encoding); ok {
		return f
	}
	return &encoding{from: p, encoder: newEncoder(p.coding, p.level)}
}

func (p *pool) give(f *encoding) {
	p.memory.give(p.cost)
	p.idle.Put(f)
}
