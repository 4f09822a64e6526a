package client

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"pingap/message"
	"pingap/worker/http2/frame"
)

func TestARefusedStreamIsUnprocessed(t *testing.T) {
	c, sv := script(t, Options{})
	s := get(t, c, "/")
	id, _ := sv.request()
	sv.write(frame.AppendRSTStream(nil, id, frame.RefusedStream))
	if e := failure(t, s); e.Cause != Reset || e.Code != frame.RefusedStream || !s.Unprocessed() {
		t.Errorf("got %v, unprocessed %v", e, s.Unprocessed())
	}
	s.Release()
	s = get(t, c, "/")
	id, _ = sv.request()
	sv.write(frame.AppendRSTStream(nil, id, frame.InternalError))
	if e := failure(t, s); e.Code != frame.InternalError || s.Unprocessed() {
		t.Errorf("got %v, unprocessed %v", e, s.Unprocessed())
	}
	s.Release()
	s = get(t, c, "/")
	id, _ = sv.request()
	sv.write(append(sv.headers(id, false, ":status", "200"), frame.AppendRSTStream(nil, id, frame.RefusedStream)...))
	if failure(t, s); s.Unprocessed() {
		t.Error("a request that was answered counts as not processed")
	}
	s.Release()
	sv.serves(c)
}

func TestGoAwayLetsEarlierStreamsEnd(t *testing.T) {
	c, sv := script(t, Options{})
	first, second, third := get(t, c, "/1"), get(t, c, "/2"), get(t, c, "/3")
	for range 3 {
		sv.request()
	}
	sv.write(frame.AppendGoAway(nil, 1<<31-1, frame.NoError, "")) // notice
	for c.Healthy() {
		time.Sleep(time.Millisecond)
	}
	if _, err := c.Open(request("GET", "/"), &message.Fields{}, OpenOptions{End: true}); err != ErrGoingAway {
		t.Errorf("open says %v", err)
	}
	sv.write(frame.AppendGoAway(nil, second.id, frame.NoError, ""))
	if e := failure(t, third); e.Cause != GoneAway || !third.Unprocessed() {
		t.Errorf("got %v, unprocessed %v", e, third.Unprocessed())
	}
	third.Release()
	for _, s := range []*Stream{first, second} {
		sv.answer(s.id)
		if _, body := complete(t, s); body != "ok" {
			t.Errorf("got %q", body)
		}
	}
	sv.wantGoAway(frame.NoError) // ours, and the end
}

func TestAConnectionThatBreaksMayHaveProcessedWhatItTook(t *testing.T) {
	c, sv := script(t, Options{})
	s := get(t, c, "/")
	sv.request()
	sv.nc.Close()
	if e := failure(t, s); e.Cause != Lost || s.Unprocessed() {
		t.Errorf("got %v, unprocessed %v", e, s.Unprocessed())
	}
	s.Release()
}

// stuck is a transport that takes so many bytes and then fails.
type stuck struct {
	net.Conn
	room int
}

func (s *stuck) Write(p []byte) (int, error) {
	n := min(len(p), s.room)
	s.room -= n
	_, _ = s.Conn.Write(p[:n])
	if n < len(p) {
		return n, errors.New("cable cut")
	}
	return n, nil
}

func TestARequestThatDidNotLeaveIsUnprocessed(t *testing.T) {
	for _, room := range []int{0, 30, 100000} {
		a, b := socketPair(t)
		go func() { _, _ = io.Copy(io.Discard, b) }() // ends with the connection
		c := watch(t, New(&stuck{a, room}, Options{}))
		s, err := c.Open(request("GET", "/"), &message.Fields{}, OpenOptions{End: true, ContentLength: message.LengthUnknown})
		if err != nil {
			t.Fatal(err)
		}
		if room == 100000 {
			b.Close()
		}
		if e := failure(t, s); e.Cause != Lost || s.Unprocessed() != (room < 100000) {
			t.Errorf("room for %d: got %v, unprocessed %v", room, e, s.Unprocessed())
		}
		s.Release()
	}
}

// An answer that was sent before the peer stopped reading is found.
func TestAnEarlyAnswerIsFoundBehindAFailedWrite(t *testing.T) {
	a, b := socketPair(t)
	c := watch(t, New(&stuck{a, 70000}, Options{}))
	sv := &server{t: t, nc: b}
	out := frame.AppendSettings(nil)
	out = append(out, sv.headers(1, false, ":status", "413")...)
	out = appendData(out, 1, []byte("too large"), true)
	s := open(t, c, request("POST", "/"), OpenOptions{ContentLength: 1 << 20, Body: make([]byte, 1<<20)})
	go func() {
		_, _ = io.Copy(io.Discard, io.LimitReader(b, 70000))
		_, _ = b.Write(out)
	}()
	if resp, body := complete(t, s); resp.Status != 413 || body != "too large" {
		t.Errorf("got %d %q", resp.Status, body)
	}
}

func TestNoErrorBehindACompleteAnswerStopsTheUpload(t *testing.T) {
	c, sv := script(t, Options{})
	s := open(t, c, request("POST", "/"), OpenOptions{ContentLength: message.LengthUnknown})
	id, _ := sv.request()
	done := make(chan error, 1)
	go func() {
		for {
			if _, err := s.Write(make([]byte, 10000)); err != nil {
				done <- err
				return
			}
		}
	}()
	out := appendData(sv.headers(id, false, ":status", "413"), id, []byte("no"), true)
	sv.write(frame.AppendRSTStream(out, id, frame.NoError))
	err := <-done
	var e *Error
	if !errors.As(err, &e) || e.Cause != Reset || e.Code != frame.NoError {
		t.Errorf("write says %v", err)
	}
	if resp, body := complete(t, s); resp.Status != 413 || body != "no" {
		t.Errorf("got %d %q", resp.Status, body)
	}
	sv.serves(c)
}

func TestDrainEndsWithTheLastStream(t *testing.T) {
	c, sv := script(t, Options{})
	s := get(t, c, "/")
	id, _ := sv.request()
	if c.CloseIdle() {
		t.Fatal("a connection with a stream counts as idle")
	}
	c.Drain()
	if c.Healthy() || c.Reserve() {
		t.Error("a draining connection takes requests")
	}
	sv.answer(id)
	if _, body := complete(t, s); body != "ok" {
		t.Errorf("got %q", body)
	}
	sv.wantGoAway(frame.NoError)
	c.Wait()
}

func TestAnIdleConnectionIsClosedWithAWord(t *testing.T) {
	closed := make(chan *Conn, 1)
	c, sv := script(t, Options{Closed: func(c *Conn) { closed <- c }})
	sv.serves(c)
	if !c.Reserve() {
		t.Fatal("no room")
	}
	if c.CloseIdle() {
		t.Error("a reserved connection counts as idle")
	}
	c.Unreserve()
	if !c.CloseIdle() {
		t.Error("an idle connection is not closed")
	}
	sv.wantGoAway(frame.NoError)
	if <-closed != c || c.Err() == nil {
		t.Error("the end is not told")
	}
}
