package web

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"go.uber.org/zap"
	"golang.org/x/net/netutil"

	"pingap/ipc"
)

// Limits on peers.
const (
	maxConnections = 64
	maxRequests    = 16 // at once
	maxHead        = 64 << 10
	maxBody        = 1 << 20
	headTime       = 5 * time.Second
	readTime       = 30 * time.Second
	writeTime      = time.Minute
	idleTime       = time.Minute // longer than workers keep them, so that none of theirs is stale
	closeTime      = time.Second // for answers under way when control ends
)

// Server is control's. Its handlers are mounted before Run.
type Server struct {
	// Log is told of peers that are refused.
	Log *zap.Logger
	// Peer says whether processes of a user may come.
	Peer func(uid uint32) bool

	name   string
	token  []byte
	listen net.Listener
	mux    http.ServeMux
	places chan struct{} // of requests
}

// Open makes the socket. Run closes it.
func (s *Server) Open() error {
	var id [16]byte
	s.token = make([]byte, ipc.WebToken)
	for _, b := range [][]byte{id[:], s.token} {
		if _, err := rand.Read(b); err != nil {
			return fmt.Errorf("web: %w", err)
		}
	}
	s.name = "@pingap-web-" + hex.EncodeToString(id[:])
	l, err := net.Listen("unix", s.name)
	if err != nil {
		return fmt.Errorf("web: %w", err)
	}
	s.listen = netutil.LimitListener(&guarded{Listener: l, peer: s.Peer, log: s.Log}, maxConnections)
	s.places = make(chan struct{}, maxRequests)
	return nil
}

// Item tells workers where the server is.
func (s *Server) Item() ipc.StateItem {
	return ipc.StateItem{Kind: ipc.StateWeb, Key: ipc.WebKey, Body: append(append(ipc.Secret{}, s.token...), s.name...)}
}

// Mount has h answer what is below a path, which ends in a slash.
func (s *Server) Mount(path string, h http.Handler) { s.mux.Handle(path, h) }

// Run answers until ctx ends.
func (s *Server) Run(ctx context.Context) {
	server := &http.Server{
		Handler: http.HandlerFunc(s.serve), ReadHeaderTimeout: headTime, ReadTimeout: readTime, WriteTimeout: writeTime, IdleTimeout: idleTime,
		MaxHeaderBytes: maxHead, ErrorLog: zap.NewStdLog(s.Log), BaseContext: func(net.Listener) context.Context { return ctx },
	}
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
		defer cancel()
		if server.Shutdown(late) != nil {
			server.Close()
		}
	})
	if err := server.Serve(s.listen); err != nil && !errors.Is(err, http.ErrServerClosed) {
		s.Log.Error("the HTTP server of control has ended", zap.Error(err))
	}
	if !stop() {
		<-closed
	}
}

// serve judges a request before a handler sees it.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	token, err := hex.DecodeString(r.Header.Get(ipc.WebField))
	if err != nil || subtle.ConstantTimeCompare(token, s.token) != 1 {
		http.Error(w, "no token", http.StatusForbidden)
		return
	}
	select {
	case s.places <- struct{}{}:
		defer func() { <-s.places }()
	default:
		w.Header().Set("Retry-After", "1")
		http.Error(w, "busy", http.StatusServiceUnavailable)
		return
	}
	r.Header.Del(ipc.WebField)
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	s.mux.ServeHTTP(w, r)
}
