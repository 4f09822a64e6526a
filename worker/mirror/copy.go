package mirror

import (
	"math/rand/v2"

	"pingap/message"
	"pingap/worker/http1"
	"pingap/worker/upstream"
)

// Target is where copies of a location's requests go.
type Target struct {
	Upstream *upstream.Upstream
	// Percent of the requests are copied.
	Percent int
	// MaxBody is the longest body in bytes that is copied.
	MaxBody int64
}

// Framing is how the body is framed that Body gets, and what the head says of it.
type Framing struct {
	// Length as announced, message.LengthUnknown for not; Chunked that what comes is in chunks.
	Length  int64
	Chunked bool
	// Announced tells that an empty body is to be announced as such.
	Announced bool
	// TETrailers says "TE: trailers".
	TETrailers bool
}

// Copy is the copy of a request.
type Copy struct {
	s       *Sender
	target  *Target
	framing Framing
	over    bool // the body is too long, or there is no memory for it

	rec  message.Record
	conn message.Conn
	head []byte // what the record's views show
	body []byte
	held int64 // what it counts for in Sender.held

	aim  upstream.Target
	out  []byte
	mem  []byte // of a response head on a stream
	resp message.Response
}

// maxKept bounds the memory that a copy keeps for the next one, in bytes.
const maxKept = 16 << 10

// Begin begins the copy of a request: rec, with fields as they go to the upstream. It returns nil where none is to be made.
func (s *Sender) Begin(t *Target, rec *message.Record, fields *message.Fields, f Framing) *Copy {
	if f.Length > t.MaxBody || t.Percent < 100 && rand.IntN(100) >= t.Percent {
		return nil
	}
	if s.closed.Load() || s.inFlight.Load() >= maxInFlight {
		s.dropped.Add(1)
		return nil
	}
	c, ok := s.copies.Get().(*Copy)
	if !ok {
		c = new(Copy)
	}
	c.s, c.target, c.framing = s, t, f
	if !c.hold(int64(headSize(rec, fields))) {
		c.Drop()
		s.dropped.Add(1)
		return nil
	}
	c.take(rec, fields)
	return c
}

// headSize is how many bytes take copies.
func headSize(rec *message.Record, fields *message.Fields) int {
	n := len(rec.Request.Method) + len(rec.Request.Target) + len(rec.Request.Host) + len(rec.ClientIPText)
	for _, f := range fields.List() {
		n += len(f.Name) + len(f.Value)
	}
	return n
}

// take copies what a backend gets and what it is chosen by.
func (c *Copy) take(rec *message.Record, fields *message.Fields) {
	if n := headSize(rec, fields); cap(c.head) < n {
		c.head = make([]byte, 0, n) // once: the views below must not move
	}
	own := func(b []byte) []byte {
		at := len(c.head)
		c.head = append(c.head, b...)
		return c.head[at:len(c.head):len(c.head)]
	}
	c.conn = *rec.Conn
	c.rec.Conn = &c.conn
	req := &c.rec.Request
	req.SetMethod(own(rec.Request.Method))
	req.SetTarget(own(rec.Request.Target))
	req.Host, req.Version = own(rec.Request.Host), message.HTTP11
	c.rec.ClientIP, c.rec.ClientIPText = rec.ClientIP, own(rec.ClientIPText)
	for _, f := range fields.List() {
		if f.ID == message.Expect || f.ID == message.ContentLength { // the body is at hand, and its length known
			continue
		}
		f.Name, f.Value = own(f.Name), own(f.Value)
		req.Fields.Append(f.ID, f.Name, f.Value)
	}
	c.rec.Start = rec.Start
}

// hold counts memory. It reports false where all copies together hold too much.
func (c *Copy) hold(n int64) bool {
	c.held += n
	return c.s.held.Add(n) <= maxHeld
}

// Body adds bytes of the body, as they go to the upstream.
func (c *Copy) Body(p []byte) {
	if c.over {
		return
	}
	if int64(len(c.body)+len(p)) > c.longest() || !c.hold(int64(len(p))) {
		c.over, c.body = true, nil
		return
	}
	c.body = append(c.body, p...)
}

// Chunked says whether the body comes in chunks, before the first Body.
func (c *Copy) Chunked(chunked bool) { c.framing.Chunked = chunked }

// longest is how many bytes of body and framing are taken: bodies in very small chunks are left out although they are
// short enough.
func (c *Copy) longest() int64 {
	if c.framing.Chunked {
		return 2*c.target.MaxBody + 4<<10
	}
	return c.target.MaxBody
}

// Send sends the copy, whose body is complete. It does not wait.
func (c *Copy) Send() {
	s := c.s
	if c.over || !c.unframe() || int64(len(c.body)) > c.target.MaxBody {
		c.Drop()
		return
	}
	if !s.start() {
		s.dropped.Add(1)
		c.Drop()
		return
	}
	s.routines.Go(c) // ended and waited for by Close
}

// Drop gives the copy up.
func (c *Copy) Drop() {
	s := c.s
	s.held.Add(-c.held)
	c.rec.Reset()
	head, body, out, mem := c.head[:0], c.body[:0], c.out[:0], c.mem[:0]
	for _, b := range []*[]byte{&head, &body, &out, &mem} {
		if cap(*b) > maxKept {
			*b = nil
		}
	}
	c.resp.Reset()
	*c = Copy{rec: c.rec, resp: c.resp, aim: c.aim, head: head, body: body, out: out, mem: mem}
	s.copies.Put(c)
}

// unframe takes a body out of its chunks. Trailers are left out. It reports false for a body that is none.
func (c *Copy) unframe() (whole bool) {
	if !c.framing.Chunked {
		return true
	}
	c.framing.Announced = true
	c.body, _, whole = http1.Unchunk(c.body)
	return whole
}

// length is the Content-Length to send.
func (c *Copy) length() int64 {
	if len(c.body) > 0 || c.framing.Announced {
		return int64(len(c.body))
	}
	return message.LengthUnknown
}
