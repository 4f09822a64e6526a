package frame

import "strconv"

// Preface is what a client sends first (RFC 9113 section 3.4).
const Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// Sizes and limits, in bytes.
const (
	HeaderLen = 9
	// MinMaxFrame is the payload that every peer takes, MaxMaxFrame the largest that one may allow (section 4.2).
	MinMaxFrame = 1 << 14
	MaxMaxFrame = 1<<24 - 1
	// DefaultWindow is the flow-control window of the connection and of a stream at first, MaxWindow the largest (section 6.9).
	DefaultWindow = 1<<16 - 1
	MaxWindow     = 1<<31 - 1
	// MaxStream is the last stream identifier.
	MaxStream = 1<<31 - 1
)

// Type is the type of a frame.
type Type uint8

// The types of RFC 9113 section 6 and RFC 9218 section 7.1. Frames of any other are ignored.
const (
	Data           Type = 0x0
	Headers        Type = 0x1
	Priority       Type = 0x2
	RSTStream      Type = 0x3
	Settings       Type = 0x4
	PushPromise    Type = 0x5
	Ping           Type = 0x6
	GoAway         Type = 0x7
	WindowUpdate   Type = 0x8
	Continuation   Type = 0x9
	PriorityUpdate Type = 0x10
)

// String returns the name in the RFC.
func (t Type) String() string {
	names := [...]string{"DATA", "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS", "PUSH_PROMISE", "PING", "GOAWAY", "WINDOW_UPDATE", "CONTINUATION"}
	switch {
	case int(t) < len(names):
		return names[t]
	case t == PriorityUpdate:
		return "PRIORITY_UPDATE"
	}
	return "0x" + strconv.FormatUint(uint64(t), 16)
}

// Flags of a frame; what they mean depends on its type.
type Flags uint8

// The flags.
const (
	FlagEndStream  Flags = 0x1  // Data, Headers
	FlagAck        Flags = 0x1  // Settings, Ping
	FlagEndHeaders Flags = 0x4  // Headers, Continuation
	FlagPadded     Flags = 0x8  // Data, Headers
	FlagPriority   Flags = 0x20 // Headers
)

// Has reports whether all of g are set.
func (f Flags) Has(g Flags) bool { return f&g == g }

// SettingID names a setting.
type SettingID uint16

// The settings of RFC 9113 section 6.5.2, RFC 8441 section 3 and RFC 9218 section 2.1.
const (
	HeaderTableSize       SettingID = 0x1
	EnablePush            SettingID = 0x2
	MaxConcurrentStreams  SettingID = 0x3
	InitialWindowSize     SettingID = 0x4
	MaxFrameSize          SettingID = 0x5
	MaxHeaderListSize     SettingID = 0x6
	EnableConnectProtocol SettingID = 0x8
	NoRFC7540Priorities   SettingID = 0x9
)

// ErrCode is a reason to end a stream or a connection.
type ErrCode uint32

// The error codes of RFC 9113 section 7.
const (
	NoError            ErrCode = 0x0
	ProtocolError      ErrCode = 0x1
	InternalError      ErrCode = 0x2
	FlowControlError   ErrCode = 0x3
	SettingsTimeout    ErrCode = 0x4
	StreamClosed       ErrCode = 0x5
	FrameSizeError     ErrCode = 0x6
	RefusedStream      ErrCode = 0x7
	Cancel             ErrCode = 0x8
	CompressionError   ErrCode = 0x9
	ConnectError       ErrCode = 0xa
	EnhanceYourCalm    ErrCode = 0xb
	InadequateSecurity ErrCode = 0xc
	HTTP11Required     ErrCode = 0xd
)

// String returns the name in the RFC.
func (c ErrCode) String() string {
	names := [...]string{
		"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED", "FRAME_SIZE_ERROR",
		"REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
	}
	if int64(c) < int64(len(names)) {
		return names[c]
	}
	return "0x" + strconv.FormatUint(uint64(c), 16)
}
