package proxy

import (
	"bytes"
	"context"
	"errors"
	"net"

	"pingap/message"
	"pingap/worker/http1"
	"pingap/worker/http2/client"
	"pingap/worker/upstream"
)

// maxShares bounds how often a request looks for another shared connection: one that was full or going away when its turn came,
// or whose peer did nothing with the request (RFC 9113 section 8.7). Where connections keep going away under it, because the peer
// takes few requests on each, the last try has one of its own.
const maxShares = 4

var errNotShared = errors.New("no shared connection took the request")

// attemptShared is attempt over connections of HTTP/2, which requests share.
func (c *conn) attemptShared(u *upstream.Upstream, b *upstream.Backend, begin int64) (served, failure) {
	s := c.s
	again := false // a request that may arrive twice was sent once more
	gone := false  // the last connection went away and did nothing with the request
	for try := range maxShares {
		alone := gone && try == maxShares-1
		m, conn, err := c.share(b, alone)
		switch {
		case errors.Is(err, upstream.ErrHTTP1), conn != nil:
			if s.call.kind != callWeb {
				return c.attemptAlone(u, b, conn, begin)
			}
			if conn != nil {
				conn.Discard()
			}
			return answered, failure{status: 502, kind: "InvalidH2", blameless: true} // it speaks no HTTP/2, which others take well
		case err != nil:
			return answered, connectFailure(err)
		}
		h2, ok := m.(*client.Conn)
		if !ok { // mountH2 has seen to it
			break
		}
		s.ex.UpstreamConnect = message.Now() - begin
		how, fail := c.exchangeShared(u, h2)
		if alone {
			h2.Drain()
		}
		b.Release(m)
		if c.replayable(fail) && (fail.unsent || s.ex.UpstreamReused && !again) {
			again = again || !fail.unsent
			gone = fail.kind == "ConnectionClosed"
			continue
		}
		return how, fail
	}
	return answered, connectFailure(&upstream.ConnectError{Addr: b.Addr, Err: errNotShared})
}

// share finds or makes a connection, or makes one for this request alone; it ends early when the client leaves.
func (c *conn) share(b *upstream.Backend, alone bool) (upstream.Mux, *upstream.Conn, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c.enter(phaseUpstream, message.Now(), 0, dialing{cancel})
	get := b.Share
	if alone {
		get = b.ShareAlone
	}
	m, conn, err := get(ctx, &c.s.target, c.p.mountH2)
	c.s.clientGone = c.wait.leave() == causeClientOut
	return m, conn, err
}

// mountH2 implements upstream.Mounter.
func (p *Proxy) mountH2(conn *upstream.Conn) (upstream.Mux, error) {
	u := conn.Backend.Upstream()
	var transport net.Conn = conn
	if conn.Secure != nil {
		transport = conn.Secure // the engine reads it inside the callback
	}
	return client.New(transport, client.Options{
		MaxStreams: u.Config.MaxH2Streams, Pools: &p.pools.h2, WriteTimeout: u.WriteTimeout,
		Closed: func(*client.Conn) { conn.Discard() },
	}), nil
}

// exchangeShared exchanges request and response on a stream of a connection on which there is a place for it.
func (c *conn) exchangeShared(u *upstream.Upstream, h2 *client.Conn) (served, failure) {
	s := c.s
	o := client.OpenOptions{Authority: s.ex.UpstreamAddr, ContentLength: message.LengthUnknown, Reserved: true}
	if u.Config.SNI != "" {
		o.Scheme = "https"
	}
	trailers := c.bodyFor(&o)
	s.ex.UpstreamReused = h2.Opened() > 0
	st, err := h2.Open(&s.ex.Request, s.requestFields(), o)
	if errors.Is(err, client.ErrProtocol) {
		return answered, failure{status: 502, kind: "InvalidH2", blameless: true} // what a client asks for is no fault
	}
	if err != nil { // it was full or going away at the last moment
		return answered, failure{status: 502, kind: "ConnectionClosed", unsent: true, unanswered: true, connect: true, blameless: true}
	}
	if trailers != nil {
		_, _ = st.Write(s.reqBody) // an error shows at the response
		_ = st.WriteTrailers(trailers)
	}
	up := c.p.pools.upStream()
	up.stream = st
	s.up = up
	how, fail := c.exchange(u, up, message.Now())
	s.up = nil
	return how, fail
}

// bodyFor says how the body of the request goes to a stream. Trailers that came with a whole body are returned, to be sent
// behind it.
func (c *conn) bodyFor(o *client.OpenOptions) *message.Fields {
	s := c.s
	if s.reqFrame.Upgrade {
		o.Protocol = string(bytes.ToLower(s.ex.Request.Fields.Get(message.Upgrade)))
		return nil
	}
	if s.reqWhole && s.reqFrame.Chunked {
		if trailers := s.unchunk(); trailers.Len() > 0 {
			return trailers
		}
	}
	if (s.reqFrame.Length > 0 || s.ex.Request.Fields.Has(message.ContentLength)) && (s.reqWhole || !s.decodes()) {
		o.ContentLength = s.reqFrame.Length
	}
	if s.reqWhole {
		o.Body, o.End = s.reqBody, len(s.reqBody) == 0
	}
	return nil
}

// unchunk takes the data out of a whole chunked body, in place, and returns its trailers. From then on it is a body with a
// length.
func (s *session) unchunk() *message.Fields {
	data, trailer, _ := http1.Unchunk(s.reqBody) // it has been checked
	s.reqBody, s.reqFrame.Chunked, s.reqFrame.Length = data, false, int64(len(data))
	trailers := new(message.Fields)
	http1.ParseTrailer(trailer, trailers)
	return trailers
}
