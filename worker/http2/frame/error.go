package frame

import "strconv"

// Error is a frame that must not be. It says how far the harm goes.
type Error struct {
	// Stream is the one to reset, 0 when the connection has to end.
	Stream uint32
	// Code is what to say.
	Code ErrCode
	// Text says what was wrong, without any bytes of the frame.
	Text string
}

// Error implements error.
func (e *Error) Error() string {
	if e.Stream == 0 {
		return "http2: connection: " + e.Code.String() + ": " + e.Text
	}
	return "http2: stream " + strconv.FormatUint(uint64(e.Stream), 10) + ": " + e.Code.String() + ": " + e.Text
}

// broken is an error of the connection.
func broken(code ErrCode, text string) *Error { return &Error{Code: code, Text: text} }
