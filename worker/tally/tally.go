package tally

import (
	"fmt"
	"time"

	"pingap/arena"
	"pingap/arena/tally"
	"pingap/message"
)

// Server counts for a server.
type Server struct {
	block     *tally.Block
	total     *tally.Block // over all locations
	current   *arena.Counter
	upstreams map[string]*tally.Block
}

// Location counts for a location of a server.
type Location struct {
	server   *Server
	block    *tally.Block
	current  *arena.Counter
	name     string // of the upstream that it most likely has
	upstream *tally.Block
}

// NewServer returns the handle of a server whose requests may go to these upstreams.
func NewServer(a *arena.Arena, name string, upstreams []string) (*Server, error) {
	s := &Server{upstreams: make(map[string]*tally.Block, len(upstreams))}
	var err error
	if s.block, err = tally.Open(a, tally.Key{Kind: tally.ServerBlock, Server: name}); err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	if s.total, s.current, err = open(a, name, ""); err != nil {
		return nil, err
	}
	for _, u := range upstreams {
		if s.upstreams[u], err = tally.Open(a, tally.Key{Kind: tally.UpstreamBlock, Server: name, Name: u}); err != nil {
			return nil, fmt.Errorf("metrics of upstream %s: %w", u, err)
		}
	}
	return s, nil
}

// Location returns the handle of one of the server's locations, and the upstream it has, empty if that is chosen by request.
func (s *Server) Location(a *arena.Arena, server, name, upstream string) (*Location, error) {
	l := &Location{server: s, name: upstream, upstream: s.upstreams[upstream]}
	var err error
	l.block, l.current, err = open(a, server, name)
	return l, err
}

func open(a *arena.Arena, server, location string) (*tally.Block, *arena.Counter, error) {
	k := tally.Key{Kind: tally.LocationBlock, Server: server, Name: location}
	block, err := tally.Open(a, k)
	if err != nil {
		return nil, nil, fmt.Errorf("metrics of location %q: %w", location, err)
	}
	current, err := a.Counter(tally.Gauges()[tally.RequestsCurrent].Of(k))
	if err != nil {
		return nil, nil, fmt.Errorf("metrics of location %q: %w", location, err)
	}
	return block, current, nil
}

// Serves reports whether the handle is one for these upstreams.
func (s *Server) Serves(upstreams []string) bool {
	if s == nil {
		return false
	}
	for _, name := range upstreams {
		if s.upstreams[name] == nil {
			return false
		}
	}
	return len(s.upstreams) == len(upstreams)
}

// Handshake counts a TLS handshake with a client that took so many nanoseconds.
func (s *Server) Handshake(ns int64) {
	if s != nil {
		s.block.Observe(tally.HandshakeTime, ns)
	}
}

// Request counts what is the server's of a request that has ended.
func (s *Server) Request(r *message.Record) {
	if s == nil {
		return
	}
	if r.Conn.Requests > 0 {
		s.block.Add(tally.ConnectionReuses, 1)
	}
	s.block.Observe(tally.CacheLookupTime, r.CacheLookup)
	s.block.Observe(tally.CacheLockTime, r.CacheLock)
	s.block.Observe(tally.CompressionRatio, r.CompressionRatio)
}

// Begin counts a request that has found its location. End follows.
func (l *Location) Begin() {
	if l != nil {
		l.current.Add(1)
		l.server.current.Add(1)
	}
}

// End counts a request of a location that has ended, at a point in time on the clock of message.Now.
func (l *Location) End(r *message.Record, now int64) {
	if l == nil {
		return
	}
	l.current.Add(-1)
	l.server.current.Add(-1)
	took := max(now-r.Start, 0)
	end(l.block, r, took)
	end(l.server.total, r, took)
}

func end(b *tally.Block, r *message.Record, took int64) {
	b.Add(tally.Requests, 1)
	b.Observe(tally.Received, r.RequestBody)
	b.Observe(tally.Sent, r.ResponseBody)
	b.Observe(tally.ResponseTime, took)
	b.Count(tally.ResponseCodes, class(r.Status))
	if r.Trace.Sampled && r.Trace.On() {
		b.Exemplify(tally.ResponseTime, tally.Exemplar{Trace: r.Trace.ID, Value: took, At: time.Now()})
	}
	if r.Limited != message.Unlimited {
		b.Count(tally.Limited, int(r.Limited)-1)
	}
	if r.Cache != message.Uncached {
		b.Count(tally.CacheRequests, int(r.Cache)-1)
	}
}

// class is the value of ResponseCodes for a status.
func class(status int) int {
	if status < 100 || status > 599 {
		return 5
	}
	return status/100 - 1
}

// Attempt counts what is known of an attempt at a backend of an upstream that is over. failed is the type of error if it failed, and that was the
// backend's fault; else it is empty.
func (l *Location) Attempt(r *message.Record, upstream, failed string) {
	if l == nil {
		return
	}
	b := l.upstream
	if upstream != l.name {
		b = l.server.upstreams[upstream]
	}
	if failed != "" {
		b.Count(tally.UpstreamErrors, tally.ErrorType(failed))
	}
	if r.UpstreamAttempts > 1 {
		b.Add(tally.UpstreamRetries, 1)
	}
	if r.UpstreamReused {
		b.Add(tally.UpstreamReuses, 1)
	}
	b.Observe(tally.UpstreamConnectTime, r.UpstreamTCPConnect)
	b.Observe(tally.UpstreamHandshakeTime, r.UpstreamTLSHandshake)
	b.Observe(tally.UpstreamProcessingTime, r.UpstreamProcessing)
	b.Observe(tally.UpstreamResponseTime, r.UpstreamResponse)
}

// OpenConnections is the count of the open connections to an upstream, over all servers.
func OpenConnections(a *arena.Arena, upstream string) (*arena.Counter, error) {
	return a.Counter(tally.Gauges()[tally.UpstreamConnections].Of(tally.Key{Kind: tally.UpstreamBlock, Name: upstream}))
}
