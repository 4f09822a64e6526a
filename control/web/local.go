package web

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"

	"go.uber.org/zap"
)

// Local is the HTTP server on the socket of the run directory, which the supervisor has bound. Who may connect there the kernel judges, by the mode of
// its path; what the user is told by the kernel, too.
type Local struct {
	Log     *zap.Logger
	Handler http.Handler

	listen net.Listener
}

type peerKey struct{}

// UserOf says whose process sent a request that came by a Local.
func UserOf(ctx context.Context) (uid uint32, ok bool) {
	uid, ok = ctx.Value(peerKey{}).(uint32)
	return uid, ok
}

// Open takes over a listening socket.
func (l *Local) Open(fd int) error {
	file := os.NewFile(uintptr(fd), "admin socket")
	defer file.Close() // the listener has a copy
	listen, err := net.FileListener(file)
	if err != nil {
		return fmt.Errorf("admin socket: %w", err)
	}
	unix, ok := listen.(*net.UnixListener)
	if !ok {
		listen.Close()
		return errors.New("admin socket: not a unix socket")
	}
	unix.SetUnlinkOnClose(false) // the path is the supervisor's
	l.listen = &peers{UnixListener: unix, log: l.Log, places: make(chan struct{}, maxConnections)}
	return nil
}

// Run answers until ctx ends.
func (l *Local) Run(ctx context.Context) {
	server := newServer(ctx, l.Log, l.Handler)
	server.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, peerKey{}, c.(*peer).uid)
	}
	run(ctx, server, l.listen, l.Log)
}

// peers is a listener that gives so many connections at a time. Others wait in the socket's queue.
type peers struct {
	*net.UnixListener
	log    *zap.Logger
	places chan struct{}
}

// Accept asks the kernel who came. A connection of whom it does not know is closed.
func (l *peers) Accept() (net.Conn, error) {
	for {
		l.places <- struct{}{} // when the server ends its connections do, and leave their places
		c, err := l.AcceptUnix()
		if err != nil {
			<-l.places
			return nil, err
		}
		uid, err := userOf(c)
		if err == nil {
			return &peer{UnixConn: c, uid: uid, leave: sync.OnceFunc(func() { <-l.places })}, nil
		}
		l.log.Error("refused at the admin socket", zap.Error(err))
		c.Close()
		<-l.places
	}
}

// peer is a connection whose user is known.
type peer struct {
	*net.UnixConn
	uid   uint32
	leave func()
}

func (p *peer) Close() error {
	defer p.leave()
	return p.UnixConn.Close()
}
