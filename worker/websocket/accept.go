package websocket

import (
	"crypto/sha1"
	"encoding/base64"
)

// guid is what RFC 6455 section 1.3 joins to a key.
const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// AppendAccept appends the Sec-WebSocket-Accept that answers a Sec-WebSocket-Key.
func AppendAccept(dst, key []byte) []byte {
	sum := sha1.Sum(append(key[:len(key):len(key)], guid...))
	return base64.StdEncoding.AppendEncode(dst, sum[:])
}
