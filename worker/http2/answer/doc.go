// Package answer judges the field lists of HTTP/2 responses (RFC 9113 section 8): names, values, :status, content-length, and what
// may not be there. It has no state, does no input or output, and knows no frames.
//
// What is wrong comes back as a text without any bytes of the peer's; "" is right. A response with something wrong is malformed: the
// stream is reset, and the client gets 502. White space around a value is taken away instead, though it is not allowed
// either: it means nothing, and servers that take values from elsewhere send it.
//
// It runs in workers. Nothing here allocates.
package answer
