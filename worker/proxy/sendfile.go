package proxy

import (
	"io"
	"syscall"
	"time"

	"pingap/plugins"
	"pingap/worker/rawio"
)

const (
	// sendfileMin is the least length of a file for which sendfile is worth a system call of its own: up to here head and body are one write.
	sendfileMin = 8 << 10
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
	piece := rawio.FilePiece{File: int(f.File.Fd()), At: f.Offset} // the file stays open: the answer has it
	waiting := false
	for r.left > 0 {
		if c.cutting() {
			return errStopping
		}
		piece.Begin(min(r.left, sendfilePiece))
		if s.fd != 0 && !waiting {
			piece.Send(s.fd)
		}
		if waiting = piece.Sent == 0 && piece.Err == nil; waiting {
			if err := c.net.SetWriteDeadline(time.Now().Add(s.server.WriteTimeout)); err != nil {
				return err
			}
			if err := c.raw.Write(piece.Send); err != nil {
				return err
			}
		}
		r.left -= piece.Sent
		s.ex.ResponseBody += piece.Sent
		switch {
		case piece.Err == io.ErrUnexpectedEOF, piece.Err == syscall.EIO:
			return &sourceError{piece.Err}
		case piece.Err != nil:
			return piece.Err
		}
	}
	return nil
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
