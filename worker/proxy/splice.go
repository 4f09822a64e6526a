package proxy

import (
	"errors"
	"io"
	"net"
	"os"
	"time"
)

const (
	// spliceMin is the least rest of a body for which splice is worth its pipe.
	spliceMin = 128 << 10
	// splicePiece is how much is spliced under one deadline; spliceSlow where the client is slow.
	splicePiece = 1 << 20
	spliceSlow  = 64 << 10
)

// mayHandOver reports whether the rest of the response body may go from socket to socket in the kernel.
func (c *conn) mayHandOver(up *upstreamIO) bool {
	r := &c.s.resp
	if r.mode != relayLength || r.left < spliceMin || up.stream != nil {
		return false
	}
	_, from := up.conn.Conn.(*net.TCPConn)
	_, to := c.net.(*net.TCPConn)
	return from && to
}

// handOver asks for the splice; the head must have gone out.
func (c *conn) handOver(up *upstreamIO) bool {
	if c.emit(nil) != nil {
		return up.clientGone()
	}
	up.want = wantSplice
	return true
}

// splice passes the rest of the response body on in the kernel. The callback of the upstream's socket
// has been left: its read lock is needed here.
func (c *conn) splice(up *upstreamIO, readLimit time.Duration) {
	r := &c.s.resp
	from, okFrom := up.conn.Conn.(*net.TCPConn)
	to, okTo := c.net.(*net.TCPConn)
	if !okFrom || !okTo { // mayHandOver has seen to it
		up.failed(502, "InternalError")
		return
	}
	c.wait.leave()
	piece := int64(splicePiece)
	for r.left > 0 {
		if c.cutting() {
			up.failed(503, "Stopping")
			return
		}
		begin := time.Now()
		if up.setReadLimit(begin, readLimit) != nil || to.SetWriteDeadline(begin.Add(c.s.server.WriteTimeout)) != nil {
			up.failed(502, "ReadError")
			return
		}
		n, err := io.CopyN(to, from, min(piece, r.left))
		r.left -= n
		c.s.ex.ResponseBody += n
		if err != nil && !(n > 0 && errors.Is(err, os.ErrDeadlineExceeded)) {
			up.spliceFailed(err)
			return
		}
		if time.Since(begin) > 5*time.Second {
			piece = spliceSlow
		}
	}
	if up.conn.SetReadDeadline(time.Time{}) != nil {
		up.failed(502, "ReadError")
		return
	}
	up.want = wantDone
}

// setReadLimit bounds the reads of the upstream's socket, which are not in the sweeper's care now.
func (up *upstreamIO) setReadLimit(now time.Time, limit time.Duration) error {
	if limit <= 0 {
		return up.conn.SetReadDeadline(time.Time{})
	}
	return up.conn.SetReadDeadline(now.Add(limit))
}

// spliceFailed tells from the error whose side failed.
func (up *upstreamIO) spliceFailed(err error) {
	var op *net.OpError
	switch {
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		up.failed(502, "ConnectionClosed")
	case errors.As(err, &op) && (op.Op == "readfrom" || op.Op == "write" || op.Op == "splice"):
		up.clientGone()
	case errors.Is(err, os.ErrDeadlineExceeded):
		up.failed(504, "ReadTimedout")
	default:
		up.failed(502, "ReadError")
	}
}
