package secure

import (
	"errors"
	"fmt"
)

// ErrAgain is what ReadNow returns when nothing is left to read: wait for the socket.
var ErrAgain error = again{}

// errNotReady is what ReadNow and WriteNow return before the handshake.
var errNotReady = errors.New("TLS handshake is not complete")

// again is a temporary error of the kind that crypto/tls does not remember.
type again struct{}

func (again) Error() string   { return "nothing to read now" }
func (again) Timeout() bool   { return false }
func (again) Temporary() bool { return true }

// PlainHTTPError is the failure of a handshake with a client that speaks HTTP in the clear. Nothing
// has been sent: an answer in the clear can go out on Conn.NetConn.
type PlainHTTPError struct {
	// Head is the beginning of the request.
	Head [headerLen]byte
}

func (e *PlainHTTPError) Error() string {
	return fmt.Sprintf("HTTP in the clear on a TLS port: the request begins with %q", e.Head[:])
}

// isHTTP tells whether the first bytes of a connection are the beginning of an HTTP request.
func isHTTP(head [headerLen]byte) bool {
	switch string(head[:]) {
	case "GET /", "GET h", "HEAD ", "POST ", "PUT /", "PUT h", "DELET", "OPTIO", "PATCH", "CONNE", "TRACE", "PRI *":
		return true
	}
	return false
}
