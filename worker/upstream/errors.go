package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
)

// ErrForbidden is why a transparent upstream refuses a destination: this machine itself, or an
// address that no client may reach through us.
var ErrForbidden = errors.New("destination is not allowed for a transparent upstream")

// Kind says how connecting failed.
type Kind uint8

// The kinds of failure.
const (
	Other Kind = iota
	Refused
	Timeout
	Unreachable
	// TLSFailed is a handshake that one side broke off, BadCertificate one that we broke off because of
	// the backend's certificate, TLSTimeout one that took too long.
	TLSFailed
	BadCertificate
	TLSTimeout
)

// ConnectError is the failure to connect to a backend. Nothing of a request was sent.
type ConnectError struct {
	Kind Kind
	// Addr is the backend, as Backend.Addr.
	Addr string
	Err  error
}

func (e *ConnectError) Error() string { return fmt.Sprintf("connect to %s: %v", e.Addr, e.Err) }

// Unwrap returns the cause.
func (e *ConnectError) Unwrap() error { return e.Err }

// EType returns the name of the failure in the log and in X-Pingap-EType.
func (e *ConnectError) EType() string {
	switch e.Kind {
	case Refused:
		return "ConnectRefused"
	case Timeout:
		return "ConnectTimedout"
	case Unreachable:
		return "ConnectNoRoute"
	case TLSFailed:
		return "TLSHandshakeFailure"
	case BadCertificate:
		return "InvalidCert"
	case TLSTimeout:
		return "TLSHandshakeTimedout"
	}
	return "ConnectError"
}

// Timeout reports whether connecting took too long.
func (e *ConnectError) Timeout() bool { return e.Kind == Timeout || e.Kind == TLSTimeout }

// connectError classifies what a dialler returned.
func connectError(addr string, err error) *ConnectError {
	return &ConnectError{Kind: kindOf(err), Addr: addr, Err: err}
}

func kindOf(err error) Kind {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.EAGAIN):
		return Refused // of a unix socket: no such file, and backlog full
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTDOWN):
		return Unreachable
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return Timeout
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return Timeout
	}
	return Other
}
