package upstream

import (
	"context"
	"fmt"
	"time"

	"pingap/worker/proxyproto"
)

// proxyVersion reads proxy_protocol; off is 0.
func proxyVersion(text string) proxyproto.Version {
	switch text {
	case "v1":
		return proxyproto.V1
	case "v2":
		return proxyproto.V2
	}
	return 0
}

// introduce sends the PROXY protocol's header, the very first bytes of a connection, before TLS too. They fit
// into the socket's empty buffer; the deadline is for a kernel that has no memory.
func (u *Upstream) introduce(ctx context.Context, c *Conn, t *Target, started int64) error {
	var space [128]byte
	var header []byte
	if t == nil { // a connection of our own
		header = proxyproto.AppendLocal(space[:0], u.proxyVersion)
	} else {
		header = proxyproto.Append(space[:0], u.proxyVersion, t.source, t.destination)
	}
	deadline, ok := ctx.Deadline()
	if limit := u.dialer.Timeout; !ok && limit > 0 {
		deadline = time.Now().Add(max(limit-time.Duration(u.now()-started), time.Millisecond))
	}
	err := c.SetWriteDeadline(deadline)
	if err == nil {
		_, err = c.Write(header)
	}
	if err == nil {
		err = c.SetWriteDeadline(time.Time{})
	}
	if err != nil {
		return connectError(c.Backend.Addr, fmt.Errorf("send the PROXY header: %w", err))
	}
	return nil
}
