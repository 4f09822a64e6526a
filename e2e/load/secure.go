package load

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// serverName is what clients ask for, in TLS and above it.
const serverName = "load.test"

// clientTLS is for one client. It takes whatever certificate there is: what is served is no matter of load.
func clientTLS(sessions tls.ClientSessionCache, protocols ...string) *tls.Config {
	return &tls.Config{ServerName: serverName, InsecureSkipVerify: true, ClientSessionCache: sessions, NextProtos: protocols}
}

// secure makes it a connection of TLS and says whether a session was resumed.
func (c *connection) secure(sessions tls.ClientSessionCache, limit time.Duration) (resumed bool, err error) {
	inner := tls.Client(c.tcp, clientTLS(sessions, "http/1.1"))
	if err := c.SetDeadline(time.Now().Add(limit)); err != nil {
		return false, fail(Cut, err)
	}
	if err := inner.Handshake(); err != nil {
		return false, fail(Reset, fmt.Errorf("handshake: %w", err))
	}
	c.Conn, c.in = inner, bufio.NewReader(inner)
	return inner.ConnectionState().DidResume, nil
}

// recordTime is for the rest of a record of TLS, of which a part has come.
const recordTime = 200 * time.Millisecond

// closedAbove is closed where bytes have come: of TLS they may be a session ticket, or the end. Where a ticket is all there is, it
// takes recordTime, which is rare: tickets come before the first answer.
func (c *connection) closedAbove() (bool, error) {
	if c.Conn == c.tcp {
		return false, fail(WrongBody, errSurplus)
	}
	if err := c.SetReadDeadline(time.Now().Add(recordTime)); err != nil {
		return false, fail(Cut, err)
	}
	switch _, err := c.in.Peek(1); {
	case err == nil:
		return false, fail(WrongBody, errSurplus)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return false, nil
	case errors.Is(err, io.EOF):
		return true, nil
	default:
		return false, fail(Cut, err)
	}
}
