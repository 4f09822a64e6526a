package load

import (
	"bytes"
	"crypto/tls"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// badPeer is the server's side of a connection of HTTP/2, frame by frame.
type badPeer struct {
	*http2.Framer
	number int // of the connection, from 0
	enc    *hpack.Encoder
	block  bytes.Buffer
}

// answer is a whole answer with a text.
func (p *badPeer) answer(stream uint32, text string) {
	p.fields(stream, false, ":status", "200")
	_ = p.WriteData(stream, true, []byte(text)) // the client notices
}

func (p *badPeer) fields(stream uint32, end bool, names ...string) {
	p.block.Reset()
	for i := 0; i < len(names); i += 2 {
		_ = p.enc.WriteField(hpack.HeaderField{Name: names[i], Value: names[i+1]}) // into memory
	}
	_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: p.block.Bytes(), EndHeaders: true, EndStream: end}) // likewise
}

// badMuxed serves connections of HTTP/2: each request, with its body if it has one, is given to serve, which reports whether the connection goes on.
func badMuxed(t *testing.T, serve func(p *badPeer, stream uint32, key, body string) bool) string {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	t.Cleanup(s.Close)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: s.TLS.Certificates, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() { // ends with the listener
		for n := 0; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { // ends with the connection, which the client closes at the latest
				defer c.Close()
				servePeer(c, n, serve)
			}()
		}
	}()
	return l.Addr().String()
}

func servePeer(c net.Conn, number int, serve func(p *badPeer, stream uint32, key, body string) bool) {
	if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	p := &badPeer{Framer: http2.NewFramer(c, c), number: number}
	p.enc = hpack.NewEncoder(&p.block)
	p.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	_ = p.WriteSettings() // the client notices
	keys, bodies := map[uint32]string{}, map[uint32]string{}
	for {
		f, err := p.ReadFrame()
		if err != nil {
			return
		}
		id := f.Header().StreamID
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			for _, field := range f.RegularFields() {
				if field.Name == "idempotency-key" {
					keys[id] = field.Value
				}
			}
			if f.StreamEnded() && !serve(p, id, keys[id], "") {
				return
			}
		case *http2.DataFrame:
			bodies[id] += string(f.Data())
			if f.Length > 0 {
				_ = p.WriteWindowUpdate(0, f.Length) // likewise
			}
			if f.StreamEnded() && !serve(p, id, keys[id], bodies[id]) {
				return
			}
		}
	}
}

// wellAnswered is what is wanted.
func wellAnswered(p *badPeer, stream uint32, key, body string) bool {
	p.answer(stream, expected(key, body))
	return true
}

