package http1

import (
	"bytes"
	"strings"
	"testing"

	"pingap/message"
)

// A plain line is one that parseField takes, with the same name and value, and every line that it takes is plain but for tabs and underscores.
func FuzzPlainLine(f *testing.F) {
	for _, row := range table(f, "good_requests.txt", 3) {
		_, fields, _ := strings.Cut(row[1], "\r\n")
		f.Add([]byte(fields))
	}
	for _, row := range table(f, "bad_requests.txt", 4) {
		_, fields, _ := strings.Cut(row[3], "\n")
		f.Add([]byte(fields))
	}
	for _, line := range []string{
		"", "a", "a:", "a:\r", "a:\r\n", "\r\n", "\r\na: b\r\n", ":\r\n", "a : b\r\n", "accept:\x7f\r\n", "accept: 1234567\x1f9\r\n", "accept: \xff\x80\r\n",
		"accept: \x80\x1f\r\n", "x-abcdefgh\xff: b\r\n", "x\x00yz1234: b\r\n", "a\r\nb: c\r\n", "a\nb: c\r\n", "a: b\n", "a: b\rc\r\n", "user-agent: a\tb\r\n",
		"content_length: 5\r\n", "x_y: 5\r\n", "@: c\r\n", "abcdefghi: 1234567890\r\n",
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		id, colon, end := plainLine(raw)
		lf := bytes.IndexByte(raw, '\n')
		whole := lf > 1 && raw[lf-1] == '\r'
		var fields message.Fields
		var p parsed
		p.length = -1
		err := ErrLineEnd
		if whole {
			err = parseField(raw[:lf-1], &fields, &p, false)
		}
		if end == 0 {
			if whole && err == nil && bytes.IndexByte(raw[:lf], '\t') < 0 && bytes.IndexByte(raw[:lf], '_') < 0 {
				t.Fatalf("%q is a good line and not plain", raw[:lf+1])
			}
			return
		}
		if !whole || end != lf-1 || err == ErrFold || err == ErrFieldName || err == ErrFieldValue || err == ErrLineEnd {
			t.Fatalf("%q is plain up to %d: %v", raw, end, err)
		}
		if err != nil { // what the value means, which both ask note for
			return
		}
		if got := fields.List()[0]; fields.Len() != 1 || got.ID != id || string(got.Name) != string(raw[:colon]) || string(got.Value) != string(trim(raw[colon+1:end])) {
			t.Fatalf("%q: %v %q %q", raw, id, raw[:colon], raw[colon+1:end])
		}
	})
}

// A body may be large, and is nothing that the end of the head before it has to look at.
func TestTheEmptyLineIsNotPlain(t *testing.T) {
	if _, _, end := plainLine([]byte("\r\nbody: of a message\r\n")); end != 0 {
		t.Errorf("ends at %d", end)
	}
}
