package proxy

import (
	"bytes"
	"time"

	"pingap/message"
	"pingap/worker/bodyparts"
	"pingap/worker/grpc"
	"pingap/worker/grpcweb"
	"pingap/worker/http1"
	"pingap/worker/upstream"
)

// callKind is what a request is besides a request.
type callKind uint8

const (
	callNone callKind = iota
	callGRPC          // a call of gRPC: what goes wrong here is told as its status
	callWeb           // a call of gRPC-web, translated to gRPC
)

// call is what the session knows of a call.
type call struct {
	kind    callKind
	web     grpcweb.Call
	decoder grpcweb.Decoder
	encoder grpcweb.Encoder
	encode  bool   // the answer is one of gRPC, and translated
	text    []byte // scratch: what was decoded
	body    []byte // scratch: what was encoded
	until   int64  // when the client's patience ends, 0 for never

	trailers *message.Fields // of ours in place of the upstream's, where the call is ended before its time
}

func (k *call) reset() { *k = call{text: k.text[:0], body: k.body[:0]} }

// tells reports whether an answer of ours is made a status of the call.
func (k *call) tells(status int) bool { return k.kind != callNone && status >= 300 }

// left is what is left of the client's patience at now; 0 for no limit.
func (k *call) left(now int64) time.Duration {
	if k.until == 0 {
		return 0
	}
	return time.Duration(max(k.until-now, 1))
}

var grpcPrefix = []byte("application/grpc")

// beginCall finds out whether the request is a call. It reports whether it has been answered.
func (c *conn) beginCall() bool {
	s := c.s
	kind := s.ex.Request.Fields.Get(message.ContentType)
	if len(kind) < len(grpcPrefix) || !bytes.EqualFold(kind[:len(grpcPrefix)], grpcPrefix) {
		return false
	}
	if grpc.IsContentType(kind) {
		s.call.kind = callGRPC
	} else if !s.location.GRPCWeb || !c.beginWeb() {
		return false
	} else if !s.server.GRPCWeb {
		c.answerError(500, "HTTPStatus", "grpc web bridge module should be added")
		return true
	}
	if value, found := s.ex.Request.Fields.Lookup("grpc-timeout"); found {
		limit, ok := grpc.ParseTimeout(value)
		if !ok {
			c.answerError(400, "HTTPStatus", "malformed grpc-timeout")
			return true
		}
		s.call.until = s.ex.Start + int64(limit)
	}
	return false
}

// beginWeb makes a call of gRPC-web one of gRPC. It reports whether it was one.
func (c *conn) beginWeb() bool {
	s := c.s
	web, ok := grpcweb.Match(&s.ex.Request.Fields)
	if !ok {
		return false
	}
	s.call.kind, s.call.web = callWeb, web
	s.call.encoder.Init(web)
	web.RewriteRequest(&s.ex.Request.Fields)
	return true
}

// startCall makes a call ready for its upstream. It reports whether it may go there; if not, it has been answered.
func (c *conn) startCall(u *upstream.Upstream) bool {
	s := c.s
	switch {
	case s.call.until != 0 && message.Now() >= s.call.until:
		c.answerError(504, "ReadTimedout", "")
	case s.call.kind == callWeb && !u.Multiplexed():
		c.answerError(502, "InvalidH2", "grpc_web needs an upstream with alpn = H2")
	case !s.decodeCall():
		c.answerError(400, "HTTPStatus", "body is not base64")
	default:
		return true
	}
	return false
}

// decodes reports whether the body of the request is to be decoded.
func (s *session) decodes() bool { return s.call.kind == callWeb && s.call.web.TextRequest() }

// decodeCall takes a whole body in text form apart; one that comes later is decoded on its way (uploadstream.go). It reports whether
// the body can be read.
func (s *session) decodeCall() bool {
	if !s.decodes() {
		return true
	}
	s.ex.Request.BodyLength = message.LengthUnknown
	if !s.reqWhole {
		return true
	}
	if s.reqFrame.Chunked {
		s.unchunk()
	}
	text, err := s.call.decoder.Decode(s.call.text[:0], s.reqBody)
	if err != nil || s.call.decoder.Close() != nil {
		return false
	}
	s.call.text = text
	s.reqBody, s.reqFrame.Length = text, int64(len(text))
	return true
}

// callAnswer makes the head of an answer of ours what a call is answered: the status is in its fields, and there is no body.
func (s *session) callAnswer(resp *message.Response, text string) {
	code := grpc.FromAnswer(resp.Status)
	resp.Status, s.ex.Status = 200, 200
	kind := grpcPrefix
	if s.call.kind == callWeb {
		kind = s.call.web.AppendContentType(nil)
	}
	resp.Fields.Append(message.ContentType, nameContentType, kind)
	grpc.SetStatus(&resp.Fields, code, text)
}

// respondCall makes the head of an upstream's answer one of gRPC-web.
func (s *session) respondCall() {
	if s.call.kind != callWeb || !s.call.web.RewriteResponse(&s.ex.Response.Fields) || grpc.HasStatus(&s.ex.Response.Fields) {
		return
	}
	s.call.encode = true
	s.resp.frame = http1.Framing{Length: message.LengthUnknown, UntilClose: true, KeepAlive: true} // trailers go into the body
}

// encodeData translates bytes of the body.
func (s *session) encodeData(data []byte) []byte {
	if !s.call.web.TextResponse() || len(data) == 0 {
		return data
	}
	s.call.body = s.call.encoder.Flush(s.call.encoder.Data(s.call.body[:0], data))
	return s.call.body
}

// stopCall makes what ends a call before its time a status.
func (s *session) stopCall(code grpc.Code, text string) {
	s.call.trailers = &message.Fields{}
	grpc.SetStatus(s.call.trailers, code, text)
}

// endImpatient ends a call whose client's patience is over. Where the answer has begun its end says so: a reset could be anything.
func (c *conn) endImpatient(up *upstreamIO) {
	s := c.s
	if up.stage == stageBody && s.headSent && s.resp.parts.Kind() == bodyparts.Messages {
		s.stopCall(grpc.DeadlineExceeded, "the time that the client gave is over")
		c.endEarly(up)
		return
	}
	up.failed(504, "ReadTimedout")
	up.fail.blameless = true
}

// encodeTrailers is what ends the body: the trailers as its last frame. Without any it is cut off as the upstream's was, which the
// client tells from an answer that is complete.
func (s *session) encodeTrailers() []byte {
	trailers := s.call.trailers
	if trailers == nil && s.up != nil && s.up.stream != nil {
		trailers = s.up.stream.Trailers()
	}
	if trailers == nil || trailers.Len() == 0 {
		return nil
	}
	s.call.body = s.call.encoder.Trailers(s.call.body[:0], trailers)
	return s.call.body
}
