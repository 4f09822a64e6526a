package head

import (
	"pingap/message"
)

// Limits bound what a request head may be. All of them must be positive.
type Limits struct {
	// Fields is the largest number of fields, all cookie fields counted as one.
	Fields int
	// Target is the longest :path in bytes.
	Target int
}

// maxMethod is the longest method in bytes; the longest registered one has 17.
const maxMethod = 32

// Head is the head of a request. Its views are those of the list it was made from.
type Head struct {
	// Method, Path, Protocol are the pseudo-fields of these names, nil where one is missing. Protocol is that of
	// an extended CONNECT (RFC 8441).
	Method, Path, Protocol []byte
	// Authority is :authority, or the Host field where there is none.
	Authority []byte
	// Secure tells that :scheme is https.
	Secure bool
	// Length is the content-length, message.LengthUnknown without one.
	Length int64
	// Ended tells that the body is complete, perhaps empty: the stream has all of it.
	Ended bool
	// Expect tells that the client waits for an interim 100 before it sends the body.
	Expect bool
	// TETrailers tells that the client takes trailers.
	TETrailers bool
	// Priority is what the client asks for (RFC 9218).
	Priority Priority
	// Status is what to answer instead of serving the request, 0 for an ordinary one; Type and Text say why, without any
	// bytes of the request.
	Status     int
	Type, Text string
	// Body is how many bytes of an ended body there are.
	Body int64

	list    *message.Fields // as decoded; what is dropped has no name any more
	scheme  []byte
	host    []byte
	seen    uint8 // pseudo-fields
	count   int   // fields that stay, cookies as one
	cookies int   // cookie fields
}

// Reset forgets the head.
func (h *Head) Reset() { *h = Head{} }

// refuse notes what to answer; the first reason stays.
func (h *Head) refuse(status int, kind, text string) {
	if h.Status == 0 {
		h.Status, h.Type, h.Text = status, kind, text
	}
}

// TooLarge notes that the list was longer than it may be: part of it is missing.
func (h *Head) TooLarge() {
	h.Status, h.Type, h.Text = 431, tooLarge, "head is larger than header_max_size or has more fields than header_max_fields"
}

const (
	invalidHeader = "InvalidHTTPHeader"
	tooLarge      = "HeaderTooLarge"
)

// The pseudo-fields, as bits.
const (
	pseudoMethod uint8 = 1 << iota
	pseudoScheme
	pseudoAuthority
	pseudoPath
	pseudoProtocol
)

// Check judges a decoded list and makes h its head. The answer is "" for a list that is well formed, else what is
// malformed (RFC 9113 section 8.1.1). Check changes list; it must stay until h is done with.
func (h *Head) Check(list *message.Fields, limits *Limits) string {
	*h = Head{list: list, Length: message.LengthUnknown, Priority: DefaultPriority}
	fields := list.List()
	regular := false
	for i := range fields {
		f := &fields[i]
		if len(f.Name) > 0 && f.Name[0] == ':' {
			if regular {
				return "pseudo-field behind a field"
			}
			if wrong := h.pseudo(f); wrong != "" {
				return wrong
			}
			f.Name = nil
			continue
		}
		regular = true
		if wrong := h.field(f); wrong != "" {
			return wrong
		}
	}
	if wrong := h.complete(); wrong != "" {
		return wrong
	}
	if h.count > limits.Fields {
		h.TooLarge()
	}
	h.settle(limits)
	return ""
}

// pseudo takes a pseudo-field (RFC 9113 section 8.3.1).
func (h *Head) pseudo(f *message.Field) string {
	var bit uint8
	var at *[]byte
	switch string(f.Name) {
	case ":method":
		bit, at = pseudoMethod, &h.Method
	case ":scheme":
		bit, at = pseudoScheme, &h.scheme
	case ":authority":
		bit, at = pseudoAuthority, &h.Authority
	case ":path":
		bit, at = pseudoPath, &h.Path
	case ":protocol":
		bit, at = pseudoProtocol, &h.Protocol
	default:
		return "unknown pseudo-field"
	}
	if h.seen&bit != 0 {
		return "repeated pseudo-field"
	}
	h.seen |= bit
	if wrong := checkValue(f.Value); wrong != "" {
		return wrong
	}
	*at = f.Value
	return ""
}

// field takes an ordinary field.
func (h *Head) field(f *message.Field) string {
	wrong, alias := checkField(f)
	if wrong != "" {
		return wrong
	}
	if alias || f.ID == message.HTTP2Settings {
		f.Name = nil
		return ""
	}
	switch f.ID {
	case message.Unknown:
		if string(f.Name) == "priority" {
			h.Priority = ParsePriority(f.Value)
		}
	case message.ContentLength:
		if h.Length >= 0 {
			return "repeated content-length"
		}
		if h.Length = parseLength(f.Value); h.Length < 0 {
			return "malformed content-length"
		}
	case message.Host:
		if h.host != nil {
			return "repeated host"
		}
		h.host = f.Value[:len(f.Value):len(f.Value)]
		if h.host == nil {
			h.host = []byte{}
		}
		f.Name = nil // CopyTo writes the one that counts
		return ""
	case message.TE:
		if !message.EqualFold(f.Value, "trailers") {
			return "te is not trailers"
		}
		h.TETrailers = true
	case message.Expect:
		if !message.EqualFold(f.Value, "100-continue") {
			h.refuse(417, invalidHeader, "expectation is not 100-continue")
		}
		h.Expect = true
	case message.Cookie:
		h.cookies++
		if h.cookies > 1 {
			return ""
		}
	}
	h.count++
	return ""
}

// complete checks that the pseudo-fields are those that the method needs (RFC 9113 sections 8.3.1 and 8.5, RFC 8441
// section 4).
func (h *Head) complete() string {
	if h.seen&pseudoMethod == 0 {
		return "missing :method"
	}
	if len(h.Method) > maxMethod || !message.ValidToken(h.Method) {
		return ":method is not a token"
	}
	connect := string(h.Method) == "CONNECT"
	if h.seen&pseudoProtocol != 0 && !connect {
		return ":protocol without CONNECT"
	}
	if connect && h.seen&pseudoProtocol == 0 {
		if h.seen&(pseudoScheme|pseudoPath) != 0 {
			return "CONNECT with :scheme or :path"
		}
		h.refuse(405, invalidHeader, "CONNECT without :protocol is not implemented")
		return ""
	}
	if h.seen&pseudoScheme == 0 || h.seen&pseudoPath == 0 {
		return "missing :scheme or :path"
	}
	if len(h.Path) == 0 {
		return "empty :path"
	}
	if connect && !message.ValidToken(h.Protocol) {
		return ":protocol is not a token"
	}
	return ""
}
