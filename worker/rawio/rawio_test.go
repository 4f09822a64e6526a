package rawio

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
)

func TestPiecesOfAFileFollowAHead(t *testing.T) {
	f, err := os.Create(t.TempDir() + "/f")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	content := strings.Repeat("0123456789", 500_000)
	if _, err := f.WriteString(content); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	sent := make(chan error, 1)
	go func() { sent <- sendAll(ln, f, int64(len(content))) }() // ends with its connection
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	got, err := io.ReadAll(c)
	if err != nil || string(got) != "head "+content[3:] {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	if err := <-sent; !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("behind the end: %v", err)
	}
}

// sendAll sends a head and the file from its fourth byte on, asking for more than there is.
func sendAll(ln net.Listener, f *os.File, size int64) error {
	c, err := ln.Accept()
	if err != nil {
		return err
	}
	defer c.Close()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		return err
	}
	err = raw.Write(func(fd uintptr) bool {
		n, errno := WriteMore(fd, []byte("head "))
		return n == 5 || errno != 0
	})
	p := FilePiece{File: int(f.Fd()), At: 3}
	for total := int64(0); err == nil; total += p.Sent {
		p.Begin(size - total)
		if err = raw.Write(p.Send); err == nil {
			err = p.Err
		}
	}
	return err
}
