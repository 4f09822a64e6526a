package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
)

// askCount is what a connection writes to be told how many others there were.
const askCount = "count\n"

// sink accepts connections at a comma list of addresses and keeps them until the peer closes: what health checks over TCP find.
func sink(ctx context.Context, o options) error {
	var count atomic.Int64
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
				go swallow(c, &count)
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

func swallow(c net.Conn, count *atomic.Int64) {
	defer c.Close()
	line, err := bufio.NewReaderSize(c, 16).ReadString('\n')
	if err == nil && line == askCount {
		_, _ = io.WriteString(c, fmt.Sprintln(count.Load())) // who asked notices
		return
	}
	count.Add(1)
}
