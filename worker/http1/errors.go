package http1

// Error is a message that cannot be accepted. For requests Status is what to answer before the
// connection is closed; for responses the answer to the client is 502 whatever it says.
type Error struct {
	// Status is the status code to answer.
	Status int
	// Type is a short constant name for logs and the X-Pingap-EType field.
	Type string
	// Text says what was wrong, without any bytes of the message.
	Text string
}

// Error implements error.
func (e *Error) Error() string { return e.Type + ": " + e.Text }

func bad(text string) *Error { return &Error{400, "InvalidHTTPHeader", text} }

// The errors. They are compared by identity and never changed.
var (
	ErrRequestLine     = bad("malformed request line")
	ErrMethod          = bad("method is not a token")
	ErrTarget          = bad("request-target has bytes outside the grammar")
	ErrTargetForm      = bad("request-target has a form that this method does not allow")
	ErrVersionSyntax   = bad("malformed protocol version")
	ErrLineEnd         = bad("line does not end in CRLF")
	ErrFold            = bad("folded field line")
	ErrFieldName       = bad("field name is not a token directly before a colon")
	ErrFieldValue      = bad("field value has control characters")
	ErrHost            = bad("invalid Host")
	ErrHostMissing     = bad("missing Host")
	ErrHostRepeated    = bad("repeated Host")
	ErrLength          = bad("malformed Content-Length")
	ErrLengthRepeated  = bad("repeated Content-Length")
	ErrLengthAndCoding = bad("Content-Length beside Transfer-Encoding")
	ErrCoding          = bad("Transfer-Encoding is not chunked")
	ErrCodingRepeated  = bad("repeated Transfer-Encoding")
	ErrCodingVersion   = bad("Transfer-Encoding in HTTP/1.0")
	ErrConnection      = bad("Connection names a field that is not hop-by-hop")
	ErrStatusLine      = bad("malformed status line")
	ErrChunk           = bad("malformed chunk")
	ErrChunkSize       = bad("malformed or oversized chunk size")
	ErrTrailer         = bad("trailer field is malformed or may not stand in a trailer")
	ErrEmptyLines      = bad("more than one empty line before the request line")

	ErrCodingUnknown = &Error{501, "InvalidHTTPHeader", "transfer coding not implemented"}
	ErrConnect       = &Error{501, "InvalidHTTPHeader", "CONNECT is not implemented"}
	ErrVersion       = &Error{505, "InvalidHTTPHeader", "protocol version is neither 1.0 nor 1.1"}
	ErrExpect        = &Error{417, "InvalidHTTPHeader", "expectation is not 100-continue"}
	ErrHeadSize      = &Error{431, "HeaderTooLarge", "head is larger than header_max_size"}
	ErrFieldCount    = &Error{431, "HeaderTooLarge", "more fields than header_max_fields"}
	ErrTargetSize    = &Error{414, "URITooLong", "request-target is longer than target_max_length"}
)
