package upstream

import (
	"context"
	"sync/atomic"

	"pingap/config"
	"pingap/worker/upstream/spread"
)

// Backend is one address that serves an upstream. It keeps its identity, with its connections and
// counts, while the address stays in the set.
type Backend struct {
	// Addr is the address in logs and fields: "ip:port", "[v6]:port" or "unix:/path".
	Addr string

	owner   *Upstream
	address config.Address // what is dialled
	hash    uint64         // place on the ring
	id      uint64         // what a cookie names it by
	lease   atomic.Pointer[lease]
	since   atomic.Int64 // when it came or became healthy, on the clock of records; 0 is no reason for a slow start
	credit  atomic.Int64 // turns it had in its slow start
	told    int64        // Endpoint.Since of the last time; guarded by Upstream.mu

	top  *Conn            // newest idle connection without a key; guarded by pool.mu
	tops map[string]*Conn // the same by key, where there is one; guarded by pool.mu
	gone bool             // takes no connections back; guarded by pool.mu

	shared shared // connections that several requests use at once

	warned, refusals atomic.Int64 // when a failure of TLS was last logged, and how many came since

	older, newer *Backend // order of use in a transparent upstream; guarded by its mu
}

func newBackend(u *Upstream, address config.Address) *Backend {
	addr := address.String()
	if address.Network == "unix" {
		addr = "unix:" + addr
	}
	b := &Backend{Addr: addr, owner: u, address: address, hash: spread.HashString(addr)}
	if u.sticky != "" {
		b.id = stickyOf(u.Name, addr)
	}
	b.lease.Store(newLease(u, nil))
	return b
}

// Upstream returns the upstream that the backend serves.
func (b *Backend) Upstream() *Upstream { return b.owner }

// Take returns the idle connection for a target that was used last, nil if there is none.
func (b *Backend) Take(t *Target) *Conn { return b.owner.pool.take(b, t.key) }

// Put gives a connection back to the pool. Beyond the bound of the pool the oldest is closed. What TLS has
// read ahead may be a ticket, or an answer that nobody asked for, which must not wait for the next request.
func (b *Backend) Put(c *Conn) { b.PutAt(c, b.owner.now()) }

// PutAt is Put where the time is known.
func (b *Backend) PutAt(c *Conn, now int64) {
	if c.Secure != nil && c.Secure.Pending() && !c.Alive() {
		c.Discard()
		return
	}
	c.Uses++
	if victim := b.owner.pool.put(c, now); victim != nil {
		victim.Discard()
	}
}

// Dial makes a connection for HTTP/1 to the backend, with the handshake of TLS where there is one. The
// error is a *ConnectError. ctx ends the attempt early.
func (b *Backend) Dial(ctx context.Context, t *Target) (*Conn, error) {
	return b.owner.dial(ctx, b, t, false)
}
