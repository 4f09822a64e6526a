package accesslog

import (
	"strconv"
	"time"

	"pingap/message"
)

// plainTag returns the appender of a tag without prefix, nil if there is none.
func plainTag(name string) appender {
	if value := textTag(name); value != nil {
		return func(dst []byte, r *message.Record, _ *part, _ instant) []byte {
			return appendOrDash(dst, value(r))
		}
	}
	switch name {
	case "proto":
		return appendProto
	case "scheme":
		return appendScheme
	case "when":
		return appendWhen
	case "when_utc_iso":
		return appendWhenUTC
	case "when_unix":
		return appendWhenUnix
	case "status":
		return appendStatus
	case "size":
		return appendSize
	case "size_human":
		return appendSizeHuman
	case "payload_size":
		return appendPayload
	case "payload_size_human":
		return appendPayloadHuman
	case "latency":
		return appendLatency
	case "latency_human":
		return appendLatencyHuman
	}
	return nil
}

// textTag returns what reads a tag whose value is a text of the exchange, nil if there is none.
func textTag(name string) func(*message.Record) []byte {
	switch name {
	case "host":
		return func(r *message.Record) []byte { return r.Request.HostName() }
	case "method":
		return func(r *message.Record) []byte { return r.Request.Method }
	case "path":
		return func(r *message.Record) []byte { return r.Request.Path }
	case "uri":
		return func(r *message.Record) []byte { return r.Request.Target }
	case "query":
		return func(r *message.Record) []byte { return r.Request.Query }
	case "remote":
		return func(r *message.Record) []byte { return r.Conn.RemoteText }
	case "client_ip":
		return clientIP
	case "referer":
		return func(r *message.Record) []byte { return r.Request.Fields.Get(message.Referer) }
	case "user_agent":
		return func(r *message.Record) []byte { return r.Request.Fields.Get(message.UserAgent) }
	case "request_id":
		return func(r *message.Record) []byte { return r.RequestID }
	}
	return nil
}

// clientIP is the peer while the client's address has not been looked for, as in requests refused early.
func clientIP(r *message.Record) []byte {
	if len(r.ClientIPText) == 0 {
		return r.Conn.RemoteText
	}
	return r.ClientIPText
}

// appendOrDash appends a text value, "-" for an empty one.
func appendOrDash(dst, value []byte) []byte {
	if len(value) == 0 {
		return append(dst, '-')
	}
	return appendText(dst, value)
}

func proto(r *message.Record) string {
	if r.Request.Version == message.HTTP2 {
		return "HTTP/2.0"
	}
	return "HTTP/1.1"
}

func appendProto(dst []byte, r *message.Record, _ *part, _ instant) []byte {
	return append(dst, proto(r)...)
}

func appendScheme(dst []byte, r *message.Record, _ *part, _ instant) []byte {
	return append(dst, r.Scheme()...)
}

func appendWhen(dst []byte, _ *message.Record, _ *part, at instant) []byte {
	return at.clock.appendLocal(dst, at.unix)
}

func appendWhenUTC(dst []byte, _ *message.Record, _ *part, at instant) []byte {
	return at.clock.appendUTC(dst, at.unix)
}

func appendWhenUnix(dst []byte, _ *message.Record, _ *part, at instant) []byte {
	return strconv.AppendInt(dst, at.unix, 10)
}

func appendStatus(dst []byte, r *message.Record, _ *part, _ instant) []byte {
	if r.Status == 0 {
		return append(dst, '-')
	}
	return strconv.AppendInt(dst, int64(r.Status), 10)
}

func appendSize(dst []byte, r *message.Record, _ *part, _ instant) []byte {
	return strconv.AppendInt(dst, r.ResponseBody, 10)
}

func appendSizeHuman(dst []byte, r *message.Record, _ *part, _ instant) []byte {
	return message.AppendHumanSize(dst, r.ResponseBody)
}

func appendPayload(dst []byte, r *message.Record, _ *part, _ instant) []byte {
	return strconv.AppendInt(dst, r.RequestBody, 10)
}

func appendPayloadHuman(dst []byte, r *message.Record, _ *part, _ instant) []byte {
	return message.AppendHumanSize(dst, r.RequestBody)
}

// latency is from the start of the request until now, in nanoseconds.
func latency(r *message.Record, at instant) int64 { return max(at.mono-r.Start, 0) }

func appendLatency(dst []byte, r *message.Record, _ *part, at instant) []byte {
	return strconv.AppendInt(dst, latency(r, at)/int64(time.Millisecond), 10)
}

func appendLatencyHuman(dst []byte, r *message.Record, _ *part, at instant) []byte {
	return message.AppendHumanDuration(dst, latency(r, at))
}

func appendRequestHeader(dst []byte, r *message.Record, p *part, _ instant) []byte {
	value, _ := r.Request.Fields.Lookup(p.name)
	return appendOrDash(dst, value)
}

func appendResponseHeader(dst []byte, r *message.Record, p *part, _ instant) []byte {
	value, _ := r.Response.Fields.Lookup(p.name)
	return appendOrDash(dst, value)
}

func appendContext(dst []byte, r *message.Record, p *part, at instant) []byte {
	start := len(dst)
	dst, _ = message.AppendContextAt(dst, p.key, r, at.mono)
	return escapeTail(dst, start)
}

// appendCookie appends the first cookie of that name (RFC 6265 section 4.2.1), nothing if there is none.
func appendCookie(dst []byte, r *message.Record, p *part, _ instant) []byte {
	value, _ := r.Request.Fields.CookieValue(p.name)
	return appendText(dst, value)
}
