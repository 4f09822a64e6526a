package server

import (
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pingap/message"
)

// listener serves connections on a socket of the loopback device, as a proxy would.
func listener(t testing.TB, o Options, serve func(*Stream, *message.Request)) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := NewEngine(o)
	var all, accepting sync.WaitGroup
	var conns []net.Conn
	t.Cleanup(func() {
		l.Close()
		accepting.Wait()
		for _, c := range conns { // a client keeps one open whose last request was cancelled
			c.Close()
		}
		all.Wait()
	})
	accepting.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns = append(conns, c)
			all.Go(func() { serveConn(e, c, handler(serve)) })
		}
	})
	return l.Addr().(*net.TCPAddr).Port
}

// transport is the Writer of a socket.
type transport struct{ net.Conn }

func (t transport) Write(p []byte) error {
	if err := t.SetWriteDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	_, err := t.Conn.Write(p)
	return err
}

func serveConn(e *Engine, nc net.Conn, h Handler) {
	defer nc.Close()
	c := e.NewConn(h, transport{nc})
	c.SetAddrs(nc.LocalAddr(), nc.RemoteAddr())
	c.Start()
	buf := make([]byte, 64<<10)
	for {
		n, err := nc.Read(buf)
		if err == nil {
			err = c.Feed(buf[:n])
			if err != nil {
				c.Flush()
				_ = nc.(*net.TCPConn).CloseWrite()
				_ = nc.SetReadDeadline(time.Now().Add(time.Second))
				for err := error(nil); err == nil; {
					_, err = nc.Read(buf)
				}
			}
		}
		if err != nil {
			c.Close(err)
			c.Wait()
			return
		}
	}
}

// All cases of h2spec are run, of the program that PINGAP_H2SPEC names or `make tools` has installed.
func TestH2spec(t *testing.T) {
	program := os.Getenv("PINGAP_H2SPEC")
	if program == "" {
		program = "../../../bin/tools/h2spec"
	}
	if _, err := os.Stat(program); err != nil {
		t.Skipf("no h2spec: %v", err)
	}
	port := listener(t, Options{}, func(s *Stream, req *message.Request) {
		buf := make([]byte, 16<<10)
		for {
			if _, err := s.Read(buf); err != nil {
				break
			}
		}
		answer(s, 200, "hello, this is an answer")
	})
	out, err := exec.Command(program, "-S", "-h", "127.0.0.1", "-p", strconv.Itoa(port), "-o", "3").CombinedOutput()
	text := string(out)
	if err != nil || !strings.Contains(text, "146 tests, 146 passed, 0 skipped, 0 failed") {
		t.Errorf("%v\n%s", err, text[max(0, len(text)-6000):])
	}
}
