package worker

import (
	"errors"
	"fmt"
	"math/bits"
	"net"
	"os"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"pingap/ipc"
	"pingap/worker/proxy"
)

// reserve is the number of descriptors that clients and upstreams leave to everything else.
const reserve = 64

// listener is one address that the supervisor bound.
type listener struct {
	ipc.Listener
	index   int // in proxy.Site.Servers
	net     net.Listener
	closing chan struct{}
}

// takeListeners makes listeners of the descriptors. The sockets are shared with the other workers: nothing here may change
// their flags or shut them down.
func (w *worker) takeListeners(m *ipc.Message, given []ipc.Listener) error {
	for i, l := range given {
		fd, err := m.Take(l.FD)
		if err != nil {
			return refuse(ipc.CodeInvalid, l.Address, err)
		}
		ln, err := listenerOf(fd, l.Address)
		if err != nil {
			return refuse(ipc.CodeResources, l.Address, err)
		}
		w.listeners = append(w.listeners, &listener{Listener: l, index: i + 1, net: ln, closing: make(chan struct{})})
	}
	return nil
}

// listenerOf takes a listening socket over. It is non-blocking already, so package os leaves its flags alone.
func listenerOf(fd int, name string) (net.Listener, error) {
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
		unix.Close(fd)
		return nil, fmt.Errorf("listener %s is not a non-blocking socket (%w)", name, errors.Join(err, unix.EINVAL))
	}
	file := os.NewFile(uintptr(fd), name)
	defer file.Close() // FileListener has a duplicate
	ln, err := net.FileListener(file)
	if err != nil {
		return nil, fmt.Errorf("listener %s: %w", name, err)
	}
	if u, ok := ln.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false) // the path is the supervisor's
	}
	return ln, nil
}

// closeListeners closes this worker's copies and ends the accept loops.
func (w *worker) closeListeners() {
	for _, l := range w.listeners {
		close(l.closing)
		l.net.Close()
	}
	w.listeners = nil
}

// gate counts connections and says whether more may come.
type gate struct {
	proxy    *proxy.Proxy
	max      atomic.Int64
	accepted atomic.Int64 // given to the proxy, heartbeats included
	pauses   atomic.Uint64
}

// open is the number of connections. They end in the proxy; a connection that its goroutine has not registered yet counts.
func (g *gate) open() int64 {
	s := g.proxy.Stats()
	return g.accepted.Load() - (int64(s.Accepted) - s.Connections)
}

// setMax sets how many connections there may be: as configured, or else half of the descriptors that are left, as each
// may need one to an upstream.
func (g *gate) setMax(configured, listeners int) {
	if configured > 0 {
		g.max.Store(int64(configured))
		return
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		limit.Cur = 1024 // what every system grants
	}
	files := int64(min(limit.Cur, 1<<30))
	g.max.Store(max(1, (files-reserve-int64(listeners))/2))
}

// accept serves what comes on a listener until it is closed. Over the limit of connections, and while there are no
// descriptors, it leaves clients in the backlog and looks again after a pause.
func (w *worker) accept(l *listener) {
	for {
		if w.gate.open() >= w.gate.max.Load() {
			if !w.pause(l, errTooMany) {
				return
			}
			continue
		}
		c, err := l.net.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			if !w.pause(l, err) {
				return
			}
		default:
			w.sockets.Load().set(c, l.index)
			w.serve(c, l.index)
		}
	}
}

// serve hands a connection to the engine.
func (w *worker) serve(c net.Conn, index int) {
	w.gate.accepted.Add(1)
	w.conns.Go(func() { w.proxy.Serve(c, index) }) // ends when the connection is closed or parked
}

var errTooMany = errors.New("as many connections as there may be")

// pause waits, and returns false when the listener is closed meanwhile. Pauses in a row are one episode.
func (w *worker) pause(l *listener, why error) bool {
	if n := w.gate.pauses.Add(1); bits.OnesCount64(n) == 1 {
		w.log.Warn("accepting pauses", zap.String("address", l.Address), zap.Int64("connections", w.gate.open()),
			zap.Int64("max_connections", w.gate.max.Load()), zap.Uint64("pauses", n), zap.Error(why))
	}
	timer := time.NewTimer(w.o.Timings.AcceptPause)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			if w.gate.open() < w.gate.max.Load() || !errors.Is(why, errTooMany) {
				return true
			}
			timer.Reset(w.o.Timings.AcceptPause)
		case <-l.closing:
			return false
		}
	}
}
