package proxy

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"pingap/worker/drain"
	"pingap/worker/http2/frame"
	"pingap/worker/http2/hpack"
)

// framed is a client that speaks HTTP/2 frame by frame.
type framed struct {
	*rawClient
	enc hpack.Encoder
}

// dialFrames connects in the clear, with prior knowledge.
func (r *rig) dialFrames() *framed {
	f := &framed{rawClient: r.dial()}
	f.enc.Init()
	f.send(frame.Preface)
	f.write(frame.AppendSettings(nil))
	return f
}

func (f *framed) write(b []byte) {
	f.t.Helper()
	_, err := f.Conn.Write(b)
	must(f.t, err)
}

// get begins a request without a body.
func (f *framed) get(stream uint32, path string) {
	f.t.Helper()
	var block []byte
	for _, p := range [][2]string{{":method", "GET"}, {":scheme", "http"}, {":authority", "h"}, {":path", path}} {
		block = f.enc.AppendPseudo(block, p[0], []byte(p[1]))
	}
	head := frame.Header{Length: uint32(len(block)), Type: frame.Headers, Flags: frame.FlagEndHeaders | frame.FlagEndStream, Stream: stream}
	f.write(append(frame.AppendHeader(nil, head), block...))
}

// next reads a frame, ok is false at the end of the connection.
func (f *framed) next() (h frame.Header, payload []byte, ok bool) {
	f.t.Helper()
	var head [frame.HeaderLen]byte
	if _, err := io.ReadFull(f.r, head[:]); err != nil {
		return h, nil, false
	}
	h = frame.ParseHeader(head[:])
	payload = make([]byte, h.Length)
	_, err := io.ReadFull(f.r, payload)
	must(f.t, err)
	return h, payload, true
}

// until reads frames up to one of a type.
func (f *framed) until(want frame.Type) (frame.Header, []byte) {
	f.t.Helper()
	for {
		h, payload, ok := f.next()
		if !ok {
			f.t.Fatalf("the connection ended before a frame of type %v", want)
		}
		if h.Type == want {
			return h, payload
		}
	}
}

// lastOf is the last stream that a GOAWAY names.
func lastOf(t *testing.T, payload []byte) uint32 {
	t.Helper()
	if len(payload) < 8 || payload[7] != byte(frame.NoError) {
		t.Fatalf("GOAWAY %x", payload)
	}
	return uint32(payload[0])<<24 | uint32(payload[1])<<16 | uint32(payload[2])<<8 | uint32(payload[3])
}

// A draining worker says so twice: first that it will stop, which costs no stream that is on its way, then after which one.
func TestHTTP2IsLedAwayInTwoSteps(t *testing.T) {
	release := make(chan struct{})
	up := newBackend(t, func(p *scripted) {
		for {
			head, ok := p.request()
			if !ok {
				return
			}
			if strings.Contains(head, "/slow") {
				<-release
			}
			p.reply(ok5)
		}
	})
	r := newRig(t, rigOptions{addrs: []string{up.addr()}, server: speaks(t, "h2c")})
	c := r.dialFrames()
	c.get(1, "/slow")
	for r.p.Stats().InFlight == 0 {
		time.Sleep(time.Millisecond)
	}
	r.p.Drain(drain.Times{Timeout: patience, LongTimeout: patience})
	_, payload := c.until(frame.GoAway)
	if last := lastOf(t, payload); last != 1<<31-1 {
		t.Errorf("the first GOAWAY names stream %d", last)
	}
	c.get(3, "/on-its-way")
	if h, _ := c.until(frame.Data); h.Stream != 3 {
		t.Errorf("data of stream %d", h.Stream)
	}
	_, payload = c.until(frame.GoAway)
	if last := lastOf(t, payload); last != 3 {
		t.Errorf("the final GOAWAY names stream %d", last)
	}
	c.get(5, "/too-late")
	if h, payload := c.until(frame.RSTStream); h.Stream != 5 || payload[3] != byte(frame.RefusedStream) {
		t.Errorf("stream %d is reset with %x", h.Stream, payload)
	}
	close(release)
	if h, _ := c.until(frame.Data); h.Stream != 1 {
		t.Errorf("data of stream %d", h.Stream)
	}
	for {
		if _, _, ok := c.next(); !ok {
			break
		}
	}
	if n := r.p.Stats().Connections; n != 0 {
		t.Errorf("%d connections are left", n)
	}
}

