package client

import (
	"errors"
	"io"
	"os"
	"syscall"
	"time"

	"pingap/message"
	"pingap/worker/http2/frame"
	"pingap/worker/http2/hpack"
)

const (
	// frameSize is the largest frame we take, the default of RFC 9113.
	frameSize = frame.MinMaxFrame
	// hintSize is how much an idle connection reads at first, before it takes a buffer.
	hintSize = 64
	// goodbyeTime is how long a last GOAWAY may take.
	goodbyeTime = time.Second
)

// reader is what the goroutine that reads owns. The frames are handled under the connection's mu, a buffer
// full at a time.
type reader struct {
	c    *Conn
	fn   func(fd uintptr) bool // onReady, bound once
	err  error                 // why onReady ended the wait
	buf  *inBuffer             // nil while there is nothing to keep
	r, w int                   // buf[r:w] is not handled yet
	hint [hintSize]byte        // see readPlain

	dec    hpack.Decoder
	head   frame.Header // the HEADERS whose block is coming, Stream 0 for none
	block  []byte       // that block, if it came in pieces
	pieces int
	late   message.Fields  // of streams that are gone: stays empty
	spare  []chan struct{} // takes turns with wakes
}

func (r *reader) init(c *Conn) {
	r.c = c
	r.dec.Init(hpackTable)
	if c.raw != nil {
		r.fn = r.onReady
	}
}

// run reads until the transport or the peer fails, and ends the connection.
func (c *Conn) run() {
	defer c.wg.Done()
	var err error
	for {
		if c.raw != nil {
			if err = c.raw.Read(c.in.fn); err == nil {
				err = c.in.err
			}
		} else {
			err = c.in.readPlain()
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || !c.readAgain(&err) {
			break
		}
	}
	c.in.release()
	c.finish(err)
	if c.o.Closed != nil {
		c.o.Closed(c)
	}
}

// readAgain handles an interruption by Tick. It reports false, and why, when there is nothing to read any more.
func (c *Conn) readAgain(err *error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.writeErr != nil {
		*err = c.writeErr
		return false
	}
	*err = c.t.SetReadDeadline(time.Time{})
	return c.err == nil && *err == nil
}

// finish ends the connection: with a GOAWAY where the peer broke a rule.
func (c *Conn) finish(err error) {
	own, ok := err.(*Error)
	c.mu.Lock()
	c.failLocked(err)
	if !ok || own.Cause != Broken || c.hungUp {
		closed := c.hungUp
		c.closing, c.hungUp = true, true
		c.mu.Unlock()
		if !closed {
			_ = c.t.Close() // it has failed already
		}
		return
	}
	c.hangUpLocked(own.Code)
	_ = c.t.SetWriteDeadline(time.Now().Add(goodbyeTime)) // else it is closed already
	if c.flushing {
		c.mu.Unlock() // who writes closes the transport then
		return
	}
	c.flushing = true
	c.writeLocked(1<<30, true)
}

// onReady is the callback of RawConn.Read: it is left only at the end, so that no read finds nothing.
func (r *reader) onReady(fd uintptr) bool {
	for {
		space := r.space()
		n, errno := rawRead(fd, space)
		switch {
		case errno == syscall.EAGAIN:
			r.idle()
			return false
		case errno != 0:
			r.err = errno
			return true
		case n == 0:
			r.err = io.EOF
			return true
		}
		r.w += n
		if r.err = r.take(); r.err != nil {
			return true
		}
		if n < len(space) {
			r.idle()
			return false // the socket is drained; a FIN that came with the data is found by Tick
		}
	}
}

// readPlain reads from a transport that has no descriptor of its own, such as TLS. Without streams it waits
// with a few bytes, after Tick has taken the buffer away.
func (r *reader) readPlain() error {
	for {
		space := r.hint[:]
		if r.buf != nil {
			space = r.space()
		}
		n, err := r.c.t.Read(space)
		if r.buf == nil && n > 0 {
			copy(r.space(), r.hint[:n])
		}
		r.w += n
		if n > 0 {
			if err := r.take(); err != nil {
				return err
			}
		}
		if err != nil {
			if r.r == r.w {
				r.release()
			}
			return err
		}
	}
}

// space returns where the next bytes go: at least one whole frame fits behind what is there.
func (r *reader) space() []byte {
	if r.buf == nil {
		r.buf = r.c.pools.getIn()
	}
	if r.r > 0 && (r.r == r.w || r.w > inSize/2) { // what is left is less than a frame
		r.w = copy(r.buf[:], r.buf[r.r:r.w])
		r.r = 0
	}
	return r.buf[r.w:]
}

// idle gives the buffer back if nothing is in it.
func (r *reader) idle() {
	if r.r == r.w {
		r.release()
	}
}

func (r *reader) release() {
	if r.buf != nil {
		r.c.pools.in.Put(r.buf)
		r.buf = nil
	}
	r.r, r.w = 0, 0
}

// take handles the frames in the buffer, and wakes whom they concern when it is through: they would only
// wait for mu before.
func (r *reader) take() error {
	c := r.c
	c.heard.Store(true)
	c.mu.Lock()
	c.batch = true
	err := r.framesLocked()
	c.batch = false
	wakes := c.wakes
	c.wakes = r.spare
	write := c.out != nil || c.closing
	c.mu.Unlock()
	for i, token := range wakes {
		token <- struct{}{} // there is room: see waiter
		wakes[i] = nil
	}
	r.spare = wakes[:0]
	if write && err == nil {
		c.mu.Lock()
		c.kickLocked()
	}
	return err
}

func (r *reader) framesLocked() error {
	if r.c.err != nil {
		return r.c.err
	}
	for {
		h, p, n, err := frame.Next(r.buf[r.r:r.w], frameSize)
		if err == nil && n > 0 {
			err = r.frameLocked(h, p)
		}
		if err != nil {
			return asBroken(err)
		}
		if n == 0 {
			return nil
		}
		r.r += n
	}
}

// asBroken says of an error of a frame that it ends the connection.
func asBroken(err error) error {
	if e, ok := err.(*frame.Error); ok {
		return broken(e.Code, e.Text)
	}
	return err
}
