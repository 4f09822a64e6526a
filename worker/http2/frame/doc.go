// Package frame has the frames of HTTP/2 (RFC 9113 sections 4 and 6, RFC 9218 section 7.1) as bytes: it takes them apart and puts them together,
// for the server and the client engine. It does no input or output, knows no streams and has no policy.
//
//	Next(buf, max)          one whole frame from the front of what was read, or an *Error
//	Parse...(header, payload)   what is in it
//	Append...(dst, ...)     a frame to be written
//
// Next has checked what a header alone tells (Header.Check): lengths, and whether a frame stands on a stream or on the connection. The parsers rely
// on it and check what is left. What they return are views of the payload.
//
// An Error says what the RFC wants done: end the connection with GOAWAY, or reset one stream. After an error of a stream the
// engine still has to decode the field block, and to count the bytes of data, or the connection falls out of step.
//
// It runs in workers. Nothing here allocates but errors.
package frame
