package grpcweb

import (
	"bytes"

	"pingap/message"
)

// Call says in which form a call of gRPC-web is made. The zero value is none.
type Call struct {
	textRequest, textResponse bool
}

const (
	grpcType = "application/grpc"
	webType  = "application/grpc-web"
	textType = "application/grpc-web-text"
)

// Match finds out by its content type whether a request is a call of gRPC-web. The answer has the form that Accept asks for, and else that of the request.
func Match(f *message.Fields) (Call, bool) {
	text, _, ok := parseType(f.Get(message.ContentType))
	if !ok {
		return Call{}, false
	}
	c := Call{textRequest: text, textResponse: text}
	for accept := f.Get(message.Accept); len(accept) > 0; {
		var one []byte
		one, accept, _ = bytes.Cut(accept, []byte{','})
		if text, _, ok := parseType(bytes.TrimSpace(one)); ok {
			c.textResponse = text
			break
		}
	}
	return c, true
}

// TextRequest reports whether the body of the request has to go through a Decoder.
func (c Call) TextRequest() bool { return c.textRequest }

// TextResponse reports whether the body of the answer has to go through an Encoder. In binary form only trailers need one.
func (c Call) TextResponse() bool { return c.textResponse }

// parseType takes a content type of gRPC-web apart: whether it is the text form, and what follows from "+" on, without parameters.
func parseType(value []byte) (text bool, suffix []byte, ok bool) {
	value, _, _ = bytes.Cut(value, []byte{';'})
	value = bytes.TrimRight(value, " \t")
	at := bytes.IndexByte(value, '+')
	if at < 0 {
		at = len(value)
	}
	switch base := value[:at]; {
	case message.EqualFold(base, webType):
		return false, value[at:], true
	case message.EqualFold(base, textType), message.EqualFold(base, textType+"-base64"):
		return true, value[at:], true
	}
	return false, nil, false
}

// RewriteRequest makes the head of the call one of gRPC. A body in text form has another length then, which nobody knows yet: the caller has to treat it as
// one that was not announced.
func (c Call) RewriteRequest(f *message.Fields) {
	_, suffix, _ := parseType(f.Get(message.ContentType))
	var buf [64]byte
	f.Set("content-type", append(append(buf[:0], grpcType...), suffix...))
	f.Set("te", append(buf[:0], "trailers"...)) // grpc servers insist on it
	if c.textRequest {
		f.DelID(message.ContentLength)
	}
}

// RewriteResponse makes the head of gRPC's answer one of gRPC-web, and reports whether it was one. What is no answer of gRPC, such as an error page of something
// in between, is left alone, head and body. The body is longer afterwards: its length must not be announced.
func (c Call) RewriteResponse(f *message.Fields) bool {
	value := f.Get(message.ContentType)
	if len(value) < len(grpcType) || !message.EqualFold(value[:len(grpcType)], grpcType) {
		return false
	}
	suffix := value[len(grpcType):]
	if len(suffix) > 0 && suffix[0] != '+' && suffix[0] != ';' && suffix[0] != ' ' {
		return false
	}
	var buf [64]byte
	f.Set("content-type", append(c.AppendContentType(buf[:0]), suffix...))
	f.DelID(message.ContentLength)
	f.DelID(message.Trailer)
	return true
}

// AppendContentType appends the content type of answers, without a format: for those that the proxy makes itself.
func (c Call) AppendContentType(dst []byte) []byte {
	if c.textResponse {
		return append(dst, textType...)
	}
	return append(dst, webType...)
}
