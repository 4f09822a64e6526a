package proxy

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"pingap/message"
	"pingap/worker/drain"
	"pingap/worker/http2/server"
)

// finalAfter is how long after the first GOAWAY the final one follows: streams that were on their way then are still served
// (RFC 9113 section 6.8).
const finalAfter = int64(time.Second)

// mux serves the streams of an HTTP/2 connection. The connection's goroutine reads and hands out streams; each is served by a
// goroutine of its own (stream.go). Whoever writes, writes what others have queued as well.
type mux struct {
	c  *conn
	h2 *server.Conn

	requests atomic.Uint64
	broken   atomic.Bool   // the engine has ended the connection
	hurried  atomic.Bool   // it is being closed: what is written has little time
	cutWhy   atomic.Uint32 // why a stream was cut: a drain.Why

	// first is the request that came with an offer of HTTP/2, until the client speaks that: some take no more than a little behind the
	// answer to their offer. Of the connection's goroutine.
	first *streamConn

	// of the sweeper
	told  int64 // when the client was told that the connection comes to its end, 0 for not
	final bool  // and that no stream will be begun any more

	mu      sync.Mutex
	list    conn // guarded by mu: ring of the streams being served
	count   int  // likewise: their number
	closing bool // likewise: no stream is served any more
	ended   sync.WaitGroup
}

// serveMux makes a connection one that serves HTTP/2.
func (c *conn) serveMux(s *Server) *mux {
	m := &mux{c: c}
	m.list.before, m.list.after = &m.list, &m.list
	m.h2 = s.HTTP2.NewConn(m, m)
	m.h2.SetAddrs(c.net.LocalAddr(), c.net.RemoteAddr())
	v := via{mux: m}
	if c.via != nil {
		v.tls = c.via.tls
	}
	c.setVia(&v)
	c.fn = m.onReadable
	return m
}

// onReadable is the callback of RawConn.Read in place of conn.onReadable: it feeds what comes to the engine. What that has to say
// is written by others: who reads from the client must not wait for it to read.
func (m *mux) onReadable(fd uintptr) bool {
	c := m.c
	buf := c.p.pools.bodyBuffer()
	defer c.p.pools.body.Put(buf)
	for {
		n, drained, err := m.gather(fd, buf[:])
		if n > 0 {
			if broken := m.feed(buf[:n]); broken != nil {
				c.linger, err = true, broken // so that it reads the GOAWAY
			}
		}
		if err != nil {
			m.h2.Flush()
			c.next = nextClose
			return true
		}
		if drained {
			return false
		}
	}
}

// feed hands what came to the engine.
func (m *mux) feed(p []byte) error {
	if err := m.h2.Feed(p); err != nil {
		return err
	}
	if k := m.first; k != nil && len(p) > 0 {
		m.first = nil
		m.serve(k)
	}
	return nil
}

// gather reads what is at hand. Over TLS a read ends with each record, and a client makes one of each small request: the engine is
// to see them together.
func (m *mux) gather(fd uintptr, buf []byte) (n int, drained bool, err error) {
	for n < len(buf)/2 {
		room := buf[n:]
		got, err := m.c.readNow(fd, room)
		n += got
		switch {
		case err == syscall.EAGAIN:
			return n, true, nil
		case err != nil:
			return n, false, err
		case got == 0:
			return n, false, io.EOF
		case m.c.socketDrained(got, len(room)):
			return n, true, nil
		}
	}
	return n, false, nil
}

// settle gives a connection that has just become one of HTTP/2 the times of an idle one, unless a stream is served already.
func (m *mux) settle() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.count == 0 {
		m.c.idle(message.Now())
	}
}

// closeWait is the longest that a client that is led away may take for the last bytes.
const closeWait = time.Second

// Write implements server.Writer.
func (m *mux) Write(p []byte) error {
	limit := m.c.p.writeTimeout(m.c.server)
	if m.hurried.Load() {
		limit = closeWait
	}
	if err := m.c.net.SetWriteDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	_, err := m.c.net.Write(p)
	return err
}

