package secure

import (
	"bytes"
	"crypto/tls"
	"io"
	"sync"
	"testing"
	"time"
)

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7 >> 3)
	}
	return b
}

// One goroutine reads while another writes, as in a tunnel or with an upload; with small records first, as
// crypto/tls has them unless told otherwise.
func TestBothDirectionsAtOnceArriveWhole(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS12, tls.VersionTLS13} {
		near, far := tcp(t)
		cfg, client := serverConfig(t), clientConfig()
		cfg.DynamicRecordSizingDisabled = false
		cfg.MinVersion, client.MinVersion, client.MaxVersion = tls.VersionTLS10, tls.VersionTLS10, version
		s := handshakeOver(t, near, far, new(Buffers), cfg, client)
		down, up := pattern(3<<20), pattern(2<<20+17)
		var wait sync.WaitGroup
		send := func(write func([]byte) (int, error), b []byte) {
			for len(b) > 0 {
				n, err := write(b[:min(len(b), 100_000)])
				if err != nil {
					t.Error(err)
					return
				}
				b = b[n:]
			}
		}
		receive := func(r io.Reader, want []byte) {
			got := make([]byte, len(want))
			if n, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %d bytes, %v", tls.VersionName(version), n, err)
			}
		}
		_ = s.SetDeadline(time.Now().Add(bound))
		_ = s.client.SetDeadline(time.Now().Add(bound))
		wait.Go(func() { send(s.Write, down) })
		wait.Go(func() { send(s.client.Write, up) })
		wait.Go(func() { receive(s.client, down) })
		receive(s, up)
		wait.Wait()
	}
}

func TestReadingGoesOnInTheCallbackWhereABlockingReadEnded(t *testing.T) {
	s := handshake(t, serverConfig(t), clientConfig())
	s.say(t, "one two")
	s.say(t, "three")
	_ = s.SetReadDeadline(time.Now().Add(bound))
	p := make([]byte, 4)
	if n, err := s.Read(p); string(p[:n]) != "one " || err != nil || !s.Pending() {
		t.Fatalf("%q %v", p[:n], err)
	}
	if got, err := s.drain(100); string(got) != "twothree" || err != ErrAgain {
		t.Errorf("%q %v", got, err)
	}
	s.say(t, "four")
	if n, err := s.Read(p); string(p[:n]) != "four" || err != nil {
		t.Errorf("%q %v", p[:n], err)
	}
}
