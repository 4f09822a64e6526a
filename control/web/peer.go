package web

import (
	"fmt"
	"net"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// guarded is a listener that gives only connections of peers that may come.
type guarded struct {
	net.Listener
	peer func(uid uint32) bool
	log  *zap.Logger
}

// Accept closes connections of others. They cost an accept each: the socket's queue is short.
func (g *guarded) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		uid, err := userOf(c.(*net.UnixConn))
		if err == nil && g.peer(uid) {
			return c, nil
		}
		g.log.Debug("refused at the HTTP server of control", zap.Uint32("uid", uid), zap.Error(err))
		c.Close()
	}
}

// userOf is the user of the process that connected.
func userOf(c *net.UnixConn) (uint32, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("peer: %w", err)
	}
	var cred *unix.Ucred
	var failed error
	if err := raw.Control(func(fd uintptr) { cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil {
		return 0, fmt.Errorf("peer: %w", err)
	}
	if failed != nil {
		return 0, fmt.Errorf("peer: %w", failed)
	}
	return cred.Uid, nil
}
