//go:build !race

// Under the race detector sync.Pool drops at random what it is given: nothing here could hold.

package secure

import (
	"crypto/tls"
	"io"
	"runtime"
	"testing"
)

// exchange is one request of 400 bytes and its answer of a head and 200 bytes.
func (s *session) exchange(b testing.TB, p, head, body []byte) {
	if _, err := s.client.Write(p[:400]); err != nil {
		b.Fatal(err)
	}
	fd := uintptr(0)
	_ = s.raw.Control(func(f uintptr) { fd = f })
	if n, err := s.ReadNow(fd, p); n != 400 || err != nil || !s.Drained() {
		b.Fatal(n, err)
	}
	if err := s.WriteNow(fd, head, body); err != nil {
		b.Fatal(err)
	}
	if _, err := io.ReadFull(s.client, p[:len(head)+len(body)]); err != nil {
		b.Fatal(err)
	}
}

// crypto/tls makes one small value for each piece of a record that it reads: ours and the client's. The
// calls of Control are the test's.
func TestARequestAllocatesNextToNothing(t *testing.T) {
	s := handshake(t, serverConfig(t), clientConfig())
	p, head, body := make([]byte, 4096), make([]byte, 250), make([]byte, 200)
	fd := uintptr(0)
	_ = s.raw.Control(func(f uintptr) { fd = f })
	s.exchange(t, p, head, body)
	ours := testing.AllocsPerRun(200, func() {
		if _, err := s.client.Write(p[:400]); err != nil {
			t.Fatal(err)
		}
		if n, err := s.ReadNow(fd, p); n != 400 || err != nil {
			t.Fatal(n, err)
		}
	})
	if ours > 2 { // measured: 1
		t.Errorf("reading a request allocates %v times", ours)
	}
	if s.link.in != nil || s.link.out != nil {
		t.Error("buffers are held")
	}
	go io.Copy(io.Discard, s.tap.Conn) // ends with the connection
	writing := testing.AllocsPerRun(200, func() {
		if err := s.WriteNow(fd, head, body); err != nil {
			t.Fatal(err)
		}
	})
	if writing > 0 {
		t.Errorf("writing an answer allocates %v times", writing)
	}
}

func BenchmarkExchange(b *testing.B) {
	s := handshake(b, serverConfig(b), clientConfig())
	p, head, body := make([]byte, 4096), make([]byte, 250), make([]byte, 200)
	b.ReportAllocs()
	for b.Loop() {
		s.exchange(b, p, head, body)
	}
}

// An idle connection after small requests holds at most 16 KiB, the state of crypto/tls and the
// socket's own included.
func TestAnIdleConnectionIsSmall(t *testing.T) {
	const count = 200
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		buffers, cfg := new(Buffers), serverConfig(t)
		cfg.MaxVersion = version
		kept := make([]*Conn, 0, count)
		ends := make([]io.Closer, 0, count)
		before := heap()
		for range count {
			near, far := sockets(t)
			s := handshakeOver(t, near, far, buffers, cfg, clientConfig())
			s.exchange(t, make([]byte, 1024), make([]byte, 250), make([]byte, 200))
			kept, ends = append(kept, s.Conn), append(ends, near)
		}
		per := (heap() - before) / count
		t.Logf("%s: %d bytes a connection", tls.VersionName(version), per)
		if per > 16<<10 {
			t.Errorf("%s: %d bytes an idle connection", tls.VersionName(version), per)
		}
		for i := range kept {
			_ = kept[i].Close()
			_ = ends[i].Close()
		}
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
