package load

import (
	"crypto/tls"
	"errors"
	"slices"
	"sync"
	"time"
)

// link is what clients share that are streams of one connection of HTTP/2. A connection that the proxy leads away is left for a fresh
// one, while the streams on it come to their end.
type link struct {
	load     *Load
	mix      Mix
	sessions tls.ClientSessionCache
	readers  sync.WaitGroup

	mu   sync.Mutex // guards all below
	last *muxed     // the connection for new streams
	all  []*muxed   // that are open
}

func newLink(l *Load, m Mix, sessions tls.ClientSessionCache) *link {
	return &link{load: l, mix: m, sessions: sessions}
}

// get returns a connection that new streams may be begun on, as far as is known.
func (l *link) get(limit time.Duration) (*muxed, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last != nil && l.last.usable() {
		return l.last, nil
	}
	if l.last != nil {
		l.load.reopened(l.mix.Kind)
		l.last = nil
	}
	c, err := dialMuxed(l.load.addr, l.sessions, limit)
	if err != nil {
		return nil, err
	}
	l.load.shook(l.mix.Kind, c.tls.ConnectionState().DidResume)
	l.last, l.all = c, append(l.all, c)
	l.readers.Go(func() { // ends with the connection
		c.read()
		l.load.led(l.mix.Kind, c.abrupt)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.all = slices.DeleteFunc(l.all, func(other *muxed) bool { return other == c })
	})
	return c, nil
}

// close ends all connections. No stream is open any more.
func (l *link) close() {
	l.mu.Lock()
	for _, c := range l.all {
		c.end(errors.New("the load has stopped"))
	}
	l.mu.Unlock()
	l.readers.Wait()
}
