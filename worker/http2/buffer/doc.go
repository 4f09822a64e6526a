// Package buffer keeps what came for a stream of HTTP/2 until somebody reads it: a queue of bytes in blocks of one size, which all streams
// of a worker share. Whoever owns a queue locks it; how long it may become is the business of the stream's window.
//
// It runs in workers, and does no input or output.
package buffer
