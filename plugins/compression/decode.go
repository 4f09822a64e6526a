package compression

import (
	"bufio"
	"errors"
	"io"
	"iter"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	// outStep is the room that a decoder is given at a time.
	outStep = 16 * kib
	// innocent is how much any body may become, whatever its ratio.
	innocent = 1 * mib
	// maxWindow bounds how far back zstd bodies may look (RFC 8878 section 3.1.1.1.2).
	maxWindow = 8 * mib
)

// brotliIsWhole is what the decoder says when a body is whole and bytes are left, be it because they came one by one. It has no name there.
const brotliIsWhole = "brotli: excessive input"

var (
	errTooLong  = errors.New("the decoded body is longer than decompression_max_size")
	errTooDense = errors.New("the decoded body exceeds decompression_max_ratio")
	errMemory   = errors.New("max_memory is used up")
	errAborted  = errors.New("the response is over")
)

// decoders makes decoders and holds their bounds.
type decoders struct {
	maxSize  int64
	maxRatio int64
	memory   *budget
}

// decoderCost is the most memory that a decoder holds: its window, which the body names, and tables.
func decoderCost(c coding) int64 {
	switch c {
	case zstdCoding:
		return maxWindow + mib
	case brotliCoding:
		return 5 * mib
	}
	return 128 * kib
}

// brotliExtra is what the largest windows of brotli need besides. The first byte of a body names its window (RFC 7932 section 9.1):
// 16 MiB begins with 1111 in its low bits, 8 MiB with 1101.
func brotliExtra(first byte) int64 {
	switch first & 0xf {
	case 0xf:
		return 12 * mib
	case 0xd:
		return 4 * mib
	}
	return 0
}

// take returns a filter that decodes; nil where memory for it is used up.
func (d *decoders) take(c coding) *decoding {
	if !d.memory.take(decoderCost(c)) {
		return nil
	}
	f := &decoding{owner: d, coding: c}
	f.next, f.stop = iter.Pull(f.run)
	return f
}

// decoding is the filter that decodes one body. Decoders ask for input, and filters are given it: the decoder runs as a coroutine, which
// is resumed with each piece and gives back control when it wants more. There is never more than one of both running.
type decoding struct {
	owner  *decoders
	coding coding
	next   func() (error, bool)
	stop   func()
	wait   func(error) bool // gives control back; false when the response is over

	piece []byte // not yet read
	last  bool
	out   []byte
	in    int64
	made  int64
	extra int64 // memory taken besides the usual
	over  bool  // nobody waits for what is decoded
	ended bool
	err   error
}

// Filter decodes a piece.
func (f *decoding) Filter(dst, piece []byte, last bool) ([]byte, error) {
	if f.err != nil || f.ended && len(piece) == 0 {
		return dst, f.err
	}
	f.piece, f.last, f.out = piece, last, dst
	f.in += int64(len(piece))
	if !f.ended {
		err, more := f.next()
		f.err, f.ended = err, !more || err != nil
	}
	out := f.out
	f.out, f.piece = nil, nil
	return out, f.err
}

// End ends the coroutine.
func (f *decoding) End(bool) {
	f.stop()
	f.owner.memory.give(decoderCost(f.coding) + f.extra)
}

// run is the coroutine.
func (f *decoding) run(wait func(error) bool) {
	f.wait = wait
	if err := f.decodeAll(); err != nil && !f.over {
		wait(err)
	}
}

// Read gives a decoder its input.
func (f *decoding) Read(p []byte) (int, error) {
	for len(f.piece) == 0 {
		if f.last {
			return 0, io.EOF
		}
		if !f.wait(nil) {
			f.over = true
			return 0, errAborted
		}
	}
	n := copy(p, f.piece)
	f.piece = f.piece[n:]
	return n, nil
}

// decodeAll decodes until the body is over. A body without a byte stays one: there is no coding around nothing in an answer that failed.
func (f *decoding) decodeAll() error {
	in := bufio.NewReaderSize(f, 4*kib)
	first, err := in.Peek(1)
	if err != nil {
		if err == io.EOF {
			return nil
		}
		return err
	}
	if extra := brotliExtra(first[0]); f.coding == brotliCoding && extra > 0 {
		if !f.owner.memory.take(extra) {
			return errMemory
		}
		f.extra = extra
	}
	r, err := f.newDecoder(in)
	if err != nil {
		return err
	}
	for room := make([]byte, outStep); ; { // not in f.out: that is another one when the decoder has waited for input
		n, err := r.Read(room)
		f.out = append(f.out, room[:n]...)
		f.made += int64(n)
		if err := f.bound(); err != nil {
			return err
		}
		if err == io.EOF || err != nil && f.coding == brotliCoding && err.Error() == brotliIsWhole {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (f *decoding) newDecoder(in *bufio.Reader) (io.Reader, error) {
	switch f.coding {
	case zstdCoding:
		return zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
	case brotliCoding:
		return brotli.NewReader(in), nil
	}
	return gzip.NewReader(in)
}

func (f *decoding) bound() error {
	if f.made > f.owner.maxSize {
		return errTooLong
	}
	if f.made > innocent && f.made/f.owner.maxRatio > f.in {
		return errTooDense
	}
	return nil
}
