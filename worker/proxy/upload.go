package proxy

import (
	"errors"
	"io"
	"os"
	"sync/atomic"
	"time"

	"pingap/worker/http1"
)

// uploadState is how far an upload has come.
type uploadState = uint32

const (
	uploading    uploadState = iota
	uploadLast               // the last bytes are being written
	uploadDone               // the whole body has been written
	uploadBroken             // it ended early; see upload.fail
)

// upload sends a request body that did not come with its head, while the connection's goroutine waits
// for the answer. Its goroutine owns the client's read side, and the unread bytes of the session,
// until done is closed.
type upload struct {
	c     *conn
	up    *upstreamIO
	head  []byte        // of the request, as it goes up
	limit time.Duration // of a write to the upstream
	state atomic.Uint32
	stop  atomic.Bool // nobody needs it any more: every wait is to end
	done  chan struct{}

	// set before done is closed
	fail   failure // status 0 where the upstream stopped reading: its answer decides
	sent   int64   // bytes of the body
	joined bool    // by the connection's goroutine
}

// startUpload begins to send the head in s.out and the body behind it. The head of an early answer is
// written while that goes on: it gets other memory.
func (c *conn) startUpload(up *upstreamIO, limit time.Duration) {
	s := c.s
	s.out, s.upOut = s.upOut[:0], s.out
	u := &upload{c: c, up: up, head: s.upOut, limit: limit, done: make(chan struct{})}
	s.upload = u
	if s.mirror != nil {
		s.mirror.Chunked(s.reqFrame.Chunked && up.stream == nil)
	}
	c.p.routines.Go(u) // ended and waited for by endUpload or stopUpload
}

// Run implements routines.Task.
func (u *upload) Run() {
	defer close(u.done)
	if (u.up.stream != nil || u.write(u.head)) && u.body() {
		u.state.Store(uploadDone)
		if m := u.c.s.mirror; m != nil {
			u.c.s.mirror = nil // the goroutine of the connection looks at it after done
			m.Send()
		}
		return
	}
	u.state.Store(uploadBroken)
	if u.fail.status != 0 {
		u.up.interrupt() // wakes the connection's goroutine
	}
}

// body sends the body; it reports whether all of it went.
func (u *upload) body() bool {
	switch {
	case u.c.stream() != nil:
		return u.copyStream()
	case u.up.stream != nil && u.c.s.reqFrame.Chunked:
		return u.copyData()
	}
	return u.copy() && u.endOfStream(nil)
}

// copy sends a body whose framing the upstream takes as it is.
func (u *upload) copy() bool {
	c := u.c
	buf := c.p.pools.bodyBuffer()
	defer c.p.pools.body.Put(buf)
	p := c.s.unread()
	left := c.s.reqFrame.Length
	var chunks http1.Chunked
	for {
		end, ok := false, true
		if c.s.reqFrame.Chunked {
			end, ok = u.passChunked(&chunks, p)
		} else {
			end, ok = u.passLength(&left, p)
		}
		if end || !ok {
			return ok
		}
		room := buf[:]
		if left > 0 {
			room = room[:min(int64(len(room)), left)] // what follows the body is not ours
		}
		n, err := u.read(room)
		if err != nil {
			return false
		}
		p = room[:n]
	}
}

// read waits for bytes of the body.
func (u *upload) read(buf []byte) (int, error) {
	c := u.c
	c.s.r = c.s.w // what was buffered has been sent
	err := c.net.SetReadDeadline(time.Now().Add(c.s.server.ReadTimeout))
	if u.stop.Load() { // after the deadline was set, so that a stop after this is seen by Read
		return 0, os.ErrDeadlineExceeded
	}
	var n int
	if err == nil {
		n, err = c.net.Read(buf)
	}
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		u.fail = failure{status: 408, kind: "ReadTimedout"}
	case errors.Is(err, io.EOF):
		u.fail = failure{status: 499, kind: "ConnectionClosed"}
	default:
		u.fail = failure{status: 499, kind: "ReadError"}
	}
	return 0, err
}

// passLength sends bytes of a body with a length. Bytes behind it are left to the next request.
func (u *upload) passLength(left *int64, p []byte) (end, ok bool) {
	s := u.c.s
	if int64(len(p)) > *left {
		p = p[:*left]
	}
	*left -= int64(len(p))
	s.takeUnread(len(p))
	return *left == 0, u.send(p, int64(len(p)), *left == 0)
}

// passChunked sends bytes of a chunked body.
func (u *upload) passChunked(chunks *http1.Chunked, p []byte) (end, ok bool) {
	before := chunks.Data
	pass, used, err := chunks.Pass(p)
	if err != nil {
		u.fail = failure{status: 400, kind: err.Type}
		return false, false
	}
	u.c.s.keepUnread(p[used:])
	p = p[:pass]
	if chunks.Done() {
		if trailer := chunks.Trailer(); len(trailer) > 0 {
			p = append(p[:len(p):len(p)], trailer...)
		}
	}
	return chunks.Done(), u.send(p, chunks.Data-before, chunks.Done())
}

