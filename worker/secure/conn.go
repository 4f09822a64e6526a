package secure

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// Conn is a TLS connection. One goroutine may read while another writes. ReadNow and WriteNow are for
// the callback of RawConn.Read on the socket; the methods of net.Conn wait, and must not be called in it
// to read.
type Conn struct {
	tls    *tls.Conn
	link   link
	ready  bool // the handshake is complete
	idle   bool // see Drained
	full   bool // the last read got all that it asked for
	closed atomic.Bool
}

// Server is the server's side of a connection on a socket; raw is that of nc. Call Handshake first.
func (b *Buffers) Server(nc net.Conn, raw syscall.RawConn, cfg *tls.Config) *Conn {
	c := b.newConn(nc, raw)
	c.tls = tls.Server(&c.link, cfg)
	return c
}

// Client is the client's side.
func (b *Buffers) Client(nc net.Conn, raw syscall.RawConn, cfg *tls.Config) *Conn {
	c := b.newConn(nc, raw)
	c.tls = tls.Client(&c.link, cfg)
	return c
}

func (b *Buffers) newConn(nc net.Conn, raw syscall.RawConn) *Conn {
	c := &Conn{link: link{Conn: nc, raw: raw, buffers: b}}
	c.link.onReady = c.link.fill
	return c
}

// Handshake does the handshake; it waits, at most until the deadline of ctx. It closes the connection
// when ctx ends. A client that speaks HTTP in the clear gives a *PlainHTTPError.
func (c *Conn) Handshake(ctx context.Context) error {
	deadline, limited := ctx.Deadline()
	if limited {
		if err := c.link.Conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	if err := c.tls.HandshakeContext(ctx); err != nil {
		return c.handshakeError(ctx, err)
	}
	c.ready = true
	if limited {
		return c.link.Conn.SetDeadline(time.Time{})
	}
	return nil
}

func (c *Conn) handshakeError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var header tls.RecordHeaderError
	if errors.As(err, &header) && header.Conn != nil && isHTTP(header.RecordHeader) {
		// No deadline of ours is in the way of an answer.
		if cerr := c.link.Conn.SetDeadline(time.Time{}); cerr != nil {
			return cerr
		}
		return &PlainHTTPError{Head: header.RecordHeader}
	}
	return err
}

// SetWriteLimit sets how long a write may wait for a socket that is full, inside the callback or
// outside; 0, as at first, leaves that to SetWriteDeadline.
func (c *Conn) SetWriteLimit(limit time.Duration) {
	c.link.mu.Lock()
	c.link.limit = limit
	c.link.mu.Unlock()
}

// ReadNow reads what is at hand into p, inside the callback of RawConn.Read, or of Control by who owns
// the connection alone. fd is the descriptor that the callback got. It returns ErrAgain when the socket has
// nothing, io.EOF after close_notify, io.ErrUnexpectedEOF after a FIN without it.
func (c *Conn) ReadNow(fd uintptr, p []byte) (int, error) {
	if !c.ready {
		return 0, errNotReady
	}
	l := &c.link
	l.fd, l.short = fd, false
	n, err := c.tls.Read(p)
	l.fd = 0
	c.full = n == len(p)
	if n > 0 {
		c.idle = !c.full && l.short && l.r == l.w && l.betweenRecords()
		return n, nil // an error stays, and comes again
	}
	c.idle = err == ErrAgain
	return 0, c.end(err)
}

// Drained reports whether the callback may wait for the next edge right after ReadNow, without calling
// it until ErrAgain. See the package's text on edges.
func (c *Conn) Drained() bool { return c.idle }

// Read waits for plaintext, until the read deadline.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.tls.Read(p)
	c.full = n == len(p)
	if n > 0 {
		return n, nil
	}
	return 0, c.end(err)
}

// Pending reports whether something may be at hand that the socket does not have any more: who waits for
// the socket to become readable must not wait for that. Who reads may ask.
func (c *Conn) Pending() bool { return c.full || c.link.r < c.link.w }

// end tells the end by close_notify from a cut stream.
func (c *Conn) end(err error) error {
	if err == io.EOF && c.link.eof {
		return io.ErrUnexpectedEOF
	}
	return err
}

// WriteNow encrypts the pieces as one message and writes it inside the callback: in one write to the
// socket for every 64 KiB. A full socket is waited for. An error is final.
func (c *Conn) WriteNow(fd uintptr, pieces ...[]byte) error {
	if !c.ready {
		return errNotReady
	}
	_, err := c.write(fd, pieces)
	return err
}

// WriteAll is WriteNow outside the callback.
func (c *Conn) WriteAll(pieces ...[]byte) error { return c.WriteNow(0, pieces...) }

// Write is WriteAll of one piece.
func (c *Conn) Write(p []byte) (int, error) {
	if !c.ready {
		return 0, errNotReady
	}
	pieces := [1][]byte{p}
	return c.write(0, pieces[:])
}

// write encrypts in chunks. The bytes it counts are those that crypto/tls took.
func (c *Conn) write(fd uintptr, pieces [][]byte) (int, error) {
	out := c.link.gather(fd)
	total := 0
	var err error
	for err == nil && len(pieces) > 0 {
		var n int
		if len(pieces) > 1 && len(pieces[0]) < recordMax {
			n, pieces = stage(out.stage[:], pieces)
			n, err = c.tls.Write(out.stage[:n])
		} else {
			n = min(len(pieces[0]), chunk)
			n, err = c.tls.Write(pieces[0][:n])
			pieces = after(pieces, n)
		}
		total += n
	}
	if ferr := c.link.flush(); err == nil {
		err = ferr
	}
	return total, err
}

// Took reports whether the socket took anything of the last message. Where a write failed and it did not,
// the peer knows nothing of the message.
func (c *Conn) Took() bool {
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	return c.link.took
}

// ConnectionState is what the handshake agreed on.
func (c *Conn) ConnectionState() tls.ConnectionState { return c.tls.ConnectionState() }

// NetConn returns the socket.
func (c *Conn) NetConn() net.Conn { return c.link.Conn }

// CloseWrite sends close_notify and ends the sending side.
func (c *Conn) CloseWrite() error {
	if err := c.tls.CloseWrite(); err != nil {
		return err
	}
	if half, ok := c.link.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Close sends close_notify if the socket takes it at once, and closes it. Another goroutine may be
// writing: its write fails.
func (c *Conn) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	if !c.link.mu.TryLock() { // somebody writes and may be waiting for the peer
		return c.link.Conn.Close()
	}
	c.link.mu.Unlock()
	c.link.closing.Store(true)
	return c.tls.Close()
}

// LocalAddr is that of the socket.
func (c *Conn) LocalAddr() net.Addr { return c.link.LocalAddr() }

// RemoteAddr is that of the socket.
func (c *Conn) RemoteAddr() net.Addr { return c.link.RemoteAddr() }

// SetDeadline is that of the socket.
func (c *Conn) SetDeadline(t time.Time) error { return c.link.Conn.SetDeadline(t) }

// SetReadDeadline is that of the socket.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.link.SetReadDeadline(t) }

// SetWriteDeadline is that of the socket.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.link.Conn.SetWriteDeadline(t) }

// Raw returns the socket's descriptor, for the callback. What is read there by any other way than ReadNow
// is ciphertext that the connection then lacks.
func (c *Conn) Raw() syscall.RawConn { return c.link.raw }
