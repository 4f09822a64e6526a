package load

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	firstWindow = 65535   // octets, of a connection and of a stream (RFC 9113, 6.9.2)
	ourWindow   = 1 << 20 // what we let the proxy send before we ask for more
	frameSize   = 16384   // the largest payload without another agreement
)

// muxed is a connection of HTTP/2 as a client sees it. Unlike that of net/http it tells what happens to each stream, and never sends anything anew.
type muxed struct {
	tls    *tls.Conn
	framer *http2.Framer // read side: of read alone

	writing sync.Mutex // guards the write side of framer, and the two below
	encoder *hpack.Encoder
	block   bytes.Buffer

	mu      sync.Mutex // guards all below; may be taken while writing is held
	next    uint32     // stream
	streams map[uint32]*flow
	window  int64  // left for bodies
	initial int64  // window of a stream
	told    bool   // GOAWAY has come
	abrupt  bool   // the first one named a stream in use
	lastID  uint32 // of the last one
	err     error  // why the connection has ended
}

// dialMuxed connects and opens with what RFC 9113, 3.4 asks. Somebody calls read next.
func dialMuxed(addr string, sessions tls.ClientSessionCache, limit time.Duration) (*muxed, error) {
	tcp, err := net.DialTimeout("tcp", addr, limit)
	if err != nil {
		return nil, fail(Refused, err)
	}
	c := &muxed{tls: tls.Client(tcp, clientTLS(sessions, "h2")), next: 1, streams: map[uint32]*flow{}, window: firstWindow, initial: firstWindow,
		lastID: math.MaxInt32}
	c.framer = http2.NewFramer(c.tls, c.tls)
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.encoder = hpack.NewEncoder(&c.block)
	if err := c.greet(limit); err != nil {
		tcp.Close()
		return nil, fail(Reset, fmt.Errorf("handshake: %w", err))
	}
	return c, nil
}

func (c *muxed) greet(limit time.Duration) error {
	if err := c.tls.SetDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	if err := c.tls.Handshake(); err != nil {
		return err
	}
	if p := c.tls.ConnectionState().NegotiatedProtocol; p != "h2" {
		return fmt.Errorf("protocol %q", p)
	}
	if err := c.tls.SetDeadline(time.Time{}); err != nil {
		return err
	}
	_, err := c.tls.Write([]byte(http2.ClientPreface))
	return errors.Join(err,
		c.framer.WriteSettings(http2.Setting{ID: http2.SettingEnablePush, Val: 0}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: ourWindow}),
		c.framer.WriteWindowUpdate(0, ourWindow-firstWindow))
}

// usable says whether new streams may be begun. An end that nobody has read yet is one.
func (c *muxed) usable() bool {
	if _, closed, err := peek(c.tls.NetConn().(*net.TCPConn)); closed || err != nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.told && c.err == nil
}

// write calls f, which writes frames.
func (c *muxed) write(f func(*http2.Framer) error) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.tls.SetWriteDeadline(time.Now().Add(answerLimit)); err != nil {
		return err
	}
	return f(c.framer)
}

// read takes frames until the connection ends.
func (c *muxed) read() {
	for {
		f, err := c.framer.ReadFrame()
		if err == nil {
			err = c.take(f)
		}
		if err != nil {
			c.end(err)
			return
		}
	}
}

// end closes the connection. What was begun and not answered to its end has failed.
func (c *muxed) end(why error) {
	c.mu.Lock()
	if c.err == nil {
		c.err = why
	}
	for _, s := range c.streams {
		s.breakOff(Cut, why)
	}
	c.mu.Unlock()
	_ = c.tls.NetConn().Close() // it has ended in any case
}

func (c *muxed) take(f http2.Frame) error {
	switch f := f.(type) {
	case *http2.SettingsFrame:
		return c.takeSettings(f)
	case *http2.PingFrame:
		if !f.IsAck() {
			return c.write(func(w *http2.Framer) error { return w.WritePing(true, f.Data) })
		}
	case *http2.WindowUpdateFrame:
		c.takeWindow(f)
	case *http2.GoAwayFrame:
		return c.takeGoAway(f)
	case *http2.RSTStreamFrame:
		c.on(f.StreamID, func(s *flow) { s.takeReset(f.ErrCode) })
	case *http2.MetaHeadersFrame:
		c.on(f.StreamID, func(s *flow) { s.takeHead(f) })
	case *http2.DataFrame:
		return c.takeData(f)
	}
	return nil
}

// on calls f for a stream that is still of interest, with mu held.
func (c *muxed) on(id uint32, f func(*flow)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.streams[id]; s != nil {
		f(s)
		s.changed.Broadcast()
	}
}

func (c *muxed) takeSettings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	c.mu.Lock()
	if v, ok := f.Value(http2.SettingInitialWindowSize); ok {
		for _, s := range c.streams {
			s.window += int64(v) - c.initial
			s.changed.Broadcast()
		}
		c.initial = int64(v)
	}
	c.mu.Unlock()
	return c.write(func(w *http2.Framer) error { return w.WriteSettingsAck() })
}

func (c *muxed) takeWindow(f *http2.WindowUpdateFrame) {
	if f.StreamID != 0 {
		c.on(f.StreamID, func(s *flow) { s.window += int64(f.Increment) })
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.window += int64(f.Increment)
	for _, s := range c.streams {
		s.changed.Broadcast()
	}
}

// takeGoAway leaves the connection to the streams that will be served; the others were not processed (RFC 9113, 6.8).
func (c *muxed) takeGoAway(f *http2.GoAwayFrame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case f.ErrCode != http2.ErrCodeNo:
		return fmt.Errorf("GOAWAY: %v %.80q", f.ErrCode, f.DebugData())
	case f.LastStreamID > c.lastID:
		return fmt.Errorf("a GOAWAY names stream %d, the one before %d", f.LastStreamID, c.lastID)
	}
	c.abrupt = c.abrupt || !c.told && f.LastStreamID < math.MaxInt32
	c.told, c.lastID = true, f.LastStreamID
	for id, s := range c.streams {
		if id > f.LastStreamID {
			s.refuse()
		}
	}
	return nil
}

func (c *muxed) takeData(f *http2.DataFrame) error {
	c.on(f.StreamID, func(s *flow) { s.takeData(f.Data(), f.StreamEnded()) })
	if f.Length == 0 {
		return nil
	}
	return c.write(func(w *http2.Framer) error {
		err := w.WriteWindowUpdate(0, f.Length)
		if err == nil && !f.StreamEnded() {
			err = w.WriteWindowUpdate(f.StreamID, f.Length)
		}
		return err
	})
}
