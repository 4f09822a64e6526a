package secure

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

func TestRequestsAreServedInsideTheCallback(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			near, far := tcp(t)
			cfg := serverConfig(t)
			cfg.MaxVersion = version
			s := handshakeOver(t, near, far, new(Buffers), cfg, clientConfig())
			if got := s.ConnectionState().Version; got != version {
				t.Fatalf("version %x", got)
			}
			done := make(chan error, 1)
			go func() { done <- s.serve(make([]byte, 4096)) }() // ends when the client closes
			for range 100 {
				s.say(t, "hello")
				s.want(t, "echo:HELLO")
			}
			if err := s.client.Close(); err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != io.EOF {
				t.Errorf("the end is %v, want EOF", err)
			}
			if s.link.in != nil || s.link.out != nil {
				t.Error("an idle connection holds buffers")
			}
		})
	}
}

func TestAPieceOfARecordWaitsForTheRest(t *testing.T) {
	s := handshake(t, serverConfig(t), clientConfig())
	s.tap.held = new(bytes.Buffer)
	s.say(t, "first")
	s.say(t, "second")
	wire := s.tap.held.Bytes()
	var got []byte
	p := make([]byte, 100)
	for i := range wire {
		if _, err := s.tap.Conn.Write(wire[i : i+1]); err != nil {
			t.Fatal(err)
		}
		n, err := s.now(p)
		got = append(got, p[:n]...)
		switch {
		case n == 0 && err != ErrAgain:
			t.Fatalf("byte %d: %v", i, err)
		case n > 0 && (err != nil || !s.Drained()):
			t.Fatalf("byte %d: %d bytes, %v, drained %v", i, n, err, s.Drained())
		}
	}
	if string(got) != "firstsecond" {
		t.Errorf("got %q", got)
	}
}

func TestDrainedTellsWhenTheSocketNeedsNoFurtherRead(t *testing.T) {
	s := handshake(t, serverConfig(t), clientConfig())
	p := make([]byte, 5)
	read := func(want string, drained bool) {
		t.Helper()
		n, err := s.now(p)
		if string(p[:n]) != want || err != nil || s.Drained() != drained {
			t.Errorf("%q, %v, drained %v; want %q, %v", p[:n], err, s.Drained(), want, drained)
		}
	}
	s.say(t, "abc")
	read("abc", true)
	s.say(t, "abcde")
	read("abcde", false) // there may be more in the record
	if !s.Pending() {
		t.Error("nothing is pending")
	}
	if n, err := s.now(p); n != 0 || err != ErrAgain || !s.Drained() || s.Pending() {
		t.Errorf("%d %v %v %v", n, err, s.Drained(), s.Pending())
	}
	s.say(t, "ab")
	s.say(t, "cd")
	read("ab", false) // another record is buffered
	if !s.Pending() {
		t.Error("a record is not pending")
	}
	read("cd", false) // no read of the socket in this call
	s.tap.held = new(bytes.Buffer)
	s.say(t, "xy")
	s.say(t, "zz")
	wire := s.tap.held.Bytes()
	_, _ = s.tap.Conn.Write(wire[:len(wire)-3])
	read("xy", false) // a piece of the next record is there
}

func TestTheEndIsToldFromACutStream(t *testing.T) {
	cases := []struct {
		name string
		end  func(*session) error
		want error
	}{
		{"close_notify", func(s *session) error { return s.client.CloseWrite() }, io.EOF},
		{"close_notify and FIN", func(s *session) error { return s.client.Close() }, io.EOF},
		{"FIN", func(s *session) error { return s.tap.Conn.Close() }, io.ErrUnexpectedEOF},
		{"FIN in a record", func(s *session) error {
			s.tap.held = new(bytes.Buffer)
			_, _ = s.client.Write([]byte("cut"))
			_, _ = s.tap.Conn.Write(s.tap.held.Bytes()[:7])
			return s.tap.Conn.Close()
		}, io.ErrUnexpectedEOF},
	}
	for _, c := range cases {
		for _, now := range []bool{true, false} {
			s := handshake(t, serverConfig(t), clientConfig())
			s.say(t, "last")
			if err := c.end(s); err != nil {
				t.Fatal(err)
			}
			var got []byte
			var err error
			if now {
				got, err = s.drain(100)
			} else {
				_ = s.SetReadDeadline(time.Now().Add(bound))
				got = make([]byte, 4)
				if _, err = io.ReadFull(s, got); err == nil {
					_, err = s.Read(make([]byte, 1))
				}
			}
			if string(got) != "last" || err != c.want {
				t.Errorf("%s, now %v: %q and %v, want %v", c.name, now, got, err, c.want)
			}
		}
	}
}

