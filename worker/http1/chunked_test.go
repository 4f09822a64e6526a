package http1

import (
	"strings"
	"testing"
)

// walked is what a walk over a chunked body gave.
type walked struct {
	data, passed, trailer string
	used                  int
	done                  bool
	err                   *Error
}

// byNext walks with Next, pieces at a time.
func byNext(pieces ...string) (w walked) {
	var c Chunked
	for _, piece := range pieces {
		p := []byte(piece)
		for len(p) > 0 && !c.Done() && w.err == nil {
			data, used, err := c.Next(p)
			w.data, w.used, w.err = w.data+string(data), w.used+used, err
			p = p[used:]
		}
	}
	w.done, w.trailer = c.Done(), string(c.Trailer())
	if c.Data != int64(len(w.data)) {
		w.data += " (counted otherwise)"
	}
	return w
}

// byPass walks with Pass, and decodes nothing.
func byPass(pieces ...string) (w walked) {
	var c Chunked
	for _, piece := range pieces {
		p := []byte(piece)
		for len(p) > 0 && !c.Done() && w.err == nil {
			pass, used, err := c.Pass(p)
			w.passed, w.used, w.err = w.passed+string(p[:pass]), w.used+used, err
			p = p[used:]
		}
	}
	w.done, w.trailer = c.Done(), string(c.Trailer())
	return w
}

func TestBadChunkedBodiesAreRefused(t *testing.T) {
	for _, row := range table(t, "bad_chunks.txt", 3) {
		for name, w := range map[string]walked{"next": byNext(row[2]), "pass": byPass(row[2])} {
			if errorText(w.err) != row[1] {
				t.Errorf("%s, by %s: %v, want %s", row[0], name, w.err, row[1])
			}
			if strings.Contains(w.passed, "0\r\n\r\n") {
				t.Errorf("%s: passed as complete: %q", row[0], w.passed)
			}
		}
	}
}

// goodChunks are bodies with what stands behind them, and their data.
func goodChunks() []struct{ name, body, data, behind string } {
	return []struct{ name, body, data, behind string }{
		{"empty", "0\r\n\r\n", "", ""},
		{"one chunk", "5\r\nhello\r\n0\r\n\r\n", "hello", ""},
		{"several chunks", "1\r\nh\r\n3\r\nell\r\n1\r\no\r\n0\r\n\r\n", "hello", ""},
		{"capital and small digits", "A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789", ""},
		{"leading zeros", "000000000000005\r\nhello\r\n000\r\n\r\n", "hello", ""},
		{"line ends in the data", "8\r\n0\r\n\r\n\r\n\n\r\n0\r\n\r\n", "0\r\n\r\n\r\n\n", ""},
		{"extensions", "5;a;b=c;d=\"e;\\\" f\"\r\nhello\r\n0;last\r\n\r\n", "hello", ""},
		{"extension of the largest size", "5;" + strings.Repeat("x", 254) + "\r\nhello\r\n0\r\n\r\n", "hello", ""},
		{"trailer", "0\r\nX-Sum: 1\r\nX-Two:2\r\n\r\n", "", ""},
		{"32 trailer fields", "0\r\n" + strings.Repeat("X: y\r\n", 32) + "\r\n", "", ""},
		{"a request behind", "1\r\nx\r\n0\r\n\r\n", "x", "GET / HTTP/1.1\r\n\r\n"},
		{"a request behind a trailer", "1\r\nx\r\n0\r\nA: b\r\n\r\n", "x", "GET / HTTP/1.1\r\n\r\n"},
		{"an empty line behind", "1\r\nx\r\n0\r\n\r\n", "x", "\r\n"},
	}
}

func TestGoodChunkedBodies(t *testing.T) {
	for _, tc := range goodChunks() {
		next, pass := byNext(tc.body+tc.behind), byPass(tc.body+tc.behind)
		if next.err != nil || !next.done || next.data != tc.data || next.used != len(tc.body) {
			t.Errorf("%s, by next: %+v", tc.name, next)
		}
		if pass.err != nil || !pass.done || pass.passed+pass.trailer != tc.body || pass.used != len(tc.body) {
			t.Errorf("%s, by pass: %+v", tc.name, pass)
		}
	}
}

func TestSplitChunkedBodiesAreJudgedAsWholeOnes(t *testing.T) {
	same := func(name, body string, k int) {
		for kind, by := range map[string]func(...string) walked{"next": byNext, "pass": byPass} {
			whole, split := by(body), by(body[:k], body[k:])
			if whole.err != split.err || whole.done != split.done || whole.data != split.data || whole.err == nil && whole.used != split.used ||
				whole.err == nil && whole.passed+whole.trailer != split.passed+split.trailer {
				t.Errorf("%s, by %s, split at %d:\n%+v, want\n%+v", name, kind, k, split, whole)
			}
		}
	}
	for _, tc := range goodChunks() {
		for k := range tc.body {
			same(tc.name, tc.body+tc.behind, k)
		}
	}
	for _, row := range table(t, "bad_chunks.txt", 3) {
		for k := range min(len(row[2]), 600) {
			same(row[0], row[2], k)
		}
	}
}

func TestChunkedBodiesByteByByte(t *testing.T) {
	for _, tc := range goodChunks() {
		bytes := strings.Split(tc.body+tc.behind, "")
		if w := byNext(bytes...); w.err != nil || w.data != tc.data || w.used != len(tc.body) {
			t.Errorf("%s, by next: %+v", tc.name, w)
		}
		if w := byPass(bytes...); w.err != nil || w.passed+w.trailer != tc.body || w.used != len(tc.body) {
			t.Errorf("%s, by pass: %+v", tc.name, w)
		}
	}
}

func TestResetStartsANewBody(t *testing.T) {
	var c Chunked
	for range 3 {
		c.Reset()
		if _, used, err := c.Pass([]byte("1\r\nx\r\n0\r\nA: b\r\n\r\n")); err != nil || used != 17 || !c.Done() || string(c.Trailer()) != "A: b\r\n\r\n" {
			t.Fatalf("%d, %v, %q", used, err, c.Trailer())
		}
	}
}

func TestUnchunkTakesTheDataOut(t *testing.T) {
	for _, tc := range []struct {
		body, data, trailer string
		whole               bool
	}{
		{"5\r\nhello\r\n1;x=y\r\n!\r\n0\r\n\r\n", "hello!", "", true},
		{"0\r\n\r\n", "", "", true},
		{"2\r\nhi\r\n0\r\nA: b\r\n\r\n", "hi", "A: b\r\n\r\n", true},
		{"2\r\nhi\r\n", "hi", "", false},
		{"2\r\nhi\r\nzz", "hi", "", false},
		{"", "", "", false},
	} {
		data, trailer, whole := Unchunk([]byte(tc.body))
		if string(data) != tc.data || whole != tc.whole || tc.trailer != "" && string(trailer) != tc.trailer {
			t.Errorf("%q: %q, %q, %v", tc.body, data, trailer, whole)
		}
	}
}