// send writes p, which carries data bytes of the body; last tells that nothing follows.
func (u *upload) send(p []byte, data int64, last bool) bool {
	u.sent += data
	if max := u.c.s.location.MaxBody; max > 0 && u.sent > max {
		u.fail = failure{status: 413, kind: "HTTPStatus"}
		return false
	}
	if last {
		u.state.Store(uploadLast)
	}
	if u.c.s.decodes() {
		return u.writeDecoded(p)
	}
	return u.pass(p)
}

// pass writes p, and keeps it for a copy of the request.
func (u *upload) pass(p []byte) bool {
	if m := u.c.s.mirror; m != nil {
		m.Body(p)
	}
	return u.write(p)
}

func (u *upload) write(p []byte) bool {
	if len(p) == 0 {
		return true
	}
	if u.limit > 0 {
		if u.up.net().SetWriteDeadline(time.Now().Add(u.limit)) != nil {
			return false
		}
	}
	if u.stop.Load() { // as in read
		return false
	}
	_, err := u.up.net().Write(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		u.fail = failure{status: 504, kind: "WriteTimedout"}
	}
	return err == nil
}

// takeUnread takes n bytes from the buffered ones, if they came from there.
func (s *session) takeUnread(n int) {
	s.r = min(s.r+n, s.w)
}

// keepUnread makes rest, which came behind the end of a body, the unread bytes. The head of the
// request stays where it is: its views are still used.
func (s *session) keepUnread(rest []byte) {
	switch {
	case len(rest) == 0:
		s.r = s.w
	case s.r < s.w: // rest is the end of the buffered bytes
		s.r = s.w - len(rest)
	case len(rest) <= len(s.in)-s.w:
		s.r = s.w
		s.w += copy(s.in[s.w:], rest)
	default:
		s.in = append(make([]byte, 0, inSize+len(rest)), rest...)[:inSize+len(rest)]
		s.r, s.w = 0, len(rest)
	}
}

// settleUpload is called when the response head is there: if the body is not up yet, the connection
// will not be used again, and the head must say so.
func (c *conn) settleUpload() {
	s := c.s
	if s.upload == nil {
		return
	}
	if state := s.upload.state.Load(); state == uploading || state == uploadBroken {
		s.keepClient = false
		c.linger = true
	}
}

// uploadFailure returns why the upload ended early, if the reason is on the client's side or the
// upstream's silence.
func (c *conn) uploadFailure() (failure, bool) {
	u := c.s.upload
	if u == nil || u.state.Load() != uploadBroken {
		return failure{}, false
	}
	<-u.done
	if u.fail.status == 499 {
		c.s.clientGone = true
	}
	return u.fail, u.fail.status != 0
}

// uploadRuns reports whether the request is still being sent.
func (c *conn) uploadRuns() bool {
	u := c.s.upload
	return u != nil && u.state.Load() < uploadDone
}

// lastWait is how long the end of an exchange may wait for what should come at once: the last write of the request, where the upstream
// has answered; the end of its stream, where its response is complete.
const lastWait = time.Second

// uploadComplete reports whether the whole request has been sent. It waits a moment for the last write.
func (c *conn) uploadComplete() bool {
	u := c.s.upload
	if u == nil {
		return true
	}
	if u.state.Load() == uploadLast {
		late := time.NewTimer(lastWait)
		defer late.Stop()
		select {
		case <-u.done:
		case <-late.C:
		}
	}
	return u.state.Load() == uploadDone
}

// stopUpload ends an upload that nobody needs any more.
func (c *conn) stopUpload() {
	u := c.s.upload
	if u == nil || u.joined {
		return
	}
	if u.state.Load() != uploadDone {
		c.s.keepClient = false
		c.linger = true
		u.stop.Store(true)
		_ = c.net.SetReadDeadline(past)
		_ = u.up.net().SetWriteDeadline(past)
	}
	c.joinUpload(u)
}

// endUpload waits for an upload at the end of its request.
func (c *conn) endUpload() {
	if u := c.s.upload; u != nil && !u.joined {
		if u.state.Load() != uploadDone {
			c.stopUpload()
			return
		}
		c.joinUpload(u)
	}
}

// joinUpload waits for the upload's goroutine and takes over what it owned.
func (c *conn) joinUpload(u *upload) {
	<-u.done
	u.joined = true
	c.s.ex.RequestBody = u.sent
	_ = c.net.SetReadDeadline(time.Time{}) // an error shows at the next read
}
