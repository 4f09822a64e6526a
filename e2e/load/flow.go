package load

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// errMoved is what becomes of a stream that the proxy has not processed and says so: it may be begun anew elsewhere.
var errMoved = errors.New("not processed by the proxy")

// flow is a stream. What arrives is kept until somebody asks for it.
type flow struct {
	c       *muxed
	id      uint32
	changed sync.Cond // below c.mu
	timer   *time.Timer

	// guarded by c.mu
	window   int64
	status   int // 0 before the head has come
	trailers map[string]string
	data     []byte
	ended    bool  // by the proxy
	err      error // why it came to no good end
}

// open begins a stream with its head.
func (c *muxed) open(method, path, key string, end bool, more ...string) (*flow, error) {
	s := &flow{c: c, changed: sync.Cond{L: &c.mu}}
	err := c.write(func(w *http2.Framer) error {
		c.mu.Lock()
		if c.err != nil {
			defer c.mu.Unlock()
			return c.err
		}
		s.id, s.window = c.next, c.initial
		c.next += 2
		c.streams[s.id] = s
		if c.told && s.id > c.lastID {
			s.refuse()
		}
		c.mu.Unlock()
		return w.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, BlockFragment: c.encode(method, path, key, more), EndStream: end, EndHeaders: true})
	})
	s.timer = time.AfterFunc(answerLimit, s.timeOut)
	if err != nil {
		s.close()
		return nil, fail(Reset, err)
	}
	return s, nil
}

// encode makes a field block. The caller holds writing.
func (c *muxed) encode(method, path, key string, more []string) []byte {
	c.block.Reset()
	fields := append([]string{":method", method, ":scheme", "https", ":authority", serverName, ":path", path, "idempotency-key", key}, more...)
	for i := 0; i < len(fields); i += 2 {
		_ = c.encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}) // into memory
	}
	return c.block.Bytes()
}

// limit bounds all that is waited for from now on.
func (s *flow) limit(d time.Duration) { s.timer.Reset(d) }

func (s *flow) timeOut() {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.breakOff(Timeout, errors.New("no end in time"))
}

// close forgets the stream, and tells the proxy if it goes on.
func (s *flow) close() {
	s.timer.Stop()
	s.c.mu.Lock()
	delete(s.c.streams, s.id)
	open := !s.ended && s.err == nil
	s.c.mu.Unlock()
	if open {
		_ = s.c.write(func(w *http2.Framer) error { return w.WriteRSTStream(s.id, http2.ErrCodeCancel) }) // nothing hangs on it
	}
}

// breakOff ends a stream that has not ended. The caller holds c.mu, as for all up to takeData.
func (s *flow) breakOff(o Outcome, why error) {
	if s.ended || s.err != nil {
		return
	}
	if o == Cut && s.status == 0 {
		o = Reset
	}
	s.err = fail(o, why)
	s.changed.Broadcast()
}

func (s *flow) refuse() { s.breakOff(Reset, errMoved) }

func (s *flow) takeReset(code http2.ErrCode) {
	if code == http2.ErrCodeRefusedStream {
		s.refuse()
		return
	}
	s.breakOff(Cut, fmt.Errorf("RST_STREAM: %v", code))
}

func (s *flow) takeHead(f *http2.MetaHeadersFrame) {
	if s.status == 0 {
		n, _ := strconv.Atoi(f.PseudoValue("status")) // 0 is no answer, which is waited for in vain
		if n >= 200 {                                 // others are interim
			s.status = n
		}
	}
	if f.StreamEnded() {
		s.trailers = map[string]string{}
		for _, field := range f.RegularFields() {
			s.trailers[field.Name] = field.Value
		}
		s.ended = true
	}
}

func (s *flow) takeData(p []byte, last bool) {
	s.data = append(s.data, p...)
	s.ended = s.ended || last
	if len(s.data) > maxBody {
		s.breakOff(WrongBody, errors.New("more than was to be expected"))
	}
}

// await returns when ok, which is called with c.mu held, says so; before an error that has come since.
func (s *flow) await(ok func() bool) error {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	for !ok() {
		if s.err != nil {
			return s.err
		}
		s.changed.Wait()
	}
	return nil
}

// send sends a part of the body, in the time that the proxy takes.
func (s *flow) send(p []byte, end bool) error {
	for first := true; first || len(p) > 0; first = false {
		n := 0
		err := s.await(func() bool {
			if s.err != nil {
				return false
			}
			if s.ended { // nobody takes the rest
				n = len(p)
				return true
			}
			n = int(min(int64(len(p)), s.window, s.c.window, frameSize))
			if n <= 0 && len(p) > 0 {
				return false
			}
			s.window -= int64(n)
			s.c.window -= int64(n)
			return true
		})
		if err != nil {
			return err
		}
		if s.over() {
			return nil
		}
		piece, last := p[:n], end && n == len(p)
		if err := s.c.write(func(w *http2.Framer) error { return w.WriteData(s.id, last, piece) }); err != nil {
			return fail(Reset, err)
		}
		p = p[n:]
	}
	return nil
}

// over says whether the proxy has ended the stream.
func (s *flow) over() bool {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.ended
}

// head waits for the head of the answer.
func (s *flow) head() (status int, err error) {
	err = s.await(func() bool {
		status = s.status
		return status != 0
	})
	return status, err
}

// body waits for the whole body of the answer.
func (s *flow) body() (text string, err error) {
	err = s.await(func() bool {
		text = string(s.data)
		return s.ended
	})
	return text, err
}

// next waits for n bytes of the body; fewer without an error are all there is before the end.
func (s *flow) next(n int) (p []byte, err error) {
	err = s.await(func() bool {
		if len(s.data) < n && !s.ended {
			return false
		}
		n = min(n, len(s.data))
		p = append(p, s.data[:n]...)
		s.data = s.data[n:]
		return true
	})
	return p, err
}

// endedBetween says whether the proxy has ended the stream and nothing waits to be read; status is the one of gRPC.
func (s *flow) endedBetween() (status string, ended bool) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.trailers["grpc-status"], s.ended && len(s.data) == 0
}