// begin links a stream. It reports false when none is served any more.
func (m *mux) begin(k *conn) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closing {
		return false
	}
	k.after, k.before = &m.list, m.list.before
	m.list.before.after, m.list.before = k, k
	if m.count++; m.count == 1 {
		m.c.busy()
	}
	m.ended.Add(1)
	return true
}

// noteCut remembers a stream that was cut while the worker drains.
func (m *mux) noteCut(k *conn) {
	if k.end != drain.Cut {
		return
	}
	why := k.cutWhy.Load()
	if why == uint32(drain.NotCut) { // with its connection
		why = uint32(drain.Stop)
	}
	m.cutWhy.CompareAndSwap(uint32(drain.NotCut), why)
}

// end unlinks a stream. After the last one the connection is idle.
func (m *mux) end(k *conn) {
	m.mu.Lock()
	k.before.after, k.after.before = k.after, k.before
	k.before, k.after = nil, nil
	if m.count--; m.count == 0 && !m.closing {
		m.c.idle(message.Now())
	}
	m.mu.Unlock()
	m.ended.Done()
}

// close ends all streams and waits for them. The connection is closed next.
func (m *mux) close() {
	m.mu.Lock()
	m.closing = true
	m.mu.Unlock()
	m.hurried.Store(true)
	_ = m.c.net.SetWriteDeadline(time.Now().Add(closeWait)) // for a write under way
	m.h2.GoAway()
	m.h2.Flush()
	m.h2.Close(net.ErrClosed)
	if k := m.first; k != nil {
		m.first = nil
		k.own.stream.Release()
		k.giveBack()
	}
	m.mu.Lock()
	for k := m.list.after; k != &m.list; k = k.after {
		k.wait.mu.Lock()
		if k.wait.phase == phaseUpstream && k.wait.fired == causeNone {
			k.wait.fireLocked(causeClientOut)
		}
		k.wait.mu.Unlock()
	}
	m.mu.Unlock()
	m.ended.Wait()
	m.h2.Wait()
}

// sweep does what the sweeper does with a connection, for an HTTP/2 connection and its streams. It reports whether there are any.
func (m *mux) sweep(now int64, plan *drain.Plan) (busy bool) {
	m.mu.Lock()
	for k := m.list.after; k != &m.list; k = k.after {
		if plan == nil || !k.cutOver(plan, now) {
			k.check(now, false)
		}
	}
	busy = m.count > 0
	m.mu.Unlock()
	m.tell(now)
	if m.h2.Tick(now) != nil && !m.broken.Swap(true) {
		m.c.interrupt()
	}
	return busy
}

// tell leads the client away in two steps when the connection comes to its end.
func (m *mux) tell(now int64) {
	c := m.c
	switch {
	case m.told == 0:
		e := c.p.ending(c.server)
		if !(e != nil && e.IdleOver(c.info.ID, e.Since(), now)) && !m.worn() && !c.idleOver(now) {
			return
		}
		m.told = now
		m.h2.Shutdown()
	case !m.final && now-m.told > finalAfter:
		m.final = true
		m.h2.GoAway()
	}
}

// idleOver reports whether the time of an idle connection is up.
func (c *conn) idleOver(now int64) bool {
	w := &c.wait
	w.mu.Lock()
	defer w.mu.Unlock()
	return (w.phase == phaseIdle || w.phase == phaseParked) && w.deadline > 0 && now > w.deadline
}

// mayClose reports whether an idle connection may be closed: the client knows, and had time to finish what it had begun.
func (m *mux) mayClose(now int64) bool { return m.final && now-m.told > 2*finalAfter }

// worn reports whether the connection has served as many requests as it may.
func (m *mux) worn() bool {
	s := m.c.p.server(m.c.server)
	return s != nil && s.KeepAliveRequests > 0 && m.requests.Load() >= s.KeepAliveRequests
}
