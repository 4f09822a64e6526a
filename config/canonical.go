package config

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"pingap/config/internal/places"
)

// The canonical form of a value: a tag byte, then lengths and numbers as varints. Maps are
// sorted by key, so that equal values have equal bytes.
const (
	tagString = 's'
	tagInt    = 'i'
	tagFloat  = 'f'
	tagTrue   = 't'
	tagFalse  = 'n'
	tagDate   = 'd'
	tagList   = 'l'
	tagMap    = 'm'
)

// ErrSnapshot is wrapped by every error about bytes that are not a whole snapshot.
var ErrSnapshot = errors.New("not a valid configuration snapshot")

func appendText(b []byte, text string) []byte {
	b = binary.AppendUvarint(b, uint64(len(text)))
	return append(b, text...)
}

func appendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return appendText(append(b, tagString), v)
	case int64:
		return binary.AppendVarint(append(b, tagInt), v)
	case int: // parameters made by code in place of TOML
		return binary.AppendVarint(append(b, tagInt), int64(v))
	case float64:
		return binary.BigEndian.AppendUint64(append(b, tagFloat), math.Float64bits(v))
	case bool:
		if v {
			return append(b, tagTrue)
		}
		return append(b, tagFalse)
	case time.Time:
		return appendText(append(b, tagDate), v.Format(time.RFC3339Nano))
	case []string:
		b = binary.AppendUvarint(append(b, tagList), uint64(len(v)))
		for _, item := range v {
			b = appendValue(b, item)
		}
		return b
	case []any:
		b = binary.AppendUvarint(append(b, tagList), uint64(len(v)))
		for _, item := range v {
			b = appendValue(b, item)
		}
		return b
	case map[string]any:
		b = binary.AppendUvarint(append(b, tagMap), uint64(len(v)))
		for _, key := range sortedKeys(v) {
			b = appendValue(appendText(b, key), v[key])
		}
		return b
	}
	panic(fmt.Sprintf("config: no canonical form for %T", v)) // Load makes no other type
}

// reader takes canonical values off the front of data. The first error sticks; after it
// everything read is zero.
type reader struct {
	data []byte
	err  error
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrSnapshot, what)
		r.data = nil
	}
}

// take gives the next n bytes, which alias the input.
func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.data) {
		r.fail("it ends early")
		return nil
	}
	out := r.data[:n]
	r.data = r.data[n:]
	return out
}

// length reads a count of things that take at least size bytes each.
func (r *reader) length(size int) int {
	n, used := binary.Uvarint(r.data)
	if used <= 0 || n > uint64(len(r.data)/size) {
		r.fail("a length is too large")
		return 0
	}
	r.data = r.data[used:]
	return int(n)
}

func (r *reader) text() string { return string(r.take(r.length(1))) }

func (r *reader) tag() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

// value reads one value. depth bounds the nesting, as a document's is bounded.
func (r *reader) value(depth int) any {
	if depth > 2*places.MaxNesting {
		r.fail("values are nested too deep")
		return nil
	}
	switch tag := r.tag(); tag {
	case tagString:
		return r.text()
	case tagInt:
		n, used := binary.Varint(r.data)
		if used <= 0 {
			r.fail("an integer is malformed")
			return nil
		}
		r.data = r.data[used:]
		return n
	case tagFloat:
		if b := r.take(8); b != nil {
			return math.Float64frombits(binary.BigEndian.Uint64(b))
		}
	case tagTrue, tagFalse:
		return tag == tagTrue
	case tagDate:
		return r.date()
	case tagList:
		return r.list(depth)
	case tagMap:
		return r.table(depth)
	default:
		r.fail("a value has an unknown type")
	}
	return nil
}

func (r *reader) date() any {
	at, err := time.Parse(time.RFC3339Nano, r.text())
	if err != nil {
		r.fail("a date is malformed")
		return nil
	}
	return at
}

func (r *reader) list(depth int) any {
	out := make([]any, r.length(1))
	for i := range out {
		out[i] = r.value(depth + 1)
	}
	return out
}

func (r *reader) table(depth int) any {
	n := r.length(2)
	out := make(map[string]any, n)
	for range n {
		key := r.text()
		out[key] = r.value(depth + 1)
		if r.err != nil {
			return nil
		}
	}
	return out
}
