package main

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// opening is how many connections are opened at once.
const opening = 32

// idle opens connections over TLS, makes one small request on each, lets them rest, looks at the proxy's memory, and asks each again: one
// that was closed meanwhile costs nothing and is an error.
func idle(ctx context.Context, o options) (figures, error) {
	if err := allowFiles(uint64(o.conns) + 100); err != nil {
		return figures{}, err
	}
	l := &load{options: o}
	before, err := residentOf(o.pids)
	if err != nil {
		return figures{}, err
	}
	conns := make([]net.Conn, o.conns)
	l.each(func(i int) error { return l.open(&conns[i]) })
	pause(ctx, o.hold)
	after, err := residentOf(o.pids)
	if err != nil {
		return figures{}, err
	}
	l.each(func(i int) error { return l.ask(conns[i], 3) })
	for _, c := range conns {
		if c != nil {
			c.Close()
		}
	}
	f := l.figures(int64(o.conns), 0, time.Second)
	f.RSSBefore, f.RSSAfter = before, after
	f.PerIdle = float64(after-before) * 1024 / float64(o.conns)
	return f, ctx.Err()
}

// each does something for all connections, some at once.
func (l *load) each(do func(i int) error) {
	var group sync.WaitGroup
	next := make(chan int)
	for range opening {
		group.Go(func() { // ends when next is closed
			for i := range next {
				if err := do(i); err != nil {
					l.failed.Add(1)
					l.first.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	for i := range l.conns {
		next <- i
	}
	close(next)
	group.Wait()
}

func (l *load) open(to *net.Conn) error {
	config := &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}}
	if l.h2 {
		config.NextProtos = []string{"h2"}
	}
	raw, err := net.DialTimeout("tcp", l.addr, requestTime)
	if err != nil {
		return err
	}
	conn := tls.Client(raw, config)
	*to = conn
	if err := conn.SetDeadline(time.Now().Add(requestTime)); err != nil {
		return err
	}
	if err := conn.Handshake(); err != nil {
		return err
	}
	if got := conn.ConnectionState().NegotiatedProtocol; got != config.NextProtos[0] && l.h2 {
		return fmt.Errorf("protocol %q", got)
	}
	if l.h2 {
		// The preface and empty SETTINGS (RFC 9113, 3.4).
		if _, err := conn.Write(append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 0, 0, 0, frameSettings, 0, 0, 0, 0, 0)); err != nil {
			return err
		}
	}
	return l.ask(conn, 1)
}

// ask makes a request; in HTTP/2 it is that stream.
func (l *load) ask(conn net.Conn, stream uint32) error {
	if conn == nil {
		return errors.New("was never open")
	}
	if err := conn.SetDeadline(time.Now().Add(requestTime)); err != nil {
		return err
	}
	if l.h2 {
		return askH2(conn, stream, l.length)
	}
	return exchange(conn, "", l.length)
}

// Frames and flags of RFC 9113, 6, as many as a client needs that only looks for the end of an answer.
const (
	frameData, frameHeaders, frameReset, frameSettings, framePing, frameGoAway = 0, 1, 3, 4, 6, 7
	flagAck, flagEndStream, flagEndHeaders                                     = 1, 1, 4
)

// askH2 sends a GET of /small and reads until its stream ends.
func askH2(conn net.Conn, stream uint32, length int) error {
	// RFC 7541: GET, https from the static table; then path and authority as literals without indexing.
	block := []byte{0x82, 0x87, 0x04, 6, '/', 's', 'm', 'a', 'l', 'l', 0x01, 9, 'l', 'o', 'c', 'a', 'l', 'h', 'o', 's', 't'}
	head := []byte{0, 0, byte(len(block)), frameHeaders, flagEndStream | flagEndHeaders, 0, 0, 0, 0}
	binary.BigEndian.PutUint32(head[5:], stream)
	if _, err := conn.Write(append(head, block...)); err != nil {
		return err
	}
	got := 0
	for {
		kind, flags, id, payload, err := readFrame(conn)
		switch {
		case err != nil:
			return err
		case kind == frameReset || kind == frameGoAway:
			return fmt.Errorf("frame of type %d: %x", kind, payload)
		case kind == frameSettings && flags&flagAck == 0:
			_, err = conn.Write([]byte{0, 0, 0, frameSettings, flagAck, 0, 0, 0, 0})
		case kind == framePing && flags&flagAck == 0:
			_, err = conn.Write(append([]byte{0, 0, 8, framePing, flagAck, 0, 0, 0, 0}, payload...))
		case kind == frameData && id == stream:
			got += len(payload)
		}
		if err != nil {
			return err
		}
		if id == stream && (kind == frameData || kind == frameHeaders) && flags&flagEndStream != 0 {
			break
		}
	}
	if got != length {
		return fmt.Errorf("an answer of %d bytes", got)
	}
	return nil
}

func readFrame(conn net.Conn) (kind, flags byte, stream uint32, payload []byte, err error) {
	var head [9]byte
	if _, err = io.ReadFull(conn, head[:]); err != nil {
		return 0, 0, 0, nil, err
	}
	size := int(head[0])<<16 | int(head[1])<<8 | int(head[2])
	if size > 16<<10 { // the largest that our SETTINGS allow
		return 0, 0, 0, nil, fmt.Errorf("a frame of %d bytes", size)
	}
	payload = make([]byte, size)
	_, err = io.ReadFull(conn, payload)
	return head[3], head[4], binary.BigEndian.Uint32(head[5:]) &^ (1 << 31), payload, err
}

// allowFiles raises the limit of descriptors as far as needed.
func allowFiles(n uint64) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	if limit.Cur >= n {
		return nil
	}
	limit.Cur, limit.Max = n, max(limit.Max, n)
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}
