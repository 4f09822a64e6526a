package hpack

import "pingap/message"

// staticLen is the number of entries of the static table (appendix A).
const staticLen = 61

// Places in the static table that the encoder names.
const (
	staticAuthority      = 1
	staticMethod         = 2 // GET; POST is the next
	staticPath           = 4 // "/"; "/index.html" is the next
	staticScheme         = 6 // http; https is the next
	staticStatus         = 8 // 200
	staticAcceptEncoding = 16
)

// staticTexts are the names and values of appendix A.
var staticTexts = [staticLen + 1][2]string{
	1: {":authority"}, {":method", "GET"}, {":method", "POST"}, {":path", "/"}, {":path", "/index.html"},
	{":scheme", "http"}, {":scheme", "https"}, {":status", "200"}, {":status", "204"}, {":status", "206"},
	{":status", "304"}, {":status", "400"}, {":status", "404"}, {":status", "500"}, {"accept-charset"},
	{"accept-encoding", "gzip, deflate"}, {"accept-language"}, {"accept-ranges"}, {"accept"},
	{"access-control-allow-origin"}, {"age"}, {"allow"}, {"authorization"}, {"cache-control"}, {"content-disposition"},
	{"content-encoding"}, {"content-language"}, {"content-length"}, {"content-location"}, {"content-range"},
	{"content-type"}, {"cookie"}, {"date"}, {"etag"}, {"expect"}, {"expires"}, {"from"}, {"host"}, {"if-match"},
	{"if-modified-since"}, {"if-none-match"}, {"if-range"}, {"if-unmodified-since"}, {"last-modified"}, {"link"},
	{"location"}, {"max-forwards"}, {"proxy-authenticate"}, {"proxy-authorization"}, {"range"}, {"referer"}, {"refresh"},
	{"retry-after"}, {"server"}, {"set-cookie"}, {"strict-transport-security"}, {"transfer-encoding"}, {"user-agent"},
	{"vary"}, {"via"}, {"www-authenticate"},
}

// staticFields is the static table as fields. What is decoded views their memory, which nobody writes.
var staticFields = buildStatic()

func buildStatic() (fields [staticLen + 1]message.Field) {
	for i, text := range staticTexts {
		name := []byte(text[0])
		fields[i] = message.Field{Name: name[:len(name):len(name)], Value: []byte{}, ID: message.LookupName(name)}
		if text[1] != "" {
			fields[i].Value = append(make([]byte, 0, len(text[1])), text[1]...)
		}
	}
	return fields
}

// staticName returns the place of a name that the static table has and message does not, 0 for any other.
func staticName(name []byte) int {
	switch string(name) {
	case "accept-charset":
		return 15
	case "accept-language":
		return 17
	case "access-control-allow-origin":
		return 20
	case "allow":
		return 22
	case "content-language":
		return 27
	case "content-location":
		return 29
	case "from":
		return 37
	case "if-match":
		return 39
	case "if-unmodified-since":
		return 43
	case "link":
		return 45
	case "max-forwards":
		return 47
	case "refresh":
		return 52
	case "strict-transport-security":
		return 56
	}
	return 0
}
