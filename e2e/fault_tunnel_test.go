package e2e

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"pingap/e2e/load"
)

// openTLSWebSocket is openWebSocket over TLS.
func openTLSWebSocket(t *testing.T, addr, target string) *webSocket {
	t.Helper()
	conn := tls.Client(dial(t, addr).conn, anyCertificate("load.test"))
	c := &client{conn: conn, in: bufio.NewReader(conn)}
	a, err := c.do(get(target, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="))
	if err != nil || a.status != 101 {
		t.Fatalf("upgrade: %+v, %v", a, err)
	}
	return &webSocket{c}
}

// streamTunnel is a tunnel on a stream of HTTP/2 (RFC 8441), the only one of its connection.
type streamTunnel struct {
	net.Conn // what is below, for its deadlines
	w        *wire
	got      []byte
	goAway   []uint32
	ended    bool
}

// openStreamWebSocket opens a tunnel.
func openStreamWebSocket(t *testing.T, addr, target string) (*webSocket, *streamTunnel) {
	t.Helper()
	w := openWire(t, dial(t, addr).conn)
	w.until(t, func(f http2.Frame) bool {
		s, ok := f.(*http2.SettingsFrame)
		if !ok {
			return false
		}
		if v, _ := s.Value(http2.SettingEnableConnectProtocol); v != 1 {
			t.Error("extended CONNECT is not offered")
		}
		return true
	})
	w.block.Reset()
	for _, f := range [][2]string{{":method", "CONNECT"}, {":protocol", "websocket"}, {":scheme", "https"}, {":authority", "load.test"}, {":path", target},
		{"sec-websocket-version", "13"}} {
		_ = w.enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}) // into memory
	}
	if err := w.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: w.block.Bytes(), EndHeaders: true}); err != nil {
		t.Fatal(err)
	}
	w.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	h, ok := w.until(t, func(f http2.Frame) bool { return f.Header().Type == http2.FrameHeaders }).(*http2.MetaHeadersFrame)
	if !ok || h.PseudoValue("status") != "200" {
		t.Fatalf("upgrade: %v", h)
	}
	s := &streamTunnel{Conn: w.conn, w: w}
	return &webSocket{&client{conn: s, in: bufio.NewReader(s)}}, s
}

func (s *streamTunnel) Write(p []byte) (int, error) { return len(p), s.w.WriteData(1, false, p) }

func (s *streamTunnel) Read(p []byte) (int, error) {
	for len(s.got) == 0 {
		if s.ended {
			return 0, io.EOF
		}
		f, err := s.w.ReadFrame()
		if err != nil {
			return 0, err
		}
		switch f := f.(type) {
		case *http2.DataFrame:
			s.got, s.ended = bytes.Clone(f.Data()), f.StreamEnded()
		case *http2.GoAwayFrame:
			s.goAway = append(s.goAway, f.LastStreamID)
		case *http2.RSTStreamFrame:
			return 0, fmt.Errorf("RST_STREAM: %v", f.ErrCode)
		}
	}
	n := copy(p, s.got)
	s.got = s.got[n:]
	return n, nil
}

