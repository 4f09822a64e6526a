package grpc

import "strconv"

// Code is a status of gRPC.
type Code uint8

// The codes.
const (
	OK                 Code = 0
	Canceled           Code = 1
	Unknown            Code = 2
	InvalidArgument    Code = 3
	DeadlineExceeded   Code = 4
	NotFound           Code = 5
	AlreadyExists      Code = 6
	PermissionDenied   Code = 7
	ResourceExhausted  Code = 8
	FailedPrecondition Code = 9
	Aborted            Code = 10
	OutOfRange         Code = 11
	Unimplemented      Code = 12
	Internal           Code = 13
	Unavailable        Code = 14
	DataLoss           Code = 15
	Unauthenticated    Code = 16
)

// String returns the name in gRPC's documents.
func (c Code) String() string {
	names := [...]string{
		"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
		"RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE",
		"DATA_LOSS", "UNAUTHENTICATED",
	}
	if int(c) < len(names) {
		return names[c]
	}
	return strconv.Itoa(int(c))
}

// FromHTTP is what a client has to take an answer without grpc-status for (gRPC's http-grpc-status-mapping).
func FromHTTP(status int) Code {
	switch status {
	case 400, 431:
		return Internal
	case 401:
		return Unauthenticated
	case 403:
		return PermissionDenied
	case 404:
		return Unimplemented
	case 429, 502, 503, 504:
		return Unavailable
	}
	return Unknown
}

// FromAnswer is the code for an answer that the proxy makes itself, which knows more than a client could guess. Where it does not, it says what
// FromHTTP says: clients that see such an answer without a code behave the same.
func FromAnswer(status int) Code {
	switch status {
	case 408, 504:
		return DeadlineExceeded
	case 413:
		return ResourceExhausted
	case 499:
		return Canceled
	case 414, 415, 417, 500:
		return Internal
	case 405, 501, 505:
		return Unimplemented
	}
	return FromHTTP(status)
}

// FromReset is what a stream that was reset with an error code of HTTP/2 means for the call (gRPC over HTTP2, "Errors").
func FromReset(code uint32) Code {
	switch code {
	case 0x7: // REFUSED_STREAM
		return Unavailable
	case 0x8: // CANCEL
		return Canceled
	case 0xb: // ENHANCE_YOUR_CALM
		return ResourceExhausted
	case 0xc: // INADEQUATE_SECURITY
		return PermissionDenied
	}
	return Internal
}
