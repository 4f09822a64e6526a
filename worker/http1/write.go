package http1

import (
	"strconv"

	"pingap/message"
)

// Out says how the head that is written frames its body and what it says of the connection. The
// fields Content-Length, Transfer-Encoding, Connection and Upgrade are written from it alone.
type Out struct {
	// Length is the Content-Length to write; message.LengthUnknown writes none.
	Length int64
	// Chunked writes "Transfer-Encoding: chunked".
	Chunked bool
	// Host is the Host of a request that has none, as HTTP/1.0 allows.
	Host string
	// Connection is the value to write, "" for none.
	Connection string
	// Upgrade passes the Upgrade field on and lists it in Connection.
	Upgrade bool
	// TETrailers says "TE: trailers" to the next hop.
	TETrailers bool
	// KeepLength passes the Content-Length fields of the head on as they are: answers to HEAD, and
	// 304, whose length is that of another message.
	KeepLength bool
	// More are lines of a request's head that come beside its fields, each with its end.
	More []byte
}

// AppendRequest appends a request head. fields are those of the request or a changed copy of them;
// without a Host among them it is that of the request,
// or out.Host.
func AppendRequest(dst []byte, req *message.Request, fields *message.Fields, out Out) []byte {
	dst = append(dst, req.Method...)
	dst = append(dst, ' ')
	dst = append(dst, req.Target...)
	dst = append(dst, " HTTP/1.1\r\n"...)
	switch {
	case fields.Has(message.Host):
	case len(req.Host) > 0:
		dst = appendField(dst, "Host", req.Host)
	default:
		dst = append(dst, "Host: "...)
		dst = append(dst, out.Host...)
		dst = append(dst, "\r\n"...)
	}
	dst = append(appendFields(dst, fields, hop|1<<message.ContentLength), out.More...)
	return appendFraming(dst, fields, out)
}

// AppendResponse appends a response head.
func AppendResponse(dst []byte, resp *message.Response, out Out) []byte {
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(resp.Status), 10)
	dst = append(dst, ' ')
	dst = append(dst, resp.Reason...)
	dst = append(dst, "\r\n"...)
	drop := hop | 1<<message.ContentLength
	if out.KeepLength {
		drop &^= 1 << message.ContentLength
	}
	dst = appendFields(dst, &resp.Fields, drop)
	return appendFraming(dst, &resp.Fields, out)
}

// Whole makes a response that is sent as it is, and tells where the empty line of its head begins.
func Whole(status int, fields []message.Field, body []byte) (whole []byte, head int) {
	resp := message.Response{Status: status, Reason: Reason(status)}
	resp.Fields.AppendList(fields)
	whole = AppendResponse(make([]byte, 0, 1024+len(body)), &resp, Out{Length: int64(len(body))})
	return append(whole, body...), len(whole) - len("\r\n")
}

// AppendRest appends further fields to a head without its empty line, and that.
func AppendRest(dst []byte, fields []message.Field) []byte {
	return append(appendList(dst, fields, hop|1<<message.ContentLength), "\r\n"...)
}

// appendFields appends the fields that go beyond this hop.
func appendFields(dst []byte, fields *message.Fields, drop uint64) []byte {
	return appendList(dst, fields.List(), drop)
}

func appendList(dst []byte, list []message.Field, drop uint64) []byte {
	for i := range list {
		f := &list[i]
		if in(drop, f.ID) {
			continue
		}
		dst = append(dst, f.Name...)
		dst = append(dst, ": "...)
		dst = append(dst, f.Value...)
		dst = append(dst, "\r\n"...)
	}
	return dst
}

// appendFraming appends what the engine says itself, and the empty line.
func appendFraming(dst []byte, fields *message.Fields, out Out) []byte {
	switch {
	case out.Chunked:
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	case out.Length >= 0 && !out.KeepLength:
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, out.Length, 10)
		dst = append(dst, "\r\n"...)
	}
	switch {
	case out.Upgrade:
		dst = append(dst, "Connection: Upgrade\r\n"...)
		dst = appendField(dst, "Upgrade", fields.Get(message.Upgrade))
	case out.TETrailers:
		dst = append(dst, "TE: trailers\r\nConnection: TE\r\n"...)
	case out.Connection != "":
		dst = append(dst, "Connection: "...)
		dst = append(dst, out.Connection...)
		dst = append(dst, "\r\n"...)
	}
	return append(dst, "\r\n"...)
}

func appendField(dst []byte, name string, value []byte) []byte {
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	dst = append(dst, value...)
	return append(dst, "\r\n"...)
}

// AppendInterim appends an interim (1xx) response with its fields.
func AppendInterim(dst []byte, resp *message.Response) []byte {
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(resp.Status), 10)
	dst = append(dst, ' ')
	dst = append(dst, resp.Reason...)
	dst = append(dst, "\r\n"...)
	dst = appendFields(dst, &resp.Fields, hop|1<<message.ContentLength)
	return append(dst, "\r\n"...)
}

// AppendChunk appends data as one chunk; data must not be empty.
func AppendChunk(dst, data []byte) []byte {
	dst = strconv.AppendInt(dst, int64(len(data)), 16)
	dst = append(dst, "\r\n"...)
	dst = append(dst, data...)
	return append(dst, "\r\n"...)
}

// LastChunk ends a chunked body that has no trailers.
const LastChunk = "0\r\n\r\n"
