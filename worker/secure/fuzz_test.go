package secure

import (
	"bytes"
	"crypto/tls"
	"io"
	"testing"
)

// FuzzAgainReader cuts a valid stream of records into the pieces that the input tells, spoils a byte
// where the input says so, and reads it with an "again" after each piece. What comes out must be what
// went in, up to the byte that was spoilt, and that must be an error.
func FuzzAgainReader(f *testing.F) {
	f.Add([]byte("hello"), []byte{1, 1, 1, 1, 1, 30, 2}, uint16(0), byte(0), byte(0))
	f.Add(bytes.Repeat([]byte("large "), 6000), []byte{255, 4, 5, 200}, uint16(0), byte(0), byte(1))
	f.Add([]byte("spoilt by one bit"), []byte{3, 20}, uint16(9), byte(1), byte(0))
	f.Add([]byte("a length that lies"), []byte{5}, uint16(3), byte(0x40), byte(0))
	f.Add([]byte{}, []byte{}, uint16(0), byte(0), byte(1))
	f.Add(bytes.Repeat([]byte{0}, 300), []byte{0, 0, 7}, uint16(400), byte(255), byte(1))
	server := serverConfig(f)
	f.Fuzz(func(t *testing.T, plain, cuts []byte, at uint16, flip, version byte) {
		cfg := clientConfig()
		cfg.MaxVersion = tls.VersionTLS12 + uint16(version&1)
		s := handshake(t, server, cfg)
		wire := sealed(t, s, plain)
		spoilt := flip != 0 && int(at) < len(wire)
		if spoilt {
			wire[at] ^= flip
		}
		got, err := feed(t, s, wire, cuts)
		if !bytes.HasPrefix(plain, got) {
			t.Fatalf("got %q, which is not the beginning of %q", clip(got), clip(plain))
		}
		switch {
		case !spoilt && (err != ErrAgain || len(got) != len(plain)):
			t.Fatalf("%d of %d bytes, %v", len(got), len(plain), err)
		case spoilt && err == ErrAgain && len(got) == len(plain) && len(plain) > 0:
			t.Fatal("a spoilt stream was read to its end")
		case err == io.EOF:
			t.Fatal("close_notify where there is none")
		}
	})
}

// sealed returns the records of a text in pieces of up to 1,000 bytes and more.
func sealed(t *testing.T, s *session, plain []byte) []byte {
	t.Helper()
	s.tap.held = new(bytes.Buffer)
	for size := 1000; len(plain) > 0; size *= 3 {
		n := min(size, len(plain))
		if _, err := s.client.Write(plain[:n]); err != nil {
			t.Fatal(err)
		}
		plain = plain[n:]
	}
	return s.tap.held.Bytes()
}

// feed sends the wire in pieces as long as cuts say, the rest at once, and reads after each.
func feed(t *testing.T, s *session, wire, cuts []byte) (got []byte, err error) {
	t.Helper()
	err = ErrAgain
	for len(wire) > 0 && err == ErrAgain {
		n := len(wire)
		if len(cuts) > 0 {
			n, cuts = min(n, int(cuts[0])+1), cuts[1:]
		}
		n = min(n, 64<<10) // what the socket pair holds for certain
		if _, werr := s.tap.Conn.Write(wire[:n]); werr != nil {
			t.Fatal(werr)
		}
		wire = wire[n:]
		var piece []byte
		piece, err = s.drain(700)
		got = append(got, piece...)
	}
	return got, err
}
