package frame

import "encoding/binary"

// AppendSettings appends a SETTINGS frame (section 6.5).
func AppendSettings(dst []byte, settings ...Setting) []byte {
	dst = AppendHeader(dst, Header{Length: uint32(len(settings) * settingLen), Type: Settings})
	for _, s := range settings {
		dst = binary.BigEndian.AppendUint16(dst, uint16(s.ID))
		dst = binary.BigEndian.AppendUint32(dst, s.Value)
	}
	return dst
}

// AppendSettingsAck appends the acknowledgement of a SETTINGS frame.
func AppendSettingsAck(dst []byte) []byte {
	return AppendHeader(dst, Header{Type: Settings, Flags: FlagAck})
}

// AppendPing appends a PING frame or the answer to one (section 6.7).
func AppendPing(dst []byte, ack bool, data [8]byte) []byte {
	h := Header{Length: 8, Type: Ping}
	if ack {
		h.Flags = FlagAck
	}
	return append(AppendHeader(dst, h), data[:]...)
}

// AppendGoAway appends a GOAWAY frame (section 6.8). debug is for people and may be empty.
func AppendGoAway(dst []byte, last uint32, code ErrCode, debug string) []byte {
	dst = AppendHeader(dst, Header{Length: uint32(8 + len(debug)), Type: GoAway})
	dst = binary.BigEndian.AppendUint32(dst, last)
	dst = binary.BigEndian.AppendUint32(dst, uint32(code))
	return append(dst, debug...)
}

// AppendRSTStream appends a RST_STREAM frame (section 6.4).
func AppendRSTStream(dst []byte, stream uint32, code ErrCode) []byte {
	dst = AppendHeader(dst, Header{Length: 4, Type: RSTStream, Stream: stream})
	return binary.BigEndian.AppendUint32(dst, uint32(code))
}

// AppendWindowUpdate appends a WINDOW_UPDATE frame (section 6.9); n is 1 to MaxWindow.
func AppendWindowUpdate(dst []byte, stream, n uint32) []byte {
	dst = AppendHeader(dst, Header{Length: 4, Type: WindowUpdate, Stream: stream})
	return binary.BigEndian.AppendUint32(dst, n)
}

// AppendPriorityUpdate appends a PRIORITY_UPDATE frame (RFC 9218 section 7.1).
func AppendPriorityUpdate(dst []byte, stream uint32, value string) []byte {
	dst = AppendHeader(dst, Header{Length: uint32(4 + len(value)), Type: PriorityUpdate})
	return append(binary.BigEndian.AppendUint32(dst, stream), value...)
}

// AppendHeaders appends a field block as a HEADERS frame and as many CONTINUATION frames as it takes; max is the largest payload that the peer
// allows. Nothing else may be written between them (section 4.3).
func AppendHeaders(dst []byte, stream uint32, block []byte, end bool, max uint32) []byte {
	start := len(dst)
	return EndHeaders(append(BeginHeaders(dst), block...), start, stream, end, max)
}

// BeginHeaders leaves room for the header of a HEADERS frame. The caller appends the field block, and calls EndHeaders.
func BeginHeaders(dst []byte) []byte { return append(dst, make([]byte, HeaderLen)...) }

// EndHeaders makes frames of the field block that stands behind the room that BeginHeaders left at start, which is all of dst from there on.
func EndHeaders(dst []byte, start int, stream uint32, end bool, max uint32) []byte {
	block := len(dst) - start - HeaderLen
	h := Header{Type: Headers, Stream: stream, Length: min(uint32(block), max)}
	if end {
		h.Flags = FlagEndStream
	}
	if uint32(block) <= max {
		h.Flags |= FlagEndHeaders
		PutHeader(dst[start:], h)
		return dst
	}
	return split(dst, start, h, max)
}

// split puts headers of CONTINUATION frames into a block that is larger than max. It moves the pieces, from the last on.
func split(dst []byte, start int, h Header, max uint32) []byte {
	size := int(max)
	block := len(dst) - start - HeaderLen
	pieces := (block + size - 1) / size
	PutHeader(dst[start:], h)
	dst = append(dst, make([]byte, (pieces-1)*HeaderLen)...)
	for i := pieces - 1; i > 0; i-- {
		from, n := start+HeaderLen+i*size, min(size, block-i*size)
		to := from + i*HeaderLen
		copy(dst[to:to+n], dst[from:from+n])
		c := Header{Type: Continuation, Stream: h.Stream, Length: uint32(n)}
		if i == pieces-1 {
			c.Flags = FlagEndHeaders
		}
		PutHeader(dst[to-HeaderLen:], c)
	}
	return dst
}
