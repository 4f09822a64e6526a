package proxy

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"time"

	"pingap/message"
	"pingap/worker/http2/frame"
	"pingap/worker/http2/server"
	"pingap/worker/websocket"
)

// refusal is what a head that is not served is answered.
type refusal struct {
	status     int
	kind, text string
}

// streamConn is the conn of a stream.
type streamConn struct {
	conn
	own     via
	mux     *mux
	refusal refusal
}

// Request implements server.Handler: it begins to serve a stream.
func (m *mux) Request(st *server.Stream, head *server.Head) {
	c := m.c
	site := c.p.siteOf(c.server)
	if site == nil {
		st.Reset(frame.RefusedStream) // the listener is gone from the configuration
		st.Release()
		return
	}
	k := c.p.pools.stream()
	k.begin(m, st)
	c.info.Requests = m.requests.Add(1)
	k.s = c.p.pools.session()
	k.takeHead(site, st, head)
	m.serve(k)
}

// begin makes k the conn of a stream.
func (k *streamConn) begin(m *mux, st *server.Stream) {
	c := m.c
	k.p, k.net, k.server, k.info, k.parkedFD = c.p, st, c.server, c.info, -1
	k.own, k.mux = via{stream: st}, m
	k.via = &k.own
}

// serve serves a stream by a goroutine of its own, unless the connection is being closed.
func (m *mux) serve(k *streamConn) {
	if !m.begin(&k.conn) {
		k.own.stream.Reset(frame.RefusedStream)
		k.own.stream.Release()
		k.giveBack()
		return
	}
	k.p.routines.Go(k) // ends with its request; mux.close waits for it
}

// takeHead copies the head of a request into the session, and its body if it is there already.
func (k *streamConn) takeHead(site *Site, st *server.Stream, head *server.Head) {
	s := k.s
	s.site, s.server = site, site.Servers[k.server]
	s.ex.Conn = &k.info
	s.ex.Server, s.ex.ConfigVersion = s.server.Name, site.Version
	s.ex.Start = message.Now()
	if k.refusal = s.takeHead(head); head.Protocol != nil {
		return
	}
	if head.Ended && st.Trailers().Len() == 0 {
		s.reqBody, s.reqWhole = st.Body()
	}
	if s.reqWhole {
		s.reqFrame.Length = int64(len(s.reqBody))
		s.ex.RequestBody = s.reqFrame.Length
		s.ex.Request.BodyLength = s.reqFrame.Length
		return
	}
	if st.Trailers().Len() > 0 && head.Length == message.LengthUnknown { // only chunked bodies can have them
		s.reqFrame.Length = message.LengthUnknown
	}
	s.reqFrame.Chunked = s.reqFrame.Length == message.LengthUnknown
}

// takeHead copies the head of a request into the session, and says what to answer it if it is not served.
func (s *session) takeHead(head *server.Head) refusal {
	s.in = head.CopyTo(&s.ex.Request, s.in[:0])
	s.in = s.in[:cap(s.in)]
	s.reqFrame.TETrailers, s.reqFrame.Expect = head.TETrailers, head.Expect
	s.reqFrame.Length = s.ex.Request.BodyLength
	refused := refusal{head.Status, head.Type, head.Text}
	if head.Protocol != nil {
		if refused.status == 0 && !bytes.EqualFold(head.Protocol, webSocket) {
			refused = refusal{501, "HTTPStatus", "this protocol is not carried"}
		}
		s.beginWebSocket()
	}
	return refused
}

// webSocket is the one protocol that an extended CONNECT may ask for.
var webSocket = []byte("websocket")

