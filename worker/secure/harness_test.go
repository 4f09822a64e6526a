package secure

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// bound is how long a test waits for what should happen at once.
const bound = 10 * time.Second

// serverConfig makes a configuration with a certificate for a.test.
func serverConfig(t testing.TB) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a.test"}, DNSNames: []string{"a.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return &tls.Config{Certificates: []tls.Certificate{cert}, DynamicRecordSizingDisabled: true}
}

func clientConfig() *tls.Config {
	return &tls.Config{ServerName: "a.test", InsecureSkipVerify: true}
}

// sockets returns the two ends of a stream socket.
func sockets(t testing.TB) (net.Conn, net.Conn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]net.Conn
	for i, fd := range fds {
		file := os.NewFile(uintptr(fd), "pair")
		if ends[i], err = net.FileConn(file); err != nil {
			t.Fatal(err)
		}
		_ = file.Close()
		t.Cleanup(func() { _ = ends[i].Close() })
	}
	return ends[0], ends[1]
}

// tcp returns the two ends of a TCP connection.
func tcp(t testing.TB) (net.Conn, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = near.Close(); _ = far.Close() })
	return near, far
}

func rawOf(t testing.TB, nc net.Conn) syscall.RawConn {
	t.Helper()
	raw, err := nc.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// tap is the client's end; while held is set what the client writes is kept instead of sent.
type tap struct {
	net.Conn
	held *bytes.Buffer
	sent int // bytes
}

func (p *tap) Write(b []byte) (int, error) {
	p.sent += len(b)
	if p.held != nil {
		return p.held.Write(b)
	}
	return p.Conn.Write(b)
}

// session is a handshaken pair: a server of ours, and a client of crypto/tls.
type session struct {
	*Conn
	raw    syscall.RawConn
	client *tls.Conn
	tap    *tap
}

func handshake(t testing.TB, server, client *tls.Config) *session {
	t.Helper()
	near, far := sockets(t)
	return handshakeOver(t, near, far, new(Buffers), server, client)
}

func handshakeOver(t testing.TB, near, far net.Conn, buffers *Buffers, server, client *tls.Config) *session {
	t.Helper()
	p := &tap{Conn: near}
	s := &session{raw: rawOf(t, far), client: tls.Client(p, client), tap: p}
	s.Conn = buffers.Server(far, s.raw, server)
	done := make(chan error, 1)
	go func() { done <- s.client.Handshake() }() // ends with the handshake
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	if err := s.Handshake(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return s
}

// now calls ReadNow inside Control, as who owns the connection may.
func (s *session) now(p []byte) (n int, err error) {
	cerr := s.raw.Control(func(fd uintptr) { n, err = s.ReadNow(fd, p) })
	if cerr != nil {
		return 0, cerr
	}
	return n, err
}

// drain reads until ErrAgain or another error.
func (s *session) drain(size int) ([]byte, error) {
	var all []byte
	p := make([]byte, size)
	for {
		n, err := s.now(p)
		all = append(all, p[:n]...)
		if err != nil {
			return all, err
		}
	}
}

// serve echoes what comes, in upper case, in the way of worker/proxy: reads and writes in the callback.
// It returns the error that ended it.
func (s *session) serve(p []byte) error {
	var failed error
	err := s.raw.Read(func(fd uintptr) bool {
		for {
			n, err := s.ReadNow(fd, p)
			if err == ErrAgain {
				return false
			}
			if err == nil {
				err = s.WriteNow(fd, []byte("echo:"), bytes.ToUpper(p[:n]))
			}
			if failed = err; err != nil {
				return true
			}
			if s.Drained() {
				return false
			}
		}
	})
	if err != nil {
		return err
	}
	return failed
}

// want reads exactly a text from the client's end.
func (s *session) want(t testing.TB, text string) {
	t.Helper()
	_ = s.client.SetReadDeadline(time.Now().Add(bound))
	buf := make([]byte, len(text))
	if n, err := io.ReadFull(s.client, buf); err != nil || string(buf) != text {
		t.Fatalf("got %q and %v, want %q", clip(buf[:n]), err, clip([]byte(text)))
	}
}

func clip(b []byte) []byte { return b[:min(len(b), 60)] }

func (s *session) say(t testing.TB, text string) {
	t.Helper()
	if _, err := s.client.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}
