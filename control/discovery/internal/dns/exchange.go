package dns

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"
)

// shunned is how long a server that did not answer comes after the others.
const shunned = 30 * time.Second

// tries are how long one question to one server may take, UDP and TCP each: all servers are asked once, and again with more patience.
func tries() []time.Duration { return []time.Duration{time.Second, 3 * time.Second} }

// server is a name server, and when it last did not answer.
type server struct {
	addr netip.AddrPort
	bad  atomic.Int64 // unix time in ns until which others come first
}

// ask asks the servers in turn, until one knows. The error is the first: it is of the server that was to know.
func ask(ctx context.Context, servers []*server, q question) (reply, error) {
	if _, err := q.pack(0, true); err != nil {
		return reply{}, err
	}
	var first error
	for _, patience := range tries() {
		for _, s := range inOrder(servers) {
			r, err := s.ask(ctx, q, patience)
			if err == nil {
				s.bad.Store(0)
				return r, nil
			}
			if first == nil {
				first = fmt.Errorf("name server %s: %w", s.addr, err)
			}
			if ctx.Err() != nil {
				return reply{}, first
			}
			if !errors.Is(err, errAnswered) {
				s.bad.Store(time.Now().Add(shunned).UnixNano())
			}
		}
	}
	return reply{}, first
}

// inOrder lists those that answer before those that did not.
func inOrder(servers []*server) []*server {
	now := time.Now().UnixNano()
	var good, bad []*server
	for _, s := range servers {
		if s.bad.Load() > now {
			bad = append(bad, s)
			continue
		}
		good = append(good, s)
	}
	return append(good, bad...)
}

// ask asks by UDP, and by TCP for what does not fit.
func (s *server) ask(ctx context.Context, q question, patience time.Duration) (reply, error) {
	edns := true
	r, err := s.exchange(ctx, "udp", q, edns, patience)
	if errors.Is(err, errFormat) {
		edns = false
		r, err = s.exchange(ctx, "udp", q, edns, patience)
	}
	if errors.Is(err, errTruncated) {
		r, err = s.exchange(ctx, "tcp", q, edns, patience)
	}
	return r, err
}

func (s *server) exchange(ctx context.Context, network string, q question, edns bool, patience time.Duration) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	id := newID()
	text, err := q.pack(id, edns)
	if err != nil {
		return reply{}, err
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, s.addr.String()) // connected: the kernel drops what others send, and the port is random
	if err != nil {
		return reply{}, plain(err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	var r reply
	if network == "tcp" {
		r, err = overTCP(conn, q, text, id)
	} else {
		r, err = overUDP(conn, q, text, id)
	}
	return r, plain(err)
}

func overUDP(conn net.Conn, q question, text []byte, id uint16) (reply, error) {
	if _, err := conn.Write(text); err != nil {
		return reply{}, err
	}
	buf := make([]byte, maxMessage)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return reply{}, err
		}
		if r, err := q.read(buf[:n], id); !errors.Is(err, errForeign) {
			return r, err
		}
	}
}

// overTCP writes and reads with a length of two bytes before each message (RFC 1035, 4.2.2).
func overTCP(conn net.Conn, q question, text []byte, id uint16) (reply, error) {
	if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(text))), text...)); err != nil {
		return reply{}, err
	}
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return reply{}, err
	}
	buf := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, buf); err != nil {
		return reply{}, err
	}
	return q.read(buf, id)
}

// newID cannot be guessed (RFC 5452, 9.2).
func newID() uint16 {
	var b [2]byte
	rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint16(b[:])
}

// plain leaves out of an error what differs from one try to the next, as ports do, so that the same trouble reads the same.
func plain(err error) error {
	var op *net.OpError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded):
		return errors.New("no answer")
	case errors.As(err, &op):
		return op.Err
	}
	return err
}