// beginWebSocket makes an extended CONNECT (RFC 8441 section 5) the request that HTTP/1 has for it. What follows on the stream is
// no body but the tunnel.
func (s *session) beginWebSocket() {
	req := &s.ex.Request
	req.SetMethod([]byte("GET"))
	req.Fields.Append(message.Upgrade, []byte("Upgrade"), []byte("websocket"))
	if _, given := req.Fields.Lookup("sec-websocket-key"); !given {
		var nonce [16]byte
		_, _ = rand.Read(nonce[:]) // never fails
		req.Fields.Append(message.Unknown, []byte("Sec-WebSocket-Key"), base64.StdEncoding.AppendEncode(nil, nonce[:]))
	}
	req.Fields.DelID(message.ContentLength)
	s.reqFrame.Length, s.reqFrame.Upgrade, s.reqWhole = 0, true, true
	req.BodyLength = 0
}

// Run implements routines.Task: it serves the request of the stream.
func (k *streamConn) Run() {
	c := &k.conn
	if k.refusal.status != 0 {
		c.p.inFlight.Add(1)
		c.answerError(k.refusal.status, k.refusal.kind, k.refusal.text)
		c.finish()
	} else if c.process() == nextTunnel {
		c.tunnel()
	}
	k.mux.noteCut(c)
	if c.linger {
		c.lingerStream(k.own.stream)
	}
	k.mux.end(c) // first: the sweeper looks at the stream no more
	k.own.stream.Release()
	k.giveBack()
}

// giveBack returns the memory of a stream that is not linked any more.
func (k *streamConn) giveBack() {
	pools := &k.p.pools
	k.s.reset()
	pools.putSession(k.s)
	*k = streamConn{}
	pools.streams.Put(k)
}

// endStream ends the body of a response on a stream, with the trailers of the upstream's if they are still true.
func (c *conn) endStream(st *server.Stream) error {
	s := c.s
	trailers := s.trailers()
	if trailers == nil {
		if s.resp.headOnly {
			s.resp.headOnly = false
			return c.sendHead(nil, true)
		}
		return st.CloseWrite()
	}
	if s.resp.headOnly {
		s.resp.headOnly = false
		if err := c.sendHead(nil, false); err != nil {
			return err
		}
	}
	return st.WriteTrailers(trailers)
}

// unlikeTunnel reports whether a client that asked for a tunnel would take an answer for one that it is not: to extended CONNECT any
// 2xx says that there is one (RFC 8441 section 5), where HTTP/1 says 101.
func (c *conn) unlikeTunnel(status int) bool {
	return status/100 == 2 && c.s.reqFrame.Upgrade && c.stream() != nil
}

// noTunnel is what such a client is told instead.
const noTunnel = "there is no tunnel here"

// acceptStream makes the upstream's "101 Switching Protocols" what RFC 8441 section 5 has for it. It reports whether the upstream
// has agreed to what was asked and understood the key, which the client cannot check.
func (c *conn) acceptStream() bool {
	s := c.s
	if !bytes.EqualFold(s.ex.Response.Fields.Get(message.Upgrade), webSocket) && s.up.stream == nil {
		return false
	}
	if s.up.stream == nil { // else it has been answered by another engine
		key, _ := s.ex.Request.Fields.Lookup("sec-websocket-key")
		accept, _ := s.ex.Response.Fields.Lookup("sec-websocket-accept")
		if !bytes.Equal(accept, websocket.AppendAccept(nil, key)) {
			return false
		}
		s.ex.Response.Fields.Del("Sec-WebSocket-Accept")
	}
	s.ex.Response.Status = 200
	return true
}

// streamLinger is how long the rest of a body is taken that nobody needs.
const streamLinger = 500 * time.Millisecond

// lingerStream takes what is still coming of a body after the answer, for a moment. To end the stream without it needs a reset, which some
// clients take for a failure although the answer is complete (RFC 9113 section 8.1).
func (c *conn) lingerStream(st *server.Stream) {
	if !st.Answered() || st.SetReadDeadline(time.Now().Add(streamLinger)) != nil {
		return
	}
	buf := c.p.pools.bodyBuffer()
	defer c.p.pools.body.Put(buf)
	for total := 0; total < lingerBytes && !c.p.cutting.Load(); {
		n, err := st.Read(buf[:])
		if err != nil {
			return
		}
		total += n
	}
}
