package mirror

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"pingap/message"
	"pingap/worker/http1"
	"pingap/worker/http2/client"
	"pingap/worker/upstream"
)

const (
	// readSize is the room for a response head and for pieces of a body.
	readSize = 32 << 10
	// maxFields bounds the fields of a response, maxInterim the responses before the final one.
	maxFields  = 256
	maxInterim = 32
	// maxBody is the most that is read of an answer, for the sake of the connection.
	maxBody = 256 << 10
)

var (
	errBroken  = errors.New("the answer is none")
	errGone    = errors.New("the shared connection takes no request any more")
	errForeign = errors.New("the shared connection is not one of HTTP/2")
)

// past is a deadline that is over: setting it wakes who waits.
var past = time.Unix(1, 0)

// exchange sends the copy to a backend and takes the answer. It fills in how that ended.
func (c *Copy) exchange(u *upstream.Upstream, b *upstream.Backend, o *upstream.Outcome) error {
	limit := longest
	if u.ReadTimeout > 0 {
		limit = min(limit, u.ReadTimeout)
	}
	ctx, cancel := context.WithTimeout(c.s.ctx, longest)
	defer cancel()
	u.Aim(&c.aim, &c.rec)
	err := c.over2or1(ctx, u, b, limit, o)
	switch {
	case c.s.ctx.Err() != nil: // cut by us
		o.Failed, o.Cancelled = false, o.Status == 0
	case errors.Is(err, errGone), errors.Is(err, errForeign):
		o.Cancelled = true
	case err != nil && !(o.Status != 0 && errors.Is(err, os.ErrDeadlineExceeded)): // a body may take longer than we wait
		o.Failed = true
	}
	return err
}

// over2or1 exchanges over HTTP/2 where the backend speaks it, else over HTTP/1.
func (c *Copy) over2or1(ctx context.Context, u *upstream.Upstream, b *upstream.Backend, limit time.Duration, o *upstream.Outcome) error {
	if u.Multiplexed() {
		m, conn, err := b.Share(ctx, &c.aim, c.s.mount)
		switch {
		case m != nil:
			defer b.Release(m)
			return c.onStream(ctx, u, b, m, limit, o)
		case conn != nil:
			return c.onConn(ctx, conn, limit, o)
		case !errors.Is(err, upstream.ErrHTTP1):
			return err
		}
	}
	conn, err := c.connect(ctx, b)
	if err != nil {
		return err
	}
	return c.onConn(ctx, conn, limit, o)
}

// connect takes a connection that is alive from the pool, or makes one.
func (c *Copy) connect(ctx context.Context, b *upstream.Backend) (*upstream.Conn, error) {
	for {
		conn := b.Take(&c.aim)
		if conn == nil {
			return b.Dial(ctx, &c.aim)
		}
		if conn.Alive() {
			return conn, nil
		}
		conn.Discard()
	}
}

// onConn is exchange on a connection of HTTP/1, which is back in the pool afterwards, or closed.
func (c *Copy) onConn(ctx context.Context, conn *upstream.Conn, limit time.Duration, o *upstream.Outcome) error {
	if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
		conn.Discard()
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(past) }) // an error is a connection that has ended
	again, err := c.talk(conn, o)
	if !stop() || !again || conn.SetDeadline(time.Time{}) != nil {
		conn.Discard()
		return err
	}
	conn.Backend.Put(conn)
	return err
}

