package message

import "bytes"

// QueryValue returns the value of the first pair of the query called key, as written (nothing is
// decoded), and whether there is one. A key without "=" is not a pair.
func (r *Request) QueryValue(key string) ([]byte, bool) {
	for query := r.Query; len(query) > 0; {
		var pair []byte
		pair, query, _ = bytes.Cut(query, []byte{'&'})
		if name, value, ok := bytes.Cut(pair, []byte{'='}); ok && string(name) == key {
			return value, true
		}
	}
	return nil, false
}

// CookieValue returns the value of the first cookie called name (RFC 6265 section 4.2), and whether there
// is one; names are case-sensitive.
func (f *Fields) CookieValue(name string) ([]byte, bool) {
	for i := range f.list {
		if f.list[i].ID != Cookie {
			continue
		}
		for rest := f.list[i].Value; len(rest) > 0; {
			var pair []byte
			pair, rest, _ = bytes.Cut(rest, []byte{';'})
			if key, value, ok := bytes.Cut(pair, []byte{'='}); ok && string(bytes.TrimSpace(key)) == name {
				return bytes.TrimSpace(value), true
			}
		}
	}
	return nil, false
}
