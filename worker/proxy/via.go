package proxy

import (
	"context"
	"errors"
	"io"
	"syscall"
	"time"

	"go.uber.org/zap"

	"pingap/message"
	"pingap/worker/certs"
	"pingap/worker/http2/server"
	"pingap/worker/rawio"
	"pingap/worker/secure"
)

// via is what a connection is beyond HTTP/1 in the clear.
type via struct {
	tls    *secure.Conn   // it is encrypted
	mux    *mux           // it serves HTTP/2
	stream *server.Stream // it is a stream of a connection that does
}

// stream returns the stream that the connection stands for; nil for a connection.
func (c *conn) stream() *server.Stream {
	if c.via == nil {
		return nil
	}
	return c.via.stream
}

// mux returns what serves HTTP/2 on the connection; nil if it does not.
func (c *conn) mux() *mux {
	if c.via == nil {
		return nil
	}
	return c.via.mux
}

// setVia makes a connection of HTTP/1 in the clear more than that. The sweeper looks at it.
func (c *conn) setVia(v *via) {
	c.wait.mu.Lock()
	c.via = v
	c.wait.mu.Unlock()
}

// muxLocking is mux for the sweeper.
func (c *conn) muxLocking() *mux {
	c.wait.mu.Lock()
	defer c.wait.mu.Unlock()
	return c.mux()
}

// readNow reads what is at hand on the client's socket, inside its callback; syscall.EAGAIN is nothing.
func (c *conn) readNow(fd uintptr, buf []byte) (int, error) {
	if c.via == nil || c.via.tls == nil {
		n, errno := rawio.Read(fd, buf)
		if errno != 0 {
			return 0, errno
		}
		return n, nil
	}
	n, err := c.via.tls.ReadNow(fd, buf)
	if errors.Is(err, secure.ErrAgain) {
		return 0, syscall.EAGAIN
	}
	return n, err
}

// socketDrained reports, after a read of n bytes where there was room for size, whether nothing can be read before the socket has
// raised another edge.
func (c *conn) socketDrained(n, size int) bool {
	if c.via != nil && c.via.tls != nil {
		return c.via.tls.Drained()
	}
	return n < size
}

// secure makes a new connection a TLS connection. It blocks until the handshake is over.
func (c *conn) secure(server *Server) bool {
	begin := message.Now()
	ctx, cancel := context.WithTimeout(context.Background(), server.HandshakeTimeout)
	defer cancel()
	t := c.p.pools.secure.Server(c.net, c.raw, server.TLS)
	t.SetWriteLimit(server.WriteTimeout)
	if err := t.Handshake(ctx); err != nil {
		c.handshakeFailed(server, err)
		return false
	}
	c.net = t
	c.setVia(&via{tls: t})
	state := t.ConnectionState()
	if state.NegotiatedProtocol == certs.ACME {
		return false // the CA has seen what it wanted to
	}
	took := message.Now() - begin
	server.Counts.Handshake(took)
	c.info.TLS = certs.Describe(&state, time.Duration(took))
	if state.NegotiatedProtocol == certs.HTTP2 {
		c.serveMux(server).h2.Start()
	}
	return true
}

// hintPlain is what a client gets that speaks HTTP to a TLS port.
const hintPlain = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: 50\r\n\r\n" +
	"This port speaks HTTPS. Try again with https://...\n"

// handshakesEvery is how often failed handshakes of clients are logged.
const handshakesEvery = int64(10 * time.Second)

// handshakeFailed answers a client that speaks HTTP in the clear, and logs now and then. Who closes without a word has only looked whether
// somebody listens.
func (c *conn) handshakeFailed(server *Server, err error) {
	var plain *secure.PlainHTTPError
	if errors.As(err, &plain) {
		_ = c.net.SetWriteDeadline(time.Now().Add(time.Second)) // errors end with the connection, which follows
		_, _ = c.net.Write([]byte(hintPlain))
		c.linger = true
	}
	if errors.Is(err, io.EOF) {
		return
	}
	p := c.p
	count, now, last := p.handshakes.Add(1), message.Now(), p.handshakesTold.Load()
	if last != 0 && now-last < handshakesEvery || !p.handshakesTold.CompareAndSwap(last, max(now, 1)) {
		return
	}
	p.handshakes.Add(-count)
	p.log.Info("TLS handshakes with clients failed", zap.String("server", server.Name), zap.ByteString("client", c.info.RemoteText),
		zap.Int64("failures", count), zap.Error(err))
}