// talk writes the request and reads the answer. again tells that the connection may be used again.
func (c *Copy) talk(conn *upstream.Conn, o *upstream.Outcome) (again bool, err error) {
	out := http1.Out{Length: c.length(), TETrailers: c.framing.TETrailers, Host: conn.Backend.Addr}
	if strings.HasPrefix(out.Host, "unix:") {
		out.Host = "localhost"
	}
	c.out = http1.AppendRequest(c.out[:0], &c.rec.Request, &c.rec.Request.Fields, out)
	rest := c.body
	if len(rest) <= maxKept {
		c.out, rest = append(c.out, rest...), nil
	}
	if err := writeAll(conn, c.out, rest); err != nil {
		return false, err
	}
	buf, ok := c.s.buffers.Get().(*[readSize]byte)
	if !ok {
		buf = new([readSize]byte)
	}
	defer c.s.buffers.Put(buf)
	frame, first, err := c.readHead(conn, buf)
	if err != nil {
		return false, err
	}
	o.Status = c.resp.Status
	again, err = skipBody(conn, buf[:], first, frame)
	return again && frame.KeepAlive, err
}

// writeAll writes the parts that are not empty.
func writeAll(w io.Writer, parts ...[]byte) error {
	for _, p := range parts {
		if len(p) == 0 {
			continue
		}
		if _, err := w.Write(p); err != nil {
			return err
		}
	}
	return nil
}

// readHead reads up to the final response head. first is what came behind it.
func (c *Copy) readHead(conn *upstream.Conn, buf *[readSize]byte) (frame http1.Framing, first []byte, err error) {
	limits := http1.Limits{Head: readSize, Fields: maxFields}
	ask := http1.Ask{Head: c.rec.Request.MethodID == message.HEAD}
	for r, w, interim := 0, 0, 0; ; {
		c.resp.Reset()
		n, frame, bad := http1.ParseResponse(buf[r:w], &c.resp, &limits, ask)
		switch {
		case bad != nil || interim > maxInterim || n > 0 && c.resp.Status == 101:
			return frame, nil, errBroken
		case n > 0 && c.resp.Status >= 200:
			return frame, buf[r+n : w], nil
		case n > 0:
			r += n
			interim++
			continue
		case w == len(buf):
			return frame, nil, errBroken
		}
		got, err := conn.Read(buf[w:])
		if err != nil {
			return frame, nil, err
		}
		w += got
	}
}

// skipBody reads a body, of which first has come, unless it is long. again tells that it ended, and nothing came behind it.
func skipBody(conn *upstream.Conn, buf, first []byte, frame http1.Framing) (again bool, err error) {
	if frame.UntilClose || frame.Length > maxBody {
		return false, nil // it has answered
	}
	var chunks http1.Chunked
	left := frame.Length
	for total, p := 0, first; total <= maxBody; {
		total += len(p)
		if frame.Chunked {
			_, used, bad := chunks.Pass(p)
			if bad != nil {
				return false, errBroken
			}
			if chunks.Done() {
				return used == len(p), nil
			}
		} else if left -= int64(len(p)); left <= 0 {
			return left == 0, nil
		}
		n, err := conn.Read(buf)
		if err != nil {
			return false, err
		}
		p = buf[:n]
	}
	return false, nil
}

// onStream is exchange on a place of a shared connection.
func (c *Copy) onStream(ctx context.Context, u *upstream.Upstream, b *upstream.Backend, m upstream.Mux, limit time.Duration, o *upstream.Outcome) error {
	h2, ok := m.(*client.Conn)
	if !ok { // Options.Mount has seen to it
		return errForeign
	}
	open := client.OpenOptions{Authority: b.Addr, ContentLength: c.length(), Body: c.body, End: len(c.body) == 0, Reserved: true}
	if u.Config.SNI != "" {
		open.Scheme = "https"
	}
	st, err := h2.Open(&c.rec.Request, &c.rec.Request.Fields, open)
	if err != nil {
		return errGone
	}
	defer st.Release()
	if err := st.SetDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	cut := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { defer close(cut); _ = st.SetDeadline(past) })
	defer func() {
		if !stop() {
			<-cut // before the stream is somebody else's
		}
	}()
	for final := false; !final; {
		if c.mem, final, err = st.Head(&c.resp, c.mem); err != nil {
			return err
		}
	}
	o.Status = c.resp.Status
	for total := 0; total <= maxBody; {
		p, err := st.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		total += len(p)
	}
	return nil
}