func TestPlainHTTPIsToldAndCanBeAnswered(t *testing.T) {
	for text, http := range map[string]bool{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n": true, "POST /x HTTP/1.0\r\n\r\n": true, "PRI * HTTP/2.0\r\n\r\n": true,
		"\x80\x2e\x01\x00\x02 old hello":       false,
		"EHLO example.com\r\nMAIL FROM:<>\r\n": false,
	} {
		near, far := tcp(t)
		if _, err := near.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		c := new(Buffers).Server(far, rawOf(t, far), serverConfig(t))
		ctx, cancel := context.WithTimeout(context.Background(), bound)
		err := c.Handshake(ctx)
		cancel()
		var plain *PlainHTTPError
		if err == nil || errors.As(err, &plain) != http {
			t.Errorf("%q: %v", text, err)
		}
		if plain == nil {
			continue
		}
		if string(plain.Head[:]) != text[:5] {
			t.Errorf("%q: head %q", text, plain.Head)
		}
		const answer = "HTTP/1.1 400 Bad Request\r\n\r\n"
		if _, err := c.NetConn().Write([]byte(answer)); err != nil {
			t.Fatal(err)
		}
		_ = near.SetReadDeadline(time.Now().Add(bound))
		got := make([]byte, len(answer))
		if _, err := io.ReadFull(near, got); err != nil || string(got) != answer {
			t.Errorf("%q %v", got, err)
		}
	}
}

func TestAHandshakeEndsAtItsDeadline(t *testing.T) {
	for _, sent := range []string{"", "\x16\x03\x01\x02"} {
		near, far := tcp(t)
		if _, err := near.Write([]byte(sent)); err != nil {
			t.Fatal(err)
		}
		c := new(Buffers).Server(far, rawOf(t, far), serverConfig(t))
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		err := c.Handshake(ctx)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%q: %v", sent, err)
		}
		if c.link.in != nil {
			t.Error("the wait held a buffer")
		}
		if n, err := c.ReadNow(1, make([]byte, 1)); n != 0 || err != errNotReady {
			t.Errorf("read after it: %d %v", n, err)
		}
		if err := c.WriteAll([]byte("x")); err != errNotReady {
			t.Errorf("write after it: %v", err)
		}
	}
}

func TestOurClientReadsSessionTicketsAsNothing(t *testing.T) {
	near, far := tcp(t)
	server := tls.Server(far, serverConfig(t))
	done := make(chan error, 1)
	go func() { done <- server.Handshake() }() // ends with the handshake
	cfg := clientConfig()
	cfg.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	s := &session{raw: rawOf(t, near)}
	s.Conn = new(Buffers).Client(near, s.raw, cfg)
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	if err := s.Handshake(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	// The ticket is on its way or there; no plaintext comes of it.
	if _, err := server.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	var got []byte
	_ = s.SetReadDeadline(time.Now().Add(bound))
	err := s.raw.Read(func(fd uintptr) bool {
		p := make([]byte, 10)
		n, err := s.ReadNow(fd, p)
		got = append(got, p[:n]...)
		return n > 0 || err != ErrAgain
	})
	if err != nil || string(got) != "x" {
		t.Fatalf("%q %v", got, err)
	}
	if _, ok := cfg.ClientSessionCache.Get("a.test"); !ok {
		t.Error("no ticket was kept")
	}
	if _, err := s.drain(10); err != ErrAgain {
		t.Error(err)
	}
}

func TestABlockingReadKeepsToItsDeadlineAndGoesOn(t *testing.T) {
	s := handshake(t, serverConfig(t), clientConfig())
	_ = s.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	p := make([]byte, 10)
	if _, err := s.Read(p); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	if s.link.in != nil {
		t.Error("the wait held a buffer")
	}
	_ = s.SetReadDeadline(time.Now().Add(bound))
	s.say(t, "on")
	if n, err := s.Read(p); string(p[:n]) != "on" || err != nil {
		t.Fatalf("%q %v", p[:n], err)
	}
}

func TestCloseWriteEndsOneDirectionOnly(t *testing.T) {
	near, far := tcp(t)
	s := handshakeOver(t, near, far, new(Buffers), serverConfig(t), clientConfig())
	if err := s.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	_ = s.client.SetReadDeadline(time.Now().Add(bound))
	if n, err := s.client.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("the client reads %d %v", n, err)
	}
	if n, err := near.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("no FIN: %d %v", n, err)
	}
	s.say(t, "still")
	_ = s.SetReadDeadline(time.Now().Add(bound))
	p := make([]byte, 10)
	if n, err := s.Read(p); string(p[:n]) != "still" || err != nil {
		t.Errorf("%q %v", p[:n], err)
	}
}

func TestGarbageEndsTheConnection(t *testing.T) {
	s := handshake(t, serverConfig(t), clientConfig())
	_, _ = s.tap.Conn.Write([]byte("\x17\x03\x03\x00\x20" + strings.Repeat("x", 32)))
	got, err := s.drain(10)
	var alert *net.OpError
	if len(got) > 0 || !errors.As(err, &alert) {
		t.Errorf("%q %v", got, err)
	}
	if _, again := s.drain(10); again != err {
		t.Errorf("the error changed: %v", again)
	}
}
