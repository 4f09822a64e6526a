package client

import (
	"io"
	"net"
	"testing"
	"time"

	"pingap/message"
	"pingap/worker/http2/frame"
)

// pipe is a transport whose peer says what the fuzzer wants, and whose output goes nowhere.
type pipe struct {
	net.Conn // nil: what is not below is not used
	in       []byte
	cut      int // the largest read
}

func (p *pipe) Read(b []byte) (int, error) {
	if len(p.in) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.in[:min(len(p.in), p.cut)])
	p.in = p.in[n:]
	return n, nil
}

func (p *pipe) Write(b []byte) (int, error)      { return len(b), nil }
func (p *pipe) Close() error                     { return nil }
func (p *pipe) SetReadDeadline(time.Time) error  { return nil }
func (p *pipe) SetWriteDeadline(time.Time) error { return nil }

// held is a pipe that is read only when the requests have been opened.
type held struct {
	pipe
	start chan struct{}
}

func (h *held) Read(b []byte) (int, error) {
	<-h.start
	return h.pipe.Read(b)
}

// FuzzFrames feeds bytes to a connection with three requests. Whatever they are, every request ends, nothing is counted twice, and the
// buffers are bounded.
func FuzzFrames(f *testing.F) {
	sv := new(server)
	hello := frame.AppendSettingsAck(frame.AppendSettings(nil, frame.Setting{ID: frame.MaxConcurrentStreams, Value: 50}))
	add := func(cut uint8, parts ...[]byte) {
		all := append([]byte(nil), hello...)
		for _, p := range parts {
			all = append(all, p...)
		}
		f.Add(all, cut)
	}
	head := sv.headers(1, false, ":status", "200", "content-length", "5")
	add(255, head, appendData(nil, 1, []byte("hello"), true))
	add(1, head, appendData(nil, 1, []byte("hello"), true))
	add(9, sv.headers(3, false, ":status", "103"), sv.headers(3, false, ":status", "200"), appendData(nil, 3, []byte("x"), false), sv.headers(3, true, "a", "b"))
	add(255, frame.AppendRSTStream(nil, 1, frame.RefusedStream), frame.AppendGoAway(nil, 3, frame.NoError, "bye"))
	add(255, frame.AppendWindowUpdate(nil, 0, 1000), frame.AppendWindowUpdate(nil, 5, 100000), frame.AppendPing(nil, false, [8]byte{1}))
	add(255, setting(frame.InitialWindowSize, 0), setting(frame.HeaderTableSize, 0), setting(frame.MaxFrameSize, 1<<20), setting(frame.InitialWindowSize, maxWindow))
	add(255, frame.AppendHeader(nil, frame.Header{Type: frame.Headers, Stream: 1}), frame.AppendHeader(nil, frame.Header{Type: frame.Continuation, Stream: 1, Flags: frame.FlagEndHeaders}))
	f.Fuzz(func(t *testing.T, in []byte, cut uint8) {
		h := &held{pipe{in: in, cut: int(cut) + 1}, make(chan struct{})}
		c := New(h, Options{StreamWindow: minWindow, ConnWindow: minWindow})
		get1 := open(t, c, request("GET", "/"), OpenOptions{End: true, ContentLength: message.LengthUnknown})
		post := open(t, c, request("POST", "/"), OpenOptions{ContentLength: 100000, Body: make([]byte, 100000)})
		up := open(t, c, request("HEAD", "/"), OpenOptions{ContentLength: message.LengthUnknown})
		close(h.start)
		for _, s := range []*Stream{get1, post, up} {
			resp := new(message.Response)
			var mem []byte
			var err error
			for n, final := 0, false; err == nil && !final; n++ {
				if mem, final, err = s.Head(resp, mem); n > maxInterim {
					t.Fatal("too many heads")
				}
				if err == nil && (resp.Status < 100 || resp.Status > 999 || resp.Status == 101) {
					t.Fatalf("status %d", resp.Status)
				}
			}
			total, _ := io.Copy(io.Discard, s)
			if err == nil && resp.BodyLength >= 0 && total > resp.BodyLength {
				t.Fatalf("%d bytes of %d", total, resp.BodyLength)
			}
		}
		c.Wait()
		for _, s := range []*Stream{get1, post, up} {
			s.Release()
		}
		if c.streams.Len() != 0 || c.unread != 0 || c.queue.first != nil || c.recvWin > minWindow || c.Err() == nil {
			t.Fatalf("%d streams, %d unread, window %d, %v", c.streams.Len(), c.unread, c.recvWin, c.Err())
		}
	})
}
