// Package head judges the field lists of HTTP/2 requests (RFC 9113 section 8) and turns them into
// requests. It has no state, does no input or output, and knows no frames.
//
// # Strictness
//
// What passes here may go on as HTTP/1, where a byte too many makes a second request. So names must be
// lower-case tokens, values are free of control characters and of blanks around them, pseudo-fields are known,
// once there and first, and fields of the connection are refused. Such a list is malformed: Check says
// why, and the stream is reset. What is well formed but cannot be served (a target with odd bytes, no host, too many
// fields) is answered with Head.Status instead.
//
// Fields whose names become a framing field when "_" is read as "-" are dropped, as in worker/http1.
//
// # Process
//
// It runs in workers. Nothing here allocates once the memory that the caller brings is large enough.
package head
