package compression

import (
	"pingap/message"
	"pingap/plugins"
)

// encoding is the filter that compresses one body. It is its encoder's writer.
type encoding struct {
	from    *pool
	encoder encoder
	ex      *plugins.Exchange // to record time and ratio; nil for none, and after End
	out     []byte            // what is to be sent, during a call
	in      int64             // bytes of the body
	sent    int64             // bytes that they became
	nanos   int64             // of the encoder
	held    bool              // the encoder may hold bytes back
	done    bool              // the end is written
}

// begin makes the filter ready for a body.
func (f *encoding) begin(e *plugins.Exchange, record bool) {
	f.in, f.sent, f.nanos, f.held, f.done, f.ex = 0, 0, 0, false, false, nil
	if record {
		f.ex = e
	}
	f.encoder.Reset(f)
}

// Write takes what the encoder gives out.
func (f *encoding) Write(p []byte) (int, error) {
	f.out = append(f.out, p...)
	f.sent += int64(len(p))
	return len(p), nil
}

// Filter compresses a piece.
func (f *encoding) Filter(dst, piece []byte, last bool) ([]byte, error) {
	if f.done || len(piece) == 0 && !last {
		return dst, nil
	}
	start := message.Now()
	f.out = dst
	var err error
	if len(piece) > 0 {
		f.in += int64(len(piece))
		f.held = true
		_, err = f.encoder.Write(piece)
	}
	if err == nil && last {
		f.done, f.held = true, false
		err = f.encoder.Close()
	}
	return f.leave(start, last), err
}

// Flush gives out all that came so far.
func (f *encoding) Flush(dst []byte) ([]byte, error) {
	if !f.held {
		return dst, nil
	}
	start := message.Now()
	f.out, f.held = dst, false
	err := f.encoder.Flush()
	return f.leave(start, false), err
}

// leave ends a call of the encoder: it returns what came out.
func (f *encoding) leave(start int64, last bool) []byte {
	f.nanos += message.Now() - start
	out := f.out
	f.out = nil
	if last {
		f.record()
	}
	return out
}

// record notes time and ratio for the log.
func (f *encoding) record() {
	if f.ex == nil || f.in == 0 {
		return
	}
	f.ex.CompressionTime = f.nanos
	if f.sent > 0 {
		f.ex.CompressionRatio = f.in * 10 / f.sent
	}
}

// End gives the encoder back.
func (f *encoding) End(bool) {
	if !f.done {
		f.record()
	}
	f.ex = nil
	f.from.give(f)
}

// noBody is the filter of a HEAD request: its presence tells that the length is not known.
type noBody struct{}

// Filter passes nothing: there is nothing.
func (noBody) Filter(dst, _ []byte, _ bool) ([]byte, error) { return dst, nil }
