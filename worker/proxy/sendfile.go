package proxy

import (
	"errors"
	"io"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"pingap/plugins"
	"pingap/worker/rawio"
)

const (
	// sendfileMin is the least length of a file for which sendfile is worth a system call of its own: up to here head and body are one write.
	sendfileMin = 16 << 10
	// frontRoom is what stays free in front of bytes that were read from a file, for the head.
	frontRoom = 1 << 10
	// sendfilePiece is how much is sent between two looks whether the time is up.
	sendfilePiece = 1 << 20
)

// sendFile sends a part of a file.
func (c *conn) sendFile(f *plugins.FilePart) error {
	c.busy()
	if c.s.resp.mode == relayLength && c.via == nil && c.raw != nil && f.Length > sendfileMin {
		return c.sendfile(f)
	}
	return c.readFile(f)
}

// readFile sends it in pieces that pass through our memory.
func (c *conn) readFile(f *plugins.FilePart) error {
	r := &c.s.resp
	buf := c.p.pools.bodyBuffer()
	defer c.p.pools.body.Put(buf)
	defer func() { r.front = nil }()
	for at := int64(0); at < f.Length || at == 0; {
		p := buf[frontRoom:]
		p = p[:min(int64(len(p)), f.Length-at)]
		n, err := f.File.ReadAt(p, f.Offset+at)
		if n < len(p) {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return &sourceError{err}
		}
		r.front = buf[:frontRoom]
		if err := c.passPiece(p); err != nil || len(p) == 0 {
			return err
		}
		at += int64(n)
	}
	return nil
}

// sendfile sends it inside the kernel, with the head before it in the same packet.
func (c *conn) sendfile(f *plugins.FilePart) error {
	s, r := c.s, &c.s.resp
	r.headOnly = false
	if err := c.writeMore(s.out); err != nil {
		return err
	}
	fd, at := int(f.File.Fd()), f.Offset // the file stays open: the answer has it
	var waiting func(uintptr) bool
	piece := &filePiece{from: fd, at: at}
	for r.left > 0 {
		if c.cutting() {
			return errStopping
		}
		piece.begin(r.left)
		if s.fd != 0 && waiting == nil {
			piece.send(s.fd)
		}
		if piece.n == 0 && piece.err == nil {
			if waiting == nil {
				waiting = piece.send
			}
			if err := c.net.SetWriteDeadline(time.Now().Add(s.server.WriteTimeout)); err != nil {
				return err
			}
			if err := c.raw.Write(waiting); err != nil {
				return err
			}
		}
		r.left -= piece.n
		s.ex.ResponseBody += piece.n
		switch {
		case piece.err == errShortFile:
			return &sourceError{io.ErrUnexpectedEOF}
		case piece.err != nil:
			return piece.err
		}
	}
	return nil
}

// errShortFile is a file that has become shorter.
var errShortFile = errors.New("the file is shorter than it was")

// filePiece is a piece of a file on its way to a socket.
type filePiece struct {
	from int
	at   int64 // in the file
	want int64
	n    int64 // sent
	err  error
}

func (p *filePiece) begin(left int64) { p.want, p.n, p.err = min(left, sendfilePiece), 0, nil }

// send sends what the socket takes. It is a callback of RawConn.Write, which is left as soon as anything went: the time limit is for a
// client that takes nothing.
func (p *filePiece) send(fd uintptr) bool {
	for {
		n, err := unix.Sendfile(int(fd), p.from, &p.at, int(p.want))
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return false
		case err != nil:
			p.err = err
			if err == unix.EIO || err == unix.EOVERFLOW {
				p.err = &sourceError{err}
			}
		case n == 0:
			p.err = errShortFile
		default:
			p.n = int64(n)
		}
		return true
	}
}

// writeMore sends b, and has the kernel wait for what follows at once to fill the packet.
func (c *conn) writeMore(b []byte) error {
	if c.s.fd != 0 {
		n, errno := rawio.WriteMore(c.s.fd, b)
		if errno != 0 && errno != syscall.EAGAIN {
			return errno
		}
		if b = b[n:]; len(b) == 0 {
			return nil
		}
	}
	return c.writeSlow(b)
}
