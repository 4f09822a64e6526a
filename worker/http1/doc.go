// Package http1 reads and writes HTTP/1.0 and HTTP/1.1 messages as RFC 9112 has them: heads, framing
// of bodies, chunked coding, trailers. It has no policy and does no input or output: it turns bytes
// into heads and heads into bytes, and the caller owns sockets, buffers and time.
//
// # Strictness
//
// Two parties that read one message differently is what request smuggling lives on. This package
// therefore refuses what others repair: a field that could be read in two ways ends the connection.
// Refused are Content-Length beside Transfer-Encoding, either of them twice, any transfer coding
// but a single "chunked", bare CR or LF, folded lines, white space before a colon, control
// characters, NUL, and fields whose names become a framing field when "_" is read as "-" are dropped.
// Where a line of the grammar is enforced its RFC section stands beside it.
//
// # Reading a head
//
//	ParseRequest(buf, &req, &limits)   how many bytes the head takes, its Framing, or an *Error
//	ParseResponse(buf, &resp, ask)     the same for a response
//
// Heads are views into buf; buf stays untouched while they are used. A result of 0 bytes without an
// error means that the head is not complete yet; Scan tells when it is worth another look. Fields that
// Connection names are gone from a parsed head, and the authority of an absolute target stands in Host.
//
// # Bodies
//
// Chunked walks over a chunked body as it arrives, checks every byte, and yields either stretches
// that may be passed on verbatim, or the data in them.
//
// # Process
//
// It runs in workers. Nothing here allocates once the memory of a head has grown to its size.
package http1
