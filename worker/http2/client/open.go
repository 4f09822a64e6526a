package client

import (
	"bytes"
	"strconv"

	"pingap/message"
	"pingap/worker/http2/answer"
	"pingap/worker/http2/frame"
)

// OpenOptions say how a request is sent.
type OpenOptions struct {
	// Authority is what :authority says if the fields have no Host and the request none.
	Authority string
	// Scheme is "http" or "https"; "" is the first.
	Scheme string
	// ContentLength is the length of the body; 0 of an empty one that is announced, message.LengthUnknown writes none.
	ContentLength int64
	// End tells that there is no body.
	End bool
	// Body is the whole body, if it is at hand. It is sent as far as the windows allow, the rest later, by itself: the memory must stay
	// until the stream is released.
	Body []byte
	// Protocol asks for a tunnel by extended CONNECT (RFC 8441), such as "websocket"; Open waits for the peer's
	// SETTINGS then.
	Protocol string
	// Reserved tells that Reserve took the room. It is used up, also by an error.
	Reserved bool
}

// dropped is the set of well-known fields that are not sent as they are: HTTP/2 has no fields of a connection.
const dropped uint64 = 1<<message.Connection | 1<<message.KeepAlive | 1<<message.ProxyConnection |
	1<<message.TransferEncoding | 1<<message.Upgrade | 1<<message.HTTP2Settings | 1<<message.Host | 1<<message.ContentLength | 1<<message.TE

var trailers = []byte("trailers")

// Open sends a request: its head, and Body. fields are those of the request or a changed copy of them. An error means that
// nothing was sent, and another connection may be tried.
func (c *Conn) Open(req *message.Request, fields *message.Fields, o OpenOptions) (*Stream, error) {
	if o.Protocol != "" {
		c.greet()
		<-c.settled // Tick bounds this
	}
	c.mu.Lock()
	err := c.admitLocked(o.Reserved)
	if err == nil && o.Protocol != "" && !c.peer.connect {
		err = ErrProtocol
	}
	if err != nil {
		c.partLocked()
		c.publishLocked()
		c.flushLocked()
		return nil, err
	}
	s := c.addLocked()
	s.ask = answer.Ask{Head: req.MethodID == message.HEAD, Tunnel: o.Protocol != ""}
	end := o.End && !s.ask.Tunnel
	c.sendHeadLocked(s, req, fields, &o, end)
	switch {
	case end:
		s.sentLocked()
	case len(o.Body) > 0:
		s.beginLocked(o.Body, true)
	}
	c.flushLocked()
	return s, nil
}

// greet sends what a connection begins with, if that was not sent yet.
func (c *Conn) greet() {
	c.mu.Lock()
	c.flushLocked()
}

// sendHeadLocked queues the HEADERS of a request.
func (c *Conn) sendHeadLocked(s *Stream, req *message.Request, fields *message.Fields, o *OpenOptions, end bool) {
	block := c.pseudoLocked(c.scratch[:0], req, fields, o)
	list := fields.List()
	for i := range list {
		f := &list[i]
		if !in(dropped, f.ID) {
			block = c.enc.Append(block, f)
			continue
		}
		if f.ID == message.TE && hasTrailers(f.Value) {
			block = c.enc.Append(block, &message.Field{ID: message.TE, Value: trailers})
		}
	}
	if o.ContentLength >= 0 && o.Protocol == "" {
		value := strconv.AppendInt(c.num[:0], o.ContentLength, 10)
		block = c.enc.Append(block, &message.Field{ID: message.ContentLength, Value: value})
	}
	c.scratch = block
	b := c.outLocked()
	b.b = frame.AppendHeaders(b.b, s.id, block, end, uint32(c.peer.maxFrame))
	s.headEnd = c.positionLocked()
}

// pseudoLocked appends the pseudo-fields (RFC 9113 section 8.3.1, RFC 8441 section 4).
func (c *Conn) pseudoLocked(block []byte, req *message.Request, fields *message.Fields, o *OpenOptions) []byte {
	if o.Protocol != "" {
		block = c.enc.AppendPseudo(block, ":method", c.textLocked("CONNECT"))
		block = c.enc.AppendPseudo(block, ":protocol", c.textLocked(o.Protocol))
	} else {
		block = c.enc.AppendPseudo(block, ":method", req.Method)
	}
	scheme := o.Scheme
	if scheme == "" {
		scheme = "http"
	}
	block = c.enc.AppendPseudo(block, ":scheme", c.textLocked(scheme))
	authority := fields.Get(message.Host)
	switch {
	case len(authority) > 0:
	case len(req.Host) > 0:
		authority = req.Host
	default:
		authority = c.textLocked(o.Authority)
	}
	if len(authority) > 0 {
		block = c.enc.AppendPseudo(block, ":authority", authority)
	}
	return c.enc.AppendPseudo(block, ":path", req.Target)
}

// textLocked returns s as bytes, until the next call.
func (c *Conn) textLocked(s string) []byte {
	c.text = append(c.text[:0], s...)
	return c.text
}

func in(set uint64, id message.Name) bool { return set>>id&1 != 0 }

func trim(b []byte) []byte { return bytes.Trim(b, " \t") }

// hasTrailers reports whether a TE field says that trailers are welcome.
func hasTrailers(value []byte) bool {
	for len(value) > 0 {
		var item []byte
		item, value, _ = bytes.Cut(value, []byte{','})
		if message.EqualFold(trim(item), "trailers") {
			return true
		}
	}
	return false
}
