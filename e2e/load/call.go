package load

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// errUnavailable is the end of a call by the proxy, with a status that says that it may be made again.
var errUnavailable = errors.New("the call has ended as unavailable")

// call is a stream of messages both ways, as gRPC has it: opening it is one request, each message and its echo another one, and so is the
// end, which comes after Mix.Takes or with Stop. A message that has no echo when the proxy ends the call as unavailable goes into another call.
func (c *client) call() {
	s := c.dialCall()
	if s == nil {
		return
	}
	over, alive := time.Now().Add(c.mix.Takes), time.Now()
	defer func() { s.close() }()
	for n := 0; c.load.rest(c.mix.Pause) && time.Now().Before(over); n++ {
		if s.unavailable() {
			c.load.reopened(Calls)
			return
		}
		m := c.load.begin(c, false)
		written := m.began
		m.began = alive // of a call that ended meanwhile it is not known when
		text := fmt.Sprintf("message %d of client %d", n, c.number)
		err := c.message(s, text)
		for moves := 0; errors.Is(err, errUnavailable) && moves < maxMoves; moves++ {
			c.load.moved(Calls)
			s.close()
			c.n++
			next := c.dialCall()
			if next == nil {
				break
			}
			s = next
			err = c.message(s, text)
		}
		c.load.end(m, time.Since(written), err)
		if err != nil {
			return
		}
		alive = time.Now()
	}
	last := c.load.begin(c, false)
	written := last.began
	last.began = alive
	c.load.end(last, time.Since(written), c.hangUp(s))
}

// dialCall opens a call, which is a request; nil is a failure that was counted.
func (c *client) dialCall() *flow {
	r := c.load.begin(c, true)
	c.way = 0
	s, err := c.opened()
	c.load.end(r, time.Since(r.began)-c.way, err)
	if err != nil {
		c.load.rest(failurePause)
	}
	return s
}

// unavailable says whether the call has ended so.
func (s *flow) unavailable() bool {
	status, ended := s.endedBetween()
	return ended && status == "14"
}

// opened begins a call and waits for the head of its answer.
func (c *client) opened() (s *flow, err error) {
	for moves := 0; ; moves++ {
		s, err = c.begin("POST", "/call", false, "content-type", "application/grpc", "te", "trailers")
		if err != nil {
			return nil, err
		}
		var status int
		if status, err = s.head(); err == nil && status != 200 {
			err = fail(BadStatus, fmt.Errorf("status %d", status))
		}
		if err == nil {
			return s, nil
		}
		s.close()
		if !c.again(err, moves) {
			return nil, err
		}
	}
}

// message sends one and waits for its echo.
func (c *client) message(s *flow, text string) error {
	s.limit(c.limit())
	sent := appendMessage(nil, text)
	err := s.send(sent, false)
	var got []byte
	if err == nil {
		got, err = s.next(len(sent))
	}
	switch {
	case len(got) == 0 && s.unavailable():
		return errUnavailable
	case err != nil:
		return err
	case len(got) < len(sent):
		return fail(Cut, fmt.Errorf("the call ended instead of an echo, with %v", s.trailers))
	case string(got) != string(sent):
		return fail(WrongBody, fmt.Errorf("%.100q instead of %q", got, sent))
	}
	return nil
}

// hangUp ends a call from our side.
func (c *client) hangUp(s *flow) error {
	s.limit(c.limit())
	if err := s.send(nil, true); err != nil {
		return err
	}
	rest, err := s.body()
	if err != nil {
		return err
	}
	if status, _ := s.endedBetween(); rest != "" || status != "0" && status != "14" {
		return fail(Cut, fmt.Errorf("the call ended with status %q and %.100q", status, rest))
	}
	return nil
}

// appendMessage adds a message as gRPC frames it: not compressed, its length, its bytes.
func appendMessage(b []byte, text string) []byte {
	return append(binary.BigEndian.AppendUint32(append(b, 0), uint32(len(text))), text...)
}

// call sends every message back, until the caller has no more.
func (u *Upstream) call(w http.ResponseWriter, r *http.Request) {
	u.arrive(r.Header.Get(keyField))
	w.Header().Set("Content-Type", "application/grpc")
	out := http.NewResponseController(w)
	if out.Flush() != nil {
		return
	}
	for {
		var head [5]byte
		switch _, err := io.ReadFull(r.Body, head[:]); err {
		case nil:
		case io.EOF:
			w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
			return
		default:
			panic(http.ErrAbortHandler)
		}
		text := make([]byte, min(binary.BigEndian.Uint32(head[1:]), maxFrame))
		if _, err := io.ReadFull(r.Body, text); err != nil {
			panic(http.ErrAbortHandler)
		}
		if _, err := w.Write(append(head[:], text...)); err != nil || out.Flush() != nil {
			return
		}
	}
}