func TestAnIdleHTTP2ConnectionIsParkedAndServesAgain(t *testing.T) {
	up := newBackend(t, func(p *scripted) {
		for {
			if _, ok := p.request(); !ok {
				return
			}
			p.reply(ok5)
		}
	})
	r := newRig(t, rigOptions{addrs: []string{up.addr()}, server: speaks(t, "h2c"), park: 50 * time.Millisecond})
	c := r.dialFrames()
	for i := range 3 {
		c.get(uint32(2*i+1), "/")
		c.until(frame.Data)
		for end := time.Now().Add(patience); r.p.Stats().Parked == 0; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("it is not parked")
			}
		}
	}
}

func TestAnIdleHTTP2ConnectionEndsInItsTime(t *testing.T) {
	r := newRig(t, rigOptions{server: func(s *Server) { speaks(t, "h2c")(s); s.KeepAliveTimeout = 200 * time.Millisecond }})
	c := r.dialFrames()
	_, payload := c.until(frame.GoAway)
	if last := lastOf(t, payload); last != 1<<31-1 {
		t.Errorf("the first GOAWAY names stream %d", last)
	}
	for {
		if _, _, ok := c.next(); !ok {
			break
		}
	}
}

func TestAClientThatGoesAwayEndsItsStreams(t *testing.T) {
	up := newBackend(t, func(p *scripted) {
		if _, ok := p.request(); ok {
			_, _ = io.Copy(io.Discard, p.Conn) // until the proxy gives up
		}
	})
	r := newRig(t, rigOptions{addrs: []string{up.addr()}, server: speaks(t, "h2c")})
	c := r.dialFrames()
	for i := range 5 {
		c.get(uint32(2*i+1), "/")
	}
	for r.p.Stats().InFlight < 5 {
		time.Sleep(time.Millisecond)
	}
	must(t, c.Conn.(*net.TCPConn).SetLinger(0))
	c.Close()
	for i := range 5 {
		if line := r.log.wait(t, i); line.status != 499 {
			t.Errorf("logged %+v", line)
		}
	}
}

// A frame that breaks a rule ends the connection, and the client can read why.
func TestABreachEndsTheConnectionWithItsReason(t *testing.T) {
	r := newRig(t, rigOptions{server: speaks(t, "h2c")})
	c := r.dialFrames()
	c.write(frame.AppendHeader(nil, frame.Header{Type: frame.Data, Stream: 1}))
	_, payload := c.until(frame.GoAway)
	if payload[7] != byte(frame.ProtocolError) {
		t.Errorf("GOAWAY %x", payload)
	}
}

// A client that was slow to read its last answer may still send window updates for it. A reset would cost it what it has not read.
func TestAClientThatIsLedAwayIsNotReset(t *testing.T) {
	up := newBackend(t, func(p *scripted) {
		for {
			if _, ok := p.request(); !ok {
				return
			}
			p.reply(ok5)
		}
	})
	r := newRig(t, rigOptions{addrs: []string{up.addr()}, server: speaks(t, "h2c")})
	c := r.dialFrames()
	c.get(1, "/")
	r.until("an answer", func(s Stats) bool { return s.Requests == 1 && s.InFlight == 0 })
	drained := make(chan struct{})
	go func() { // ends with the connection
		defer close(drained)
		r.p.Drain(drain.Times{Timeout: patience, LongTimeout: patience})
		r.p.Drained(nil)
	}()
	r.until("the end of the connection", func(s Stats) bool { return s.Connections == 0 })
	for range 3 {
		c.write(frame.AppendWindowUpdate(nil, 0, 5))
		time.Sleep(20 * time.Millisecond)
	}
	select {
	case <-drained:
		t.Error("the worker could end, and the kernel would reset the connection")
	default:
	}
	if _, answer := c.until(frame.Data); string(answer) != "hello" {
		t.Errorf("answered %q", answer)
	}
	c.Conn.Close()
	<-drained
}
