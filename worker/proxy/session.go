package proxy

import (
	"sync"

	"pingap/message"
	"pingap/plugins"
	"pingap/worker/http1"
	"pingap/worker/http2/client"
	"pingap/worker/mirror"
	"pingap/worker/secure"
	"pingap/worker/upstream"
)

const (
	// inSize is the size of a read buffer for requests; longer heads grow it.
	inSize = 16 << 10
	// upSize is the size of a read buffer for response heads and what comes with them.
	upSize = 32 << 10
	// upRoom is what stays free at its front, so that a head can grow in front of a body.
	upRoom = 1 << 10
	// bodySize is the size of a buffer for the rest of a body, up or down.
	bodySize = 64 << 10
	// joinMax is the longest body that is copied behind its head to be one write, which up to here costs
	// less than writev; a longer one is gathered by writev.
	joinMax = 20 << 10
)

// session is the memory of a request in process.
type session struct {
	ex plugins.Exchange

	site     *Site
	server   *Server
	location *Location

	fd       uintptr     // of the client's socket: valid inside its callback only, 0 outside
	tunnelUp *upstreamIO // the other end, of a tunnel

	in   []byte // bytes from the client: in[r:w] are unread
	r, w int

	reqScan    http1.Scan // of the head that is coming
	reqFrame   http1.Framing
	reqChunks  http1.Chunked
	reqBody    []byte // the complete body, framing included, if it came with the head; in in
	reqWhole   bool   // reqBody is the complete body (perhaps empty)
	upFields   message.Fields
	out        []byte  // head being written
	upOut      []byte  // head of the request while it goes up by an upload
	held       bool    // a slot of the location is held
	counted    bool    // counted in the server's Processing
	inside     *Inside // the request goes to control; nil for any other
	prefix     string  // with inside: what was taken from the front of its path
	keepClient bool    // the client's connection may be used again
	headSent   bool    // a final response head has been written, at least in part
	ended      int64   // when the exchange with the upstream was over, 0 for not known
	broken     bool    // the client did not get the whole answer, or did not because we cut it
	clientGone bool    // a write to the client failed, or the sweeper saw it leave

	up      *upstreamIO       // the exchange with the upstream in progress
	backend *upstream.Backend // the one being tried, counted as in flight
	tried   []*upstream.Backend
	next    *upstream.Backend // chosen already, because the answer of the one before was held back
	told    bool              // backend knows how it ended
	mirror  *mirror.Copy      // waits for its body
	cookie  []byte            // scratch: a Set-Cookie field of ours
	target  upstream.Target   // whom the connection must be for
	upload  *upload

	nobody  bool              // no client waits for the answer: it is for the Storer alone (refresh.go)
	instead *plugins.Answer   // of the Storer, in the place of the upstream's response
	shadow  *plugins.Exchange // the copy that instances in shadow mode are asked with; made when it is first used
	times   []pluginTime      // what plugins took, where Server-Timing tells it

	rehearsal *Rehearsal // the request is only followed, and this is where it is noted; nil for any other

	resp respState
	call call
}

// buffers are the pools of a worker. Pools hold pointers to arrays so that putting allocates nothing.
type buffers struct {
	sessions sync.Pool
	up       sync.Pool // *[upRoom + upSize]byte
	body     sync.Pool // *[bodySize]byte
	streams  sync.Pool // *streamConn
	ups      sync.Pool // *upstreamIO, for streams
	secure   secure.Buffers
	h2       client.Pools
}

func (b *buffers) session() *session {
	if s, ok := b.sessions.Get().(*session); ok {
		return s
	}
	s := &session{in: make([]byte, inSize), out: make([]byte, 0, 2<<10)}
	s.ex.Reset()
	return s
}

// putSession takes back a session whose request is over. Buffers that grew are let go.
func (b *buffers) putSession(s *session) {
	if len(s.in) > inSize {
		s.in = make([]byte, inSize)
	}
	for i := range s.resp.work {
		if cap(s.resp.work[i]) > bodySize {
			s.resp.work[i] = nil
		}
	}
	s.r, s.w, s.fd = 0, 0, 0
	b.sessions.Put(s)
}

func (b *buffers) stream() *streamConn {
	if k, ok := b.streams.Get().(*streamConn); ok {
		return k
	}
	return new(streamConn)
}

func (b *buffers) upStream() *upstreamIO {
	if up, ok := b.ups.Get().(*upstreamIO); ok {
		return up
	}
	return new(upstreamIO)
}

func (b *buffers) upBuffer() *[upRoom + upSize]byte {
	if p, ok := b.up.Get().(*[upRoom + upSize]byte); ok {
		return p
	}
	return new([upRoom + upSize]byte)
}

func (b *buffers) bodyBuffer() *[bodySize]byte {
	if p, ok := b.body.Get().(*[bodySize]byte); ok {
		return p
	}
	return new([bodySize]byte)
}

// reset forgets the request and keeps memory and unread bytes.
func (s *session) reset() {
	s.ex.Reset()
	s.upFields.Reset()
	s.reqChunks.Reset()
	s.resp.reset()
	if s.call.kind != callNone {
		s.call.reset()
	}
	clear(s.tried)
	s.site, s.server, s.location = nil, nil, nil
	s.reqScan, s.reqFrame, s.reqBody, s.reqWhole = http1.Scan{}, http1.Framing{}, nil, false
	s.held, s.counted, s.keepClient, s.headSent, s.clientGone, s.broken = false, false, false, false, false, false
	s.tunnelUp, s.tried, s.upload, s.up, s.backend, s.ended = nil, s.tried[:0], nil, nil, nil, 0
	s.next, s.mirror, s.instead, s.inside, s.nobody = nil, nil, nil, nil, false
	clear(s.times)
	s.times = s.times[:0]
	if s.shadow != nil {
		s.shadow.Reset()
		s.shadow.Conn = nil
	}
	s.out = s.out[:0]
	if s.r == s.w {
		s.r, s.w = 0, 0
	}
}

// unread returns the bytes from the client that no request has taken yet.
func (s *session) unread() []byte { return s.in[s.r:s.w] }

// space makes room to read into, growing the buffer up to max bytes of unread data. It returns nil
// when that is reached.
func (s *session) space(max int) []byte {
	if s.w < len(s.in) {
		return s.in[s.w:]
	}
	if s.r > 0 {
		s.w = copy(s.in, s.in[s.r:s.w])
		s.r = 0
		return s.in[s.w:]
	}
	if len(s.in) >= max {
		return nil
	}
	grown := make([]byte, min(2*len(s.in), max))
	s.w = copy(grown, s.in)
	s.in = grown
	return s.in[s.w:]
}
