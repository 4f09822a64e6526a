package client

import (
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
)

// cipher is a transport like that of worker/secure: its bytes are changed, and read in small records inside the callback.
type cipher struct {
	*hidden
	raw     syscall.RawConn
	drained bool
}

type hidden struct{ net.Conn }

type again struct{}

func (again) Error() string   { return "again" }
func (again) Temporary() bool { return true }

func (c *cipher) Raw() syscall.RawConn { return c.raw }
func (c *cipher) Drained() bool        { return c.drained }

func (c *cipher) ReadNow(fd uintptr, p []byte) (int, error) {
	p = p[:min(len(p), 1000)]
	n, errno := rawRead(fd, p)
	c.drained = errno == 0 && n > 0 && n < len(p)
	switch {
	case errno == syscall.EAGAIN:
		return 0, again{}
	case errno != 0:
		return 0, errno
	case n == 0:
		return 0, io.EOF
	}
	for i := range p[:n] {
		p[i] ^= 0x55
	}
	return n, nil
}

func (c *cipher) Write(p []byte) (int, error) {
	q := make([]byte, len(p))
	for i := range p {
		q[i] = p[i] ^ 0x55
	}
	return c.Conn.Write(q)
}

func TestATransportIsReadInsideItsCallback(t *testing.T) {
	checkLeaks(t)
	addr := listenH2(t, fickle, false)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() { // one connection, translated; ends with it
		in, err := ln.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		plain := &cipher{hidden: &hidden{in}}
		go func() {
			_, _ = io.Copy(plain, out)
			in.Close()
		}()
		buf := make([]byte, 1<<14)
		for {
			n, err := in.Read(buf)
			for i := range buf[:n] {
				buf[i] ^= 0x55
			}
			if _, werr := out.Write(buf[:n]); err != nil || werr != nil {
				out.Close()
				return
			}
		}
	}()
	nc, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := nc.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	c := watch(t, New(&cipher{hidden: &hidden{nc}, raw: raw}, Options{}))
	if c.now == nil || c.raw != nil {
		t.Fatal("the transport was not recognised")
	}
	done := make(chan error, 20)
	for g := range cap(done) {
		go func() {
			for i := range 30 {
				if err := one(c, g*1000+i); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if resp, _ := complete(t, get(t, c, "/14")); resp.Status != http.StatusOK {
		t.Errorf("status %d", resp.Status)
	}
}
