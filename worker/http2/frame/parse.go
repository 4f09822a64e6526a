package frame

import "encoding/binary"

// ParseData returns the data in a DATA frame (section 6.1). Flow control counts the whole payload.
func ParseData(h Header, payload []byte) ([]byte, error) { return unpad(h, payload) }

// Dependency is the priority of RFC 7540, which nobody follows any more. It is read to find its errors.
type Dependency struct {
	// Stream that this one depends on.
	Stream uint32
	// Exclusive is the E bit.
	Exclusive bool
	// Weight is one less than the weight meant.
	Weight uint8
}

const dependencyLen = 5

func parseDependency(h Header, b []byte) (Dependency, error) {
	first := binary.BigEndian.Uint32(b)
	d := Dependency{Stream: first & MaxStream, Exclusive: first > MaxStream, Weight: b[4]}
	if d.Stream == h.Stream {
		return d, &Error{Stream: h.Stream, Code: ProtocolError, Text: "stream depends on itself"} // RFC 7540 section 5.3.1
	}
	return d, nil
}

// ParseHeaders returns the part of the field block in a HEADERS frame (section 6.2), with an error of the stream as well: the block has to be
// decoded in any case.
func ParseHeaders(h Header, payload []byte) ([]byte, error) {
	block, err := unpad(h, payload)
	if err != nil || !h.Flags.Has(FlagPriority) {
		return block, err
	}
	if len(block) < dependencyLen {
		return nil, broken(FrameSizeError, "HEADERS ends inside its priority")
	}
	_, err = parseDependency(h, block)
	return block[dependencyLen:], err
}

// unpad takes the padding away.
func unpad(h Header, payload []byte) ([]byte, error) {
	if !h.Flags.Has(FlagPadded) {
		return payload, nil
	}
	if len(payload) == 0 {
		return nil, broken(FrameSizeError, h.Type.String()+" without the length of its padding")
	}
	pad, rest := int(payload[0]), payload[1:]
	if pad > len(rest) {
		return nil, broken(ProtocolError, "padding is longer than the frame")
	}
	return rest[:len(rest)-pad], nil
}

// ParsePriority reads a PRIORITY frame (section 6.3).
func ParsePriority(h Header, payload []byte) (Dependency, error) {
	if len(payload) != dependencyLen {
		return Dependency{}, &Error{Stream: h.Stream, Code: FrameSizeError, Text: "PRIORITY of a wrong length"}
	}
	return parseDependency(h, payload)
}

// ParseRSTStream returns the reason in a RST_STREAM frame (section 6.4).
func ParseRSTStream(payload []byte) ErrCode { return ErrCode(binary.BigEndian.Uint32(payload)) }

// Setting is one of a SETTINGS frame.
type Setting struct {
	ID    SettingID
	Value uint32
}

const settingLen = 6

// NextSetting takes the first setting from the payload of a SETTINGS frame, which must not be empty (section 6.5.1), and returns the rest.
// Settings have to be applied one after the other.
func NextSetting(payload []byte) (s Setting, rest []byte, err error) {
	s = Setting{SettingID(binary.BigEndian.Uint16(payload)), binary.BigEndian.Uint32(payload[2:])}
	return s, payload[settingLen:], s.check()
}

// check finds values that no peer may send (section 6.5.2; RFC 8441 section 3; RFC 9218 section 2.1).
func (s Setting) check() error {
	switch s.ID {
	case EnablePush, EnableConnectProtocol, NoRFC7540Priorities:
		if s.Value > 1 {
			return broken(ProtocolError, "setting is neither 0 nor 1")
		}
	case InitialWindowSize:
		if s.Value > MaxWindow {
			return broken(FlowControlError, "initial window over 2^31-1")
		}
	case MaxFrameSize:
		if s.Value < MinMaxFrame || s.Value > MaxMaxFrame {
			return broken(ProtocolError, "maximum frame size out of range")
		}
	}
	return nil
}

// ParsePing returns what has to be sent back (section 6.7).
func ParsePing(payload []byte) [8]byte { return [8]byte(payload) }

// ParseGoAway reads a GOAWAY frame (section 6.8). debug is a view, and may be anything.
func ParseGoAway(payload []byte) (last uint32, code ErrCode, debug []byte) {
	return binary.BigEndian.Uint32(payload) & MaxStream, ErrCode(binary.BigEndian.Uint32(payload[4:])), payload[8:]
}

// ParseWindowUpdate returns how far a window opens (section 6.9).
func ParseWindowUpdate(h Header, payload []byte) (uint32, error) {
	n := binary.BigEndian.Uint32(payload) & MaxWindow
	if n == 0 {
		return 0, &Error{Stream: h.Stream, Code: ProtocolError, Text: "WINDOW_UPDATE of nothing"}
	}
	return n, nil
}

// ParsePriorityUpdate returns the stream that a PRIORITY_UPDATE frame is about, and the value of its Priority field (RFC 9218 section 7.1).
func ParsePriorityUpdate(payload []byte) (stream uint32, value []byte, err error) {
	stream = binary.BigEndian.Uint32(payload) & MaxStream
	if stream == 0 {
		return 0, nil, broken(ProtocolError, "PRIORITY_UPDATE names no stream")
	}
	return stream, payload[4:], nil
}