// Load: tunnels over TLS, by an upgrade of HTTP/1.1 and on streams of HTTP/2. Fault: a roll, after which they may go on for 3 s. Expected: all work until then, and
// then end with a goodbye (1001) between two messages; connections of HTTP/2 with both their GOAWAYs, and no reset.
func TestFaultTunnelsOverTLSEndWithAGoodbye(t *testing.T) {
	many := faultTest(t, 20, 200)
	addr, dir, up := freePort(t), workDir(t), newUpstream(t)
	newIdentity(t, nil, "load.test").put(t, dir)
	i := start(t, secureProxyFor(addr, dir, up, manyGenerations, quickDrain, "grace_period = \"2s\"\ndrain_long_timeout = \"3s\"\n"))
	var tunnels []*webSocket
	var streams []*streamTunnel
	for range many {
		w, s := openStreamWebSocket(t, addr, "/tunnel")
		streams = append(streams, s)
		tunnels = append(tunnels, w, openTLSWebSocket(t, addr, "/tunnel"))
	}
	i.roll()
	rolled := time.Now()
	for n, w := range tunnels {
		if err := w.echo(opText, []byte("still there")); err != nil && time.Since(rolled) < 3*time.Second {
			t.Errorf("tunnel %d: %v", n, err)
		}
	}
	for n, w := range tunnels {
		_ = w.conn.SetDeadline(time.Now().Add(patience))
		op, payload, err := w.receive()
		if err != nil || op != opFinal|opClose || len(payload) < 2 || binary.BigEndian.Uint16(payload) != 1001 {
			t.Fatalf("tunnel %d ended with opcode %x, %q, %v", n, op, payload, err)
		}
		_ = w.send(opFinal|opClose, payload[:2]) // the other side has ended already
		if _, err := w.in.ReadByte(); !errors.Is(err, io.EOF) {
			t.Errorf("tunnel %d, after the goodbye: %v", n, err)
		}
	}
	for n, s := range streams {
		if want := "[2147483647 1]"; fmt.Sprint(s.goAway) != want {
			t.Errorf("connection %d: GOAWAY %v, want %s", n, s.goAway, want)
		}
	}
	if took := time.Since(rolled); took < 2500*time.Millisecond {
		t.Errorf("the tunnels ended after %v", took)
	}
	i.eventually("the end of draining", i.noneDrains)
}

// Load: all clients over TLS on one server, and on another one. Fault: the other one goes by a reload, with a handshake half done. Expected: 0 failed on the one that
// stays, no connection that was served is lost on the other, its handshake is completed and served once, and no connection of HTTP/2 is led away in one step.
func TestFaultASecureServerGoesUnderLoad(t *testing.T) {
	count := faultTest(t, 2, 20)
	addr, dir, up := freePort(t), workDir(t), newUpstream(t)
	newIdentity(t, nil, "load.test").put(t, dir)
	base := secureProxyFor(addr, dir, up, manyGenerations, quickDrain)
	i := start(t, base)
	pids := i.status().pids()
	l := startFaultLoad(t, addr, up, secureClients(t)...)
	for range count {
		other, otherUp := freePort(t), newUpstream(t)
		i.change(base + fmt.Sprintf("\n[servers.other]\naddr = %q\nenabled_h2 = true\nglobal_certificates = true\nlocations = [\"other\"]\n\n[locations.other]\nupstream = \"other\"\n\n[upstreams.other]\naddrs = [%q]\n",
			other, otherUp.Addr))
		added := startFaultLoad(t, other, otherUp, load.Mix{Kind: load.SecureBusy, Clients: 4, Pause: time.Millisecond, Distance: time.Millisecond},
			load.Mix{Kind: load.Streams, Clients: 2, Streams: 8, Pause: 5 * time.Millisecond, Distance: 5 * time.Millisecond, Takes: time.Second})
		added.goesOn(50)
		h := &halting{Conn: dial(t, other).conn, at: 1, reached: make(chan struct{}), goOn: make(chan struct{})}
		served := make(chan struct{})
		go func() { // ends with the request on it
			defer close(served)
			servedOnce(t, h, tls.VersionTLS13)
		}()
		<-h.reached
		time.Sleep(200 * time.Millisecond) // it is accepted: that it waits is the load
		i.change(base)
		i.eventually("an end of the connections", func() error {
			k := added.Report().Kinds
			if k[load.SecureBusy].Ended[load.Refused] == 0 || k[load.Streams].Ended[load.Refused] == 0 {
				return errors.New("still served")
			}
			return nil
		})
		close(h.goOn)
		<-served
		r := added.Stop()
		for _, f := range r.Failures {
			// What gets into the queue of a socket between the last look at it and its end is reset.
			if f.Outcome != load.Refused && !strings.HasPrefix(f.Err.Error(), "handshake: ") {
				t.Errorf("lost: %s", f)
			}
		}
		if total := r.Total(); total.Abrupt > 0 {
			t.Errorf("connections were led away in one step:\n%s", r)
		}
		l.goesOn(100)
		otherUp.Close()
	}
	l.mustLoseNothing()
	if now := i.status().pids(); !slices.Equal(now, pids) {
		t.Errorf("workers were replaced: %v, then %v", pids, now)
	}
}
