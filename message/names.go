package message

// Name identifies a field name that the engine or the plugins ask for often. Unknown is any other.
type Name uint8

// The well-known field names.
const (
	Unknown Name = iota
	Accept
	AcceptEncoding
	AcceptRanges
	Age
	Authorization
	CacheControl
	Connection
	ContentDisposition
	ContentEncoding
	ContentLength
	ContentRange
	ContentType
	Cookie
	Date
	ETag
	Expect
	Expires
	Host
	HTTP2Settings
	IfModifiedSince
	IfNoneMatch
	IfRange
	KeepAlive
	LastModified
	LocationField
	Origin
	Pragma
	ProxyAuthenticate
	ProxyAuthorization
	ProxyConnection
	Range
	Referer
	RetryAfter
	Server
	ServerTiming
	SetCookie
	TE
	Trailer
	TransferEncoding
	Upgrade
	UserAgent
	Vary
	Via
	WWWAuthenticate
	XForwardedFor
	XForwardedHost
	XForwardedPort
	XForwardedProto
	XRealIP
	XRequestID
	nameCount
)

// Names is one more than the largest Name, for tables with a row for each.
const Names = int(nameCount)

// nameTexts are the canonical spellings used when the proxy writes such a field itself.
var nameTexts = [nameCount]string{
	Accept: "Accept", AcceptEncoding: "Accept-Encoding", AcceptRanges: "Accept-Ranges", Age: "Age",
	Authorization: "Authorization", CacheControl: "Cache-Control", Connection: "Connection",
	ContentDisposition: "Content-Disposition", ContentEncoding: "Content-Encoding",
	ContentLength: "Content-Length", ContentRange: "Content-Range", ContentType: "Content-Type",
	Cookie: "Cookie", Date: "Date", ETag: "ETag", Expect: "Expect", Expires: "Expires", Host: "Host",
	HTTP2Settings: "HTTP2-Settings", IfModifiedSince: "If-Modified-Since", IfNoneMatch: "If-None-Match",
	IfRange: "If-Range", KeepAlive: "Keep-Alive", LastModified: "Last-Modified", LocationField: "Location",
	Origin: "Origin", Pragma: "Pragma", ProxyAuthenticate: "Proxy-Authenticate",
	ProxyAuthorization: "Proxy-Authorization", ProxyConnection: "Proxy-Connection", Range: "Range",
	Referer: "Referer", RetryAfter: "Retry-After", Server: "Server", ServerTiming: "Server-Timing",
	SetCookie: "Set-Cookie", TE: "TE", Trailer: "Trailer", TransferEncoding: "Transfer-Encoding",
	Upgrade: "Upgrade", UserAgent: "User-Agent", Vary: "Vary", Via: "Via",
	WWWAuthenticate: "WWW-Authenticate", XForwardedFor: "X-Forwarded-For",
	XForwardedHost: "X-Forwarded-Host", XForwardedPort: "X-Forwarded-Port",
	XForwardedProto: "X-Forwarded-Proto", XRealIP: "X-Real-IP", XRequestID: "X-Request-Id",
}

// nameSlots is the number of slots of the look-up table: a power of two well above nameCount, so
// that most look-ups, hit or miss, take one probe.
const nameSlots = 512

// nameIndex is an open-addressing table from hash to Name. It is built once and never changed.
var nameIndex = buildNameIndex()

// String returns the canonical spelling, "" for Unknown.
func (n Name) String() string { return nameTexts[n] }

// LookupName returns the Name of a field name in any case, Unknown if it is not well known.
func LookupName(name []byte) Name {
	if len(name) < 2 || len(name) > 19 {
		return Unknown
	}
	for slot := nameHash(name); ; slot = (slot + 1) % nameSlots {
		n := nameIndex[slot]
		if n == Unknown {
			return Unknown
		}
		if string(name) == nameTexts[n] || EqualFold(name, nameTexts[n]) { // most spell it so
			return n
		}
	}
}

func buildNameIndex() (index [nameSlots]Name) {
	for n := Name(1); n < nameCount; n++ {
		slot := nameHash([]byte(nameTexts[n]))
		for index[slot] != Unknown {
			slot = (slot + 1) % nameSlots
		}
		index[slot] = n
	}
	return index
}

// nameHash mixes the length and three letters, case folded; names need at least two bytes.
func nameHash(name []byte) uint {
	n := uint(len(name))
	first, middle, last := uint(name[0]|0x20), uint(name[n/2]|0x20), uint(name[n-1]|0x20)
	return (n*67 + first*31 + middle*7 + last*113) % nameSlots
}

// EqualFold reports whether name equals text, ASCII letters compared without case. Unlike
// bytes.EqualFold it does no Unicode folding: field names are ASCII (RFC 9110 section 5.1).
func EqualFold(name []byte, text string) bool {
	if len(name) != len(text) {
		return false
	}
	for i := range name {
		if a, b := name[i], text[i]; a != b && lower(a) != lower(b) {
			return false
		}
	}
	return true
}

func lower(b byte) byte {
	if b >= 'A' && b <= 'Z' {
		return b | 0x20
	}
	return b
}
