package proxy

import (
	"errors"
	"io"
	"strconv"

	"pingap/message"
	"pingap/worker/http1"
)

// Uploads where at least one side is a stream of HTTP/2: bodies without a framing of their own.

const (
	// chunkFront is the room for the size line in front of a chunk, chunkBack that for the line end behind it.
	chunkFront = 18
	chunkBack  = 2
)

// copyStream sends the body of a client's stream, whose engine has held it against its announced length.
func (u *upload) copyStream() bool {
	buf := u.c.p.pools.bodyBuffer()
	defer u.c.p.pools.body.Put(buf)
	for {
		n, err := u.read(buf[chunkFront : len(buf)-chunkBack])
		if n > 0 && !u.sendData(buf, n) {
			return false
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			u.fail = failure{} // the end of the body; where the upstream does not take it any more, its answer decides
			return u.endOfStream(u.c.stream().Trailers())
		default:
			return false
		}
	}
}

// sendData sends the n bytes of the body that stand in buf behind chunkFront.
func (u *upload) sendData(buf *[bodySize]byte, n int) bool {
	p := buf[chunkFront : chunkFront+n]
	if u.up.stream != nil || !u.c.s.reqFrame.Chunked {
		return u.send(p, int64(n), u.up.stream == nil && u.sent+int64(n) == u.c.s.reqFrame.Length)
	}
	var size [chunkFront]byte
	line := append(strconv.AppendInt(size[:0], int64(n), 16), "\r\n"...)
	at := chunkFront - len(line)
	copy(buf[at:], line)
	copy(buf[chunkFront+n:], "\r\n")
	return u.send(buf[at:chunkFront+n+chunkBack], int64(n), false)
}

// writeDecoded writes what bytes of a body in base64 say.
func (u *upload) writeDecoded(p []byte) bool {
	k := &u.c.s.call
	text, err := k.decoder.Decode(k.text[:0], p)
	k.text = text
	if err != nil {
		u.fail = failure{status: 400, kind: "HTTPStatus"}
		return false
	}
	return u.pass(text)
}

// endOfStream ends the body on the upstream's side. trailers may be nil.
func (u *upload) endOfStream(trailers *message.Fields) bool {
	st := u.up.stream
	if st == nil {
		if u.c.stream() == nil || !u.c.s.reqFrame.Chunked {
			return true // the end came with the body
		}
		return u.send(http1.AppendLastChunk(nil, trailers), 0, true)
	}
	if u.c.s.decodes() && u.c.s.call.decoder.Close() != nil {
		u.fail = failure{status: 400, kind: "HTTPStatus"}
		return false
	}
	u.state.Store(uploadLast)
	if trailers != nil && trailers.Len() > 0 {
		return st.WriteTrailers(trailers) == nil
	}
	return st.CloseWrite() == nil
}

// copyData takes the data out of a chunked body, for a stream.
func (u *upload) copyData() bool {
	c := u.c
	buf := c.p.pools.bodyBuffer()
	defer c.p.pools.body.Put(buf)
	var chunks http1.Chunked
	for p := c.s.unread(); ; {
		for len(p) > 0 && !chunks.Done() {
			data, used, err := chunks.Next(p)
			if err != nil {
				u.fail = failure{status: 400, kind: err.Type}
				return false
			}
			p = p[used:]
			if len(data) > 0 && !u.send(data, int64(len(data)), false) {
				return false
			}
		}
		if chunks.Done() {
			c.s.keepUnread(p)
			var trailers message.Fields
			http1.ParseTrailer(chunks.Trailer(), &trailers)
			return u.endOfStream(&trailers)
		}
		n, err := u.read(buf[:])
		if err != nil {
			return false
		}
		p = buf[:n]
	}
}
