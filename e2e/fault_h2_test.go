package e2e

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"pingap/e2e/load"
)

// Load: two connections of 100 streams each, half of them POST with bodies that cannot be sent a second time. Fault: rolls. Expected: 0 failed, every
// connection was left for another one, none in one step.
func TestFaultManyStreamsAreLedAway(t *testing.T) {
	count := faultTest(t, 2, 20)
	addr, dir, up := freePort(t), workDir(t), newUpstream(t)
	newIdentity(t, nil, "load.test").put(t, dir)
	i := start(t, secureProxyFor(addr, dir, up, manyGenerations, quickDrain))
	const links = 2
	l := startFaultLoad(t, addr, up, load.Mix{Kind: load.Streams, Clients: links, Streams: 100, Pause: 50 * time.Millisecond, Takes: time.Second,
		Distance: 10 * time.Millisecond})
	for n := range count {
		i.roll()
		i.eventually("other connections", func() error {
			if left := l.Report().Kinds[load.Streams].Reopened; left < uint64(links*(n+1)) {
				return fmt.Errorf("%d connections were left", left)
			}
			return nil
		})
		l.goesOn(500)
	}
	if r := l.mustLoseNothing(); r.Kinds[load.Streams].Moved > 0 {
		t.Errorf("%d requests were sent away that might have been served", r.Kinds[load.Streams].Moved)
	}
	i.mustHaveCutNothing(count)
}

// wire is a connection of HTTP/2 over TLS of which a test sees each frame.
type wire struct {
	*http2.Framer
	conn  net.Conn
	block bytes.Buffer
	enc   *hpack.Encoder
}

func openWire(t *testing.T, conn net.Conn) *wire {
	t.Helper()
	inner := tls.Client(conn, &tls.Config{ServerName: "load.test", InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	t.Cleanup(func() { inner.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(inner, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	w := &wire{Framer: http2.NewFramer(inner, inner), conn: inner}
	w.enc = hpack.NewEncoder(&w.block)
	if err := w.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return w
}

// get begins a request.
func (w *wire) get(t *testing.T, stream uint32, path string) {
	t.Helper()
	w.block.Reset()
	for _, f := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "load.test"}, {":path", path}} {
		_ = w.enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}) // into memory
	}
	if err := w.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: w.block.Bytes(), EndStream: true, EndHeaders: true}); err != nil {
		t.Fatal(err)
	}
}

// until reads frames up to one that is wanted, nil is the end of the connection.
func (w *wire) until(t *testing.T, wanted func(http2.Frame) bool) http2.Frame {
	t.Helper()
	for {
		f, err := w.ReadFrame()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			t.Fatal(err)
		case wanted(f):
			return f
		}
	}
}

func isGoAway(f http2.Frame) bool { return f.Header().Type == http2.FrameGoAway }

// goAway reads to the next GOAWAY and returns the stream it names.
func (w *wire) goAway(t *testing.T) uint32 {
	t.Helper()
	f, ok := w.until(t, isGoAway).(*http2.GoAwayFrame)
	if !ok || f.ErrCode != http2.ErrCodeNo {
		t.Fatalf("%v instead of a GOAWAY", f)
	}
	return f.LastStreamID
}

// endOf reads to the end of a stream.
func endOf(stream uint32) func(http2.Frame) bool {
	return func(f http2.Frame) bool {
		h := f.Header()
		return h.StreamID == stream && (h.Type == http2.FrameRSTStream || h.Flags.Has(http2.FlagDataEndStream))
	}
}

// Load: one connection with a request that takes 4 s. Fault: a roll. Expected on the wire: a GOAWAY that names 2^31-1, after which a new request is served; then one
// that names the last request, after which one is refused as not processed; what was begun is answered, and then the connection ends.
func TestFaultADrainingWorkerSaysGoodbyeTwice(t *testing.T) {
	faultTest(t, 1, 1)
	addr, dir, up := freePort(t), workDir(t), newUpstream(t)
	newIdentity(t, nil, "load.test").put(t, dir)
	i := start(t, secureProxyFor(addr, dir, up, manyGenerations, quickDrain))
	w := openWire(t, dial(t, addr).conn)
	w.get(t, 1, "/slow/5000")
	w.get(t, 3, "/echo")
	w.until(t, endOf(3))
	i.roll()
	if last := w.goAway(t); last != math.MaxInt32 {
		t.Errorf("the first GOAWAY names stream %d", last)
	}
	w.get(t, 5, "/echo")
	if f := w.until(t, endOf(5)); f.Header().Type == http2.FrameRSTStream {
		t.Errorf("a request on its way: %v", f)
	}
	if last := w.goAway(t); last != 5 {
		t.Errorf("the final GOAWAY names stream %d", last)
	}
	w.get(t, 7, "/echo")
	if f, ok := w.until(t, endOf(7)).(*http2.RSTStreamFrame); !ok || f.ErrCode != http2.ErrCodeRefusedStream {
		t.Errorf("a request after the final GOAWAY: %v", f)
	}
	if f := w.until(t, endOf(1)); f == nil || f.Header().Type == http2.FrameRSTStream {
		t.Errorf("a request from before the roll: %v", f)
	}
	if f := w.until(t, isGoAway); f != nil {
		t.Errorf("one more: %v", f)
	}
	i.mustHaveCutNothing(1)
}