func TestEndsOfStreamsAreSeenAsWhatTheyAre(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		first  func(p *badPeer, stream uint32, key, body string) bool // what becomes of a request on the first connection
		want   Outcome                                                // of the first request that ends
		moved  bool
		abrupt bool
		post   bool // look at requests with a body
	}{
		"well":              {first: wellAnswered},
		"wrong body":        {func(p *badPeer, s uint32, key, _ string) bool { p.answer(s, "x"+key); return true }, WrongBody, false, false, false},
		"bad status":        {func(p *badPeer, s uint32, _, _ string) bool { p.fields(s, true, ":status", "503"); return true }, BadStatus, false, false, false},
		"connection closed": {func(*badPeer, uint32, string, string) bool { return false }, Reset, false, false, false},
		"closed within": {func(p *badPeer, s uint32, _, _ string) bool {
			p.fields(s, false, ":status", "200")
			return false
		}, Cut, false, false, false},
		"reset": {func(p *badPeer, s uint32, _, _ string) bool {
			_ = p.WriteRSTStream(s, http2.ErrCodeInternal)
			return true
		}, Reset, false, false, false},
		"refused": {func(p *badPeer, s uint32, key, body string) bool {
			if s == 1 {
				_ = p.WriteRSTStream(s, http2.ErrCodeRefusedStream)
				return true
			}
			return wellAnswered(p, s, key, body)
		}, OK, true, false, false},
		"refused with a body": {func(p *badPeer, s uint32, key, body string) bool {
			if body != "" {
				_ = p.WriteRSTStream(s, http2.ErrCodeRefusedStream)
				return true
			}
			return wellAnswered(p, s, key, body)
		}, Reset, false, false, true},
		"led away in one step": {func(p *badPeer, s uint32, key, body string) bool {
			if p.number == 0 {
				_ = p.WriteGoAway(0, http2.ErrCodeNo, nil)
				return false
			}
			return wellAnswered(p, s, key, body)
		}, OK, true, true, false},
		"led away in two": {func(p *badPeer, s uint32, key, body string) bool {
			if p.number == 0 {
				_ = p.WriteGoAway(math.MaxInt32, http2.ErrCodeNo, nil)
				_ = p.WriteGoAway(s, http2.ErrCodeNo, nil)
				wellAnswered(p, s, key, body)
				return false
			}
			return wellAnswered(p, s, key, body)
		}, OK, false, false, false},
		"an error of the connection": {func(p *badPeer, s uint32, _, _ string) bool {
			_ = p.WriteGoAway(s, http2.ErrCodeProtocol, nil)
			return true
		}, Reset, false, false, false},
		"a GOAWAY that takes back": {func(p *badPeer, s uint32, _, _ string) bool {
			_ = p.WriteGoAway(s, http2.ErrCodeNo, nil)
			_ = p.WriteGoAway(s+2, http2.ErrCodeNo, nil)
			return true
		}, Reset, false, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := badMuxed(t, c.first)
			l := Start(addr, Mix{Kind: Streams, Clients: 1, Pause: time.Millisecond})
			until(t, "an end", func() bool {
				k := l.Report().Kinds[Streams]
				return k.Ended[c.want] >= 3
			})
			r := l.Stop()
			k := &r.Kinds[Streams]
			if c.want != OK && !c.post && k.OK() > 0 || c.want == OK && k.Failed() > 0 {
				t.Errorf("%d well, failed: %s", k.OK(), r)
			}
			if (k.Moved > 0) != c.moved || (k.Abrupt > 0) != c.abrupt {
				t.Errorf("%d moved, %d abrupt", k.Moved, k.Abrupt)
			}
		})
	}
}

// A proxy that ends a call as unavailable, with the echo of a message or in place of it, has lost nothing; with another status it has.
func TestCallsThatTheProxyEndsAreMadeAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status string
		echo   bool
		fails  bool
	}{
		"unavailable after an echo":      {"14", true, false},
		"unavailable instead of an echo": {"14", false, false},
		"internal":                       {"13", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := secured(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/grpc")
				_ = http.NewResponseController(w).Flush() // the client notices, as below
				for n := range 3 {
					var head [5]byte
					if _, err := io.ReadFull(r.Body, head[:]); err != nil {
						w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
						return
					}
					text := make([]byte, head[4])
					_, _ = io.ReadFull(r.Body, text)
					if n < 2 || c.echo {
						_, _ = w.Write(append(head[:], text...))
						_ = http.NewResponseController(w).Flush()
					}
				}
				w.Header().Set(http.TrailerPrefix+"Grpc-Status", c.status)
			}))
			l := Start(addr, Mix{Kind: Calls, Clients: 1, Pause: 20 * time.Millisecond, Takes: time.Minute})
			until(t, "an end", func() bool {
				k := l.Report().Kinds[Calls]
				return k.Reopened+k.Moved >= 3 || k.Failed() >= 3
			})
			r := l.Stop()
			if k := &r.Kinds[Calls]; (r.Err() != nil) != c.fails || !c.fails && (k.Reopened > 0) != c.echo {
				t.Errorf("%v\n%s", r.Err(), r)
			}
		})
	}
}
