package main

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
)

// sink accepts connections at a comma list of addresses and keeps them until the peer closes: what health checks over TCP find.
func sink(ctx context.Context, o options) error {
	var accepting sync.WaitGroup
	var listeners []net.Listener
	var failed error
	for addr := range strings.SplitSeq(o.addr, ",") {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		listeners = append(listeners, l)
		accepting.Go(func() { // ends when l is closed; a connection ends when its peer closes it, or with the process
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go swallow(c)
			}
		})
	}
	if failed == nil {
		<-ctx.Done()
	}
	for _, l := range listeners {
		failed = errors.Join(failed, l.Close())
	}
	accepting.Wait()
	return failed
}

func swallow(c net.Conn) {
	_, _ = io.Copy(io.Discard, c) // until the peer closes, however it does
	c.Close()
}
