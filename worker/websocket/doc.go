// Package websocket follows the frames of a WebSocket connection that is passed on verbatim (RFC 6455 section 5), just far enough
// to know where one ends, so that a Close frame can be put between two. It reads no payload, keeps none, and judges nothing.
// It runs in workers.
package websocket
