package health

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
)

// healthMethod is what checks call.
const healthMethod = "/grpc.health.v1.Health/Check"

// maxReply bounds the message of an answer, in bytes: its one field takes two.
const maxReply = 64 << 10

var (
	errGone    = errors.New("the connection cannot be used any more")
	errNoHTTP2 = errors.New("the backend did not agree on HTTP/2")
)

// caller speaks HTTP/2 on one connection.
type caller struct {
	transport *http.Transport
}

// newCaller makes one for a connection that has been made.
func newCaller(conn net.Conn) *caller {
	var used atomic.Bool
	once := func(context.Context, string, string) (net.Conn, error) {
		if used.Swap(true) {
			return nil, errGone
		}
		return conn, nil
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &caller{&http.Transport{
		DialContext: once, DialTLSContext: once, Protocols: protocols, DisableCompression: true, MaxResponseHeaderBytes: maxAnswerHead,
	}}
}

func (c *caller) close() { c.transport.CloseIdleConnections() }

// call makes a grpc check.
func (e *exchange) call(ctx context.Context) (outcome, fate) {
	if e.session == nil {
		conn, o := e.connect(ctx)
		if conn == nil {
			return o, silent
		}
		if secure, ok := conn.(*tls.Conn); ok && secure.ConnectionState().NegotiatedProtocol != "h2" {
			_ = conn.Close()
			return refused("%v", errNoHTTP2), silent
		}
		e.session = &session{conn: conn, call: newCaller(conn)}
	}
	limited, cancel := context.WithTimeout(ctx, e.check.ReadTimeout)
	defer cancel()
	response, err := e.session.call.transport.RoundTrip(e.request(limited))
	if err == nil {
		defer response.Body.Close()
		var reply []byte
		if reply, err = io.ReadAll(io.LimitReader(response.Body, maxReply+1)); err == nil {
			if len(reply) > maxReply {
				return refused("the answer is longer than %d bytes", maxReply), spent
			}
			return judgeReply(response, reply), usable
		}
	}
	if limited.Err() != nil {
		return late("answer", e.check.ReadTimeout), silent
	}
	return outcomeOf(err), silent
}

// request is the call, with its one message.
func (e *exchange) request(ctx context.Context) *http.Request {
	u := &url.URL{Scheme: "http", Host: e.check.Host, Path: healthMethod}
	if e.check.tls != nil {
		u.Scheme = "https"
	}
	body := appendCall(nil, e.check.Service)
	r := &http.Request{Method: http.MethodPost, URL: u, Host: e.check.Host, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Header: http.Header{
		"Content-Type": {"application/grpc"}, "Te": {"trailers"}, "User-Agent": {e.agent}, "Grpc-Timeout": {fmt.Sprintf("%dm", e.check.ReadTimeout.Milliseconds())},
	}}
	return r.WithContext(ctx)
}

// appendCall appends a HealthCheckRequest: string service = 1.
func appendCall(dst []byte, service string) []byte {
	var message []byte
	if service != "" {
		message = append(message, 1<<3|2)
		message = binary.AppendUvarint(message, uint64(len(service)))
		message = append(message, service...)
	}
	dst = append(dst, 0) // not compressed
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(message)))
	return append(dst, message...)
}

// judgeReply judges an answer whose body was read.
func judgeReply(response *http.Response, reply []byte) outcome {
	if response.StatusCode != http.StatusOK {
		return refused("status %d", response.StatusCode)
	}
	kind := response.Header.Get("Content-Type")
	rest, ok := strings.CutPrefix(kind, "application/grpc")
	if !ok || rest != "" && rest[0] != '+' && rest[0] != ';' {
		return refused("content type %q, not application/grpc", kind)
	}
	from := response.Trailer
	if from.Get("Grpc-Status") == "" {
		from = response.Header // there was no message
	}
	switch status := from.Get("Grpc-Status"); status {
	case "0":
		return judgeMessage(reply)
	case "":
		return refused("the answer has no grpc-status")
	default:
		return refused("grpc-status %s: %s", status, from.Get("Grpc-Message"))
	}
}

// judgeMessage judges a HealthCheckResponse: ServingStatus status = 1.
func judgeMessage(reply []byte) outcome {
	if len(reply) < 5 || reply[0] != 0 || int64(binary.BigEndian.Uint32(reply[1:])) != int64(len(reply)-5) {
		return refused("the answer is not one message of gRPC")
	}
	status, ok := firstVarint(reply[5:])
	names := [...]string{"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"}
	switch {
	case !ok:
		return refused("the message of the answer cannot be read")
	case status == 1:
		return outcome{}
	case status < uint64(len(names)):
		return refused("%s", names[status])
	}
	return refused("serving status %d", status)
}

// firstVarint is field 1 of a message, a varint; the last one counts, others are skipped.
func firstVarint(message []byte) (value uint64, ok bool) {
	for len(message) > 0 {
		tag, n := binary.Uvarint(message)
		if n <= 0 {
			return 0, false
		}
		message = message[n:]
		skip := 0
		switch tag & 7 {
		case 0:
			v, n := binary.Uvarint(message)
			if n <= 0 {
				return 0, false
			}
			if tag>>3 == 1 {
				value = v
			}
			skip = n
		case 1:
			skip = 8
		case 2:
			length, n := binary.Uvarint(message)
			if n <= 0 || length > uint64(len(message)-n) {
				return 0, false
			}
			skip = n + int(length)
		case 5:
			skip = 4
		default:
			return 0, false
		}
		if skip > len(message) {
			return 0, false
		}
		message = message[skip:]
	}
	return value, true
}
