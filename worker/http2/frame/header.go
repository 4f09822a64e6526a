package frame

import "encoding/binary"

// Header is what every frame begins with (section 4.1).
type Header struct {
	// Length of the payload in bytes.
	Length uint32
	// Type of the frame.
	Type Type
	// Flags of the frame.
	Flags Flags
	// Stream that the frame is about, 0 for the connection.
	Stream uint32
}

// ParseHeader reads the header from the first HeaderLen bytes of b.
func ParseHeader(b []byte) Header {
	_ = b[HeaderLen-1]
	return Header{
		Length: uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2]),
		Type:   Type(b[3]),
		Flags:  Flags(b[4]),
		Stream: binary.BigEndian.Uint32(b[5:]) & MaxStream, // the reserved bit is ignored
	}
}

// AppendHeader appends the header of a frame; Length bytes have to follow.
func AppendHeader(dst []byte, h Header) []byte {
	dst = append(dst, byte(h.Length>>16), byte(h.Length>>8), byte(h.Length), byte(h.Type), byte(h.Flags))
	return binary.BigEndian.AppendUint32(dst, h.Stream)
}

// PutHeader writes the header over the first HeaderLen bytes of b.
func PutHeader(b []byte, h Header) {
	_ = b[HeaderLen-1]
	b[0], b[1], b[2], b[3], b[4] = byte(h.Length>>16), byte(h.Length>>8), byte(h.Length), byte(h.Type), byte(h.Flags)
	binary.BigEndian.PutUint32(b[5:], h.Stream)
}

// Next takes the frame at the front of buf. n is how many bytes it takes, 0 while it is not complete. max is the largest payload that we
// allow. A header that is wrong is an error as soon as it is there.
func Next(buf []byte, max uint32) (h Header, payload []byte, n int, err error) {
	if len(buf) < HeaderLen {
		return Header{}, nil, 0, nil
	}
	h = ParseHeader(buf)
	if err := h.Check(max); err != nil {
		return h, nil, 0, err
	}
	n = HeaderLen + int(h.Length)
	if len(buf) < n {
		return h, nil, 0, nil
	}
	return h, buf[HeaderLen:n:n], n, nil
}

// place is where frames of a type may stand.
type place uint8

const (
	anywhere place = iota
	onStream
	onConnection
)

// shape is what is fixed of a type.
type shape struct {
	place    place
	min, max uint32 // length; a max of 0 is no limit
}

// shapes by type. PRIORITY is missing: its length is an error of the stream only.
var shapes = [PriorityUpdate + 1]shape{
	Data:           {place: onStream},
	Headers:        {place: onStream},
	Priority:       {place: onStream},
	RSTStream:      {place: onStream, min: 4, max: 4},
	Settings:       {place: onConnection},
	PushPromise:    {place: onStream, min: 4},
	Ping:           {place: onConnection, min: 8, max: 8},
	GoAway:         {place: onConnection, min: 8},
	WindowUpdate:   {min: 4, max: 4},
	Continuation:   {place: onStream},
	PriorityUpdate: {place: onConnection, min: 4},
}

// Check finds what is wrong with a header alone; max is the largest payload that we allow. All of it are errors of the connection: a peer
// that gets these wrong is broken, and nothing has to be skipped.
func (h Header) Check(max uint32) error {
	if h.Length > max {
		return broken(FrameSizeError, "frame is larger than allowed")
	}
	if h.Type > PriorityUpdate {
		return nil
	}
	s := shapes[h.Type]
	switch {
	case s.place == onStream && h.Stream == 0:
		return broken(ProtocolError, h.Type.String()+" without a stream")
	case s.place == onConnection && h.Stream != 0:
		return broken(ProtocolError, h.Type.String()+" on a stream")
	case h.Length < s.min, s.max > 0 && h.Length > s.max:
		return broken(FrameSizeError, h.Type.String()+" of a wrong length")
	case h.Type == Settings && h.Flags.Has(FlagAck) && h.Length != 0:
		return broken(FrameSizeError, "acknowledgement of settings has a payload")
	case h.Type == Settings && h.Length%6 != 0:
		return broken(FrameSizeError, "SETTINGS of a wrong length")
	}
	return nil
}