// halting is a connection that stops in the middle of one of its writes, until go on is closed.
type halting struct {
	net.Conn
	at      int32 // the write, from 1
	writes  atomic.Int32
	reached chan struct{}
	goOn    chan struct{}
}

func (h *halting) Write(p []byte) (int, error) {
	if h.writes.Add(1) != h.at {
		return h.Conn.Write(p)
	}
	n, err := h.Conn.Write(p[:len(p)/2])
	if err != nil {
		return n, err
	}
	close(h.reached)
	<-h.goOn
	m, err := h.Conn.Write(p[n:])
	return n + m, err
}

// Load: a client whose handshake stops half way. Fault: a roll, three seconds before it goes on, when all that is idle has been closed. Expected: the old
// worker completes the handshake, serves one request, and ends the connection.
func TestFaultAHandshakeThatStraddlesADrainIsServedOnce(t *testing.T) {
	faultTest(t, 1, 1)
	for _, c := range []struct {
		name    string
		version uint16
		at      int32
		h2      bool
	}{
		{"hello, TLS 1.3", tls.VersionTLS13, 1, false},
		{"finished, TLS 1.3", tls.VersionTLS13, 2, false},
		{"hello, TLS 1.2", tls.VersionTLS12, 1, false},
		{"finished, TLS 1.2", tls.VersionTLS12, 2, false},
		{"hello, HTTP/2", tls.VersionTLS13, 1, true},
		{"finished, HTTP/2", tls.VersionTLS13, 2, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			addr, dir, up := freePort(t), workDir(t), newUpstream(t)
			newIdentity(t, nil, "load.test").put(t, dir)
			i := start(t, secureProxyFor(addr, dir, up, manyGenerations, quickDrain))
			h := &halting{Conn: dial(t, addr).conn, at: c.at, reached: make(chan struct{}), goOn: make(chan struct{})}
			go func() { // ends in four seconds
				defer close(h.goOn)
				<-h.reached
				i.eventually("an accepted connection", func() error {
					for _, w := range i.status().workers() {
						if w.Connections > 0 {
							return nil
						}
					}
					return errors.New("none")
				})
				if r := i.verb("roll", "--wait"); r.code != 0 {
					t.Errorf("roll: %s", r.all())
				}
				time.Sleep(3 * time.Second) // the slowness is the load
			}()
			if c.h2 {
				servedOnceOverH2(t, h)
			} else {
				servedOnce(t, h, c.version)
			}
			i.mustHaveCutNothing(1)
		})
	}
}

func servedOnce(t *testing.T, h net.Conn, version uint16) {
	t.Helper()
	conn := tls.Client(h, &tls.Config{ServerName: "load.test", InsecureSkipVerify: true, MaxVersion: version, NextProtos: []string{"http/1.1"}})
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, get("/echo")); err != nil {
		t.Errorf("handshake or request: %v", err)
		return
	}
	in := bufio.NewReader(conn)
	r, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Errorf("answer: %v", err)
		return
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil || r.StatusCode != 200 || !r.Close {
		t.Errorf("%s, close %t, %v", r.Status, r.Close, err)
	}
	if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("after the answer: %v", err)
	}
}

func servedOnceOverH2(t *testing.T, h net.Conn) {
	t.Helper()
	w := openWire(t, h)
	w.get(t, 1, "/echo")
	last, answered := []uint32{}, false
	for {
		f, err := w.ReadFrame()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				t.Error(err)
			}
			break
		}
		if g, ok := f.(*http2.GoAwayFrame); ok {
			last = append(last, g.LastStreamID)
		}
		answered = answered || endOf(1)(f) && f.Header().Type == http2.FrameData
	}
	if want := "[2147483647 1]"; fmt.Sprint(last) != want || !answered {
		t.Errorf("GOAWAY %v, want %s; answered %t", last, want, answered)
	}
}
