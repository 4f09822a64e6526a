package message

// Response is the head of a response.
type Response struct {
	// Status is the three-digit status code.
	Status int
	// Reason is the reason phrase as received, possibly empty.
	Reason []byte
	// Version is the upstream's version: HTTP10 or HTTP11.
	Version uint8
	// BodyLength is the announced length of the body in bytes, 0 for none, or LengthUnknown.
	BodyLength int64
	// Fields are the header fields. Framing and connection fields are among them as received; the
	// engine writes its own.
	Fields Fields
}

// Reset forgets the response and keeps its memory.
func (r *Response) Reset() {
	r.Fields.Reset()
	fields := r.Fields
	*r = Response{Fields: fields}
}

// Move makes a response parsed from the given memory one that was parsed from a copy of it, which to is: nothing refers to from then.
func (r *Response) Move(from, to []byte) {
	r.Reason = moved(r.Reason, from, to)
	r.Fields.move(from, to)
}
