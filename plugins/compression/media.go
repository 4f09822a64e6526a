package compression

import (
	"bytes"
	"strings"

	"pingap/message"
	"pingap/plugins"
)

// mediaTypes says which media types are compressed.
type mediaTypes []mediaType

// mediaType is "type/subtype", "type/*" (prefix "type/") or "type/*+suffix" (both), in lower case.
type mediaType struct{ exact, prefix, suffix string }

// usualTypes are texts, and what else is not packed yet.
func usualTypes() []string {
	return []string{
		"text/*", "application/json", "application/*+json", "application/javascript", "application/x-javascript", "application/ecmascript",
		"application/xml", "application/*+xml", "application/x-ndjson", "application/yaml", "application/wasm", "application/vnd.ms-fontobject",
		"application/x-font-ttf", "font/ttf", "font/otf", "font/eot", "image/svg+xml", "image/x-icon", "image/vnd.microsoft.icon", "image/bmp",
	}
}

func readMediaTypes(key string, texts []string) (mediaTypes, error) {
	var all mediaTypes
	for i, text := range texts {
		m, ok := readMediaType(strings.ToLower(strings.TrimSpace(text)))
		if !ok {
			return nil, plugins.EntryErrorf(key, i, "expected a media type such as text/html, text/* or application/*+json")
		}
		all = append(all, m)
	}
	return all, nil
}

func readMediaType(text string) (mediaType, bool) {
	major, minor, ok := strings.Cut(text, "/")
	if !ok || !message.ValidToken([]byte(major)) || strings.Contains(major, "*") {
		return mediaType{}, false
	}
	if minor == "*" {
		return mediaType{prefix: major + "/"}, true
	}
	suffix, star := strings.CutPrefix(minor, "*")
	if !message.ValidToken([]byte(suffix)) || strings.Contains(suffix, "*") || star && suffix[0] != '+' {
		return mediaType{}, false
	}
	if star {
		return mediaType{prefix: major + "/", suffix: suffix}, true
	}
	return mediaType{exact: text}, true
}

// has reports whether a Content-Type is one of the list. Calls of gRPC never are: they have a compression of their own.
func (m mediaTypes) has(contentType []byte) bool {
	if i := bytes.IndexByte(contentType, ';'); i >= 0 {
		contentType = contentType[:i]
	}
	contentType = trim(contentType)
	const grpc = "application/grpc"
	if len(contentType) >= len(grpc) && message.EqualFold(contentType[:len(grpc)], grpc) {
		return false
	}
	for i := range m {
		if m[i].matches(contentType) {
			return true
		}
	}
	return false
}

func (m *mediaType) matches(name []byte) bool {
	if m.exact != "" {
		return message.EqualFold(name, m.exact)
	}
	from := len(name) - len(m.suffix)
	return from > len(m.prefix) && message.EqualFold(name[:len(m.prefix)], m.prefix) && message.EqualFold(name[from:], m.suffix)
}
