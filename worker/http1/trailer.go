package http1

import "pingap/message"

// ParseTrailer appends the fields of a trailer section, as Chunked.Trailer returns it, to fields. They are views into raw.
func ParseTrailer(raw []byte, fields *message.Fields) {
	if len(raw) == 0 {
		return
	}
	p := parsed{length: -1}
	_, _ = parseFields(raw, fields, maxTrailerFields, &p, false) // it has been checked when it was taken
}

// AppendLastChunk ends a chunked body with trailers that came otherwise; nil is none. Fields that may not stand in a trailer
// (RFC 9112 section 7.1.2) or that one side could take for such are left out.
func AppendLastChunk(dst []byte, trailers *message.Fields) []byte {
	dst = append(dst, "0\r\n"...)
	if trailers != nil {
		list := trailers.List()
		for i := range list {
			if f := &list[i]; !in(notInTrailer, f.ID) && !isAlias(f.Name) {
				dst = appendField(dst, string(f.Name), f.Value)
			}
		}
	}
	return append(dst, "\r\n"...)
}
