package cache

import (
	"bytes"
	"slices"
	"strings"

	"pingap/message"
)

// maxVary is how many fields the responses of one address may vary by; more are not stored.
const maxVary = 16

// varyNames are the names in the Vary of a response, in lower case and in order. ok is false where it may not be stored: "*", what is no name, or too
// many.
func varyNames(fields []message.Field) (names []string, ok bool) {
	for i := range fields {
		if fields[i].ID != message.Vary {
			continue
		}
		for part := range bytes.SplitSeq(fields[i].Value, []byte{','}) {
			part = bytes.Trim(part, " \t")
			if len(part) == 0 {
				continue
			}
			if string(part) == "*" || !message.ValidToken(part) || len(part) > 100 {
				return nil, false
			}
			names = append(names, strings.ToLower(string(part)))
		}
	}
	return union(names, nil)
}

// union joins names.
func union(a, b []string) (all []string, ok bool) {
	all = slices.Concat(a, b)
	slices.Sort(all)
	all = slices.Compact(all)
	return all, len(all) <= maxVary
}

// appendValue appends all values of a field of a request in one form: without blanks around commas, and those of Accept-Encoding and
// Accept-Language in lower case, as these compare without it. Nothing is appended where the field is missing; an empty one is told from
// that.
func appendValue(dst []byte, name string, fields []message.Field) []byte {
	fold := strings.EqualFold(name, "accept-encoding") || strings.EqualFold(name, "accept-language") || strings.EqualFold(name, "accept")
	first := true
	for i := range fields {
		if !message.EqualFold(fields[i].Name, name) {
			continue
		}
		for part := range bytes.SplitSeq(fields[i].Value, []byte{','}) {
			if dst = append(dst, ','); first {
				dst[len(dst)-1], first = '=', false
			}
			start := len(dst)
			dst = append(dst, bytes.Trim(part, " \t")...)
			if fold {
				toLower(dst[start:])
			}
		}
	}
	return dst
}

func toLower(text []byte) {
	for i, c := range text {
		if c >= 'A' && c <= 'Z' {
			text[i] = c | 0x20
		}
	}
}
