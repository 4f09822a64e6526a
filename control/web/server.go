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
	maxConnections = 160 // of a server; streams of the admin interface keep theirs
	maxHead        = 64 << 10
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
	return nil
}

// Item tells workers where the server is.
func (s *Server) Item() ipc.StateItem {
	return ipc.StateItem{Kind: ipc.StateWeb, Key: ipc.WebKey, Body: append(append(ipc.Secret{}, s.token...), s.name...)}
}

// Mount has h answer what is below a path, which ends in a slash: at most limit requests at once, so that what is mounted elsewhere has
// places of its own. h bounds the bodies that it takes, if it takes any.
func (s *Server) Mount(path string, limit int, h http.Handler) {
	places := make(chan struct{}, limit)
	s.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
			h.ServeHTTP(w, r)
		default:
			w.Header().Set("Retry-After", "1")
			http.Error(w, "busy", http.StatusServiceUnavailable)
		}
	})
}

// Run answers until ctx ends.
func (s *Server) Run(ctx context.Context) {
	run(ctx, newServer(ctx, s.Log, http.HandlerFunc(s.serve)), s.listen, s.Log)
}

func newServer(ctx context.Context, log *zap.Logger, h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: headTime, ReadTimeout: readTime, WriteTimeout: writeTime, IdleTimeout: idleTime,
		MaxHeaderBytes: maxHead, ErrorLog: zap.NewStdLog(log), BaseContext: func(net.Listener) context.Context { return ctx },
	}
}

// run has a server answer until ctx ends.
func run(ctx context.Context, server *http.Server, l net.Listener, log *zap.Logger) {
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
		defer cancel()
		if server.Shutdown(late) != nil {
			server.Close()
		}
	})
	if err := server.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
		log.Error("the HTTP server of control has ended", zap.Error(err))
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
	r.Header.Del(ipc.WebField)
	s.mux.ServeHTTP(w, r)
}
