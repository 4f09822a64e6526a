package client

import (
	"errors"

	"pingap/worker/http2/frame"
)

// Why a connection takes no request. Nothing has been sent; another connection may.
var (
	// ErrFull tells that as many streams are open as the peer or Options.MaxStreams allow.
	ErrFull = errors.New("no stream is free on the HTTP/2 connection")
	// ErrGoingAway tells that the connection takes no new streams any more.
	ErrGoingAway = errors.New("the HTTP/2 connection is going away")
	// ErrClosed tells that the connection has ended.
	ErrClosed = errors.New("the HTTP/2 connection is closed")
)

// ErrProtocol tells that the peer does not know extended CONNECT (RFC 8441).
var ErrProtocol = errors.New("the HTTP/2 peer does not take extended CONNECT")

// errReleased is what a stream ends with that its owner does not need any more.
var errReleased = &Error{Cause: Ended, Code: frame.Cancel, Text: "ended by us"}

// Cause is why a stream ended early.
type Cause uint8

const (
	// Ended by Reset or Close.
	Ended Cause = iota
	// Reset by the peer; Code is what it says.
	Reset
	// GoneAway: the peer's GOAWAY names an earlier stream as the last one it looks at.
	GoneAway
	// Malformed: the response breaks a rule, and the stream was reset.
	Malformed
	// TooLarge: the head of the response is over the limits.
	TooLarge
	// Lost: the connection broke.
	Lost
	// Silent: the peer stopped answering or reading, and the connection was closed.
	Silent
	// Broken: the peer broke a rule of the connection, which was closed.
	Broken
)

// Error is how a stream ended early.
type Error struct {
	Cause Cause
	// Code is the code sent or received.
	Code frame.ErrCode
	// Text says what happened, without any bytes of the peer's.
	Text string
	// Err is the error of the transport, if it is one.
	Err error
}

// Error implements error.
func (e *Error) Error() string {
	text := "http2 upstream: " + e.Text
	if e.Cause != Lost && e.Cause != Silent {
		text += " (" + e.Code.String() + ")"
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the error of the transport.
func (e *Error) Unwrap() error { return e.Err }

// malformed is a response that breaks a rule (RFC 9113 section 8.1.1).
func malformed(text string) *Error { return wrong(frame.ProtocolError, text) }

// wrong is a breach of a rule that concerns one stream.
func wrong(code frame.ErrCode, text string) *Error {
	return &Error{Cause: Malformed, Code: code, Text: text}
}

// broken is a breach of the connection's rules.
func broken(code frame.ErrCode, text string) *Error {
	return &Error{Cause: Broken, Code: code, Text: text}
}
