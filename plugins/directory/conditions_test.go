package directory

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"pingap/message"
	"pingap/plugins/plugintest"
)

const (
	before = "Thu, 29 Feb 2024 12:30:44 GMT"
	after  = "Thu, 29 Feb 2024 12:30:46 GMT"
)

// The order is that of RFC 9110 section 13.2.2.
func TestPreconditionsInTheirOrder(t *testing.T) {
	x := instance(t, tree(t, map[string]string{"f": "0123456789"}), "")
	tag := tagOf(10, "")
	cases := []struct {
		fields string
		want   int
	}{
		{"", 200},
		{"If-Match: " + tag, 200}, {"If-Match: *", 200}, {"If-Match: \"a\", " + tag, 200}, {"If-Match: \"a\"\nIf-Match: " + tag, 200},
		{"If-Match: \"a\"", 412}, {"If-Match: W/" + tag, 412}, {"If-Match: x", 412}, {"If-Match:", 412}, {"if-match: \"a\"", 412},
		{"If-Unmodified-Since: " + changedText, 200}, {"If-Unmodified-Since: " + after, 200}, {"If-Unmodified-Since: " + before, 412}, {"If-Unmodified-Since: x", 200},
		{"If-Match: " + tag + "\nIf-Unmodified-Since: " + before, 200}, // the second is not looked at
		{"If-None-Match: " + tag, 304}, {"If-None-Match: W/" + tag, 304}, {"If-None-Match: *", 304}, {"If-None-Match: \"a\" , W/\"b,c\"," + tag, 304},
		{"If-None-Match: \"a\"\nIf-None-Match: " + tag, 304}, {"If-None-Match: \"a\"", 200}, {"If-None-Match: " + strings.Trim(tag, "\""), 200},
		{"If-None-Match: \"a" + tag, 200}, {"If-None-Match: \"a\"" + tag, 200},
		{"If-Modified-Since: " + changedText, 304}, {"If-Modified-Since: " + after, 304}, {"If-Modified-Since: " + before, 200}, {"If-Modified-Since: 0", 200},
		{"If-Modified-Since: Thursday, 29-Feb-24 12:30:45 GMT", 304}, {"If-Modified-Since: Thu Feb 29 12:30:45 2024", 304}, {"If-Modified-Since: Thu Feb 29 12:30:44 2024", 200},
		{"If-None-Match: \"a\"\nIf-Modified-Since: " + after, 200}, // the second is not looked at
		{"If-Match: " + tag + "\nIf-None-Match: " + tag, 304}, {"If-Match: \"a\"\nIf-None-Match: " + tag, 412},
		{"If-Unmodified-Since: " + before + "\nIf-Modified-Since: " + after, 412},
		{"If-None-Match: " + tag + "\nRange: bytes=0-1", 304}, {"If-Match: \"a\"\nRange: bytes=0-1", 412}, {"If-None-Match: " + tag + "\nRange: bytes=99-", 304},
		{"Range: bytes=0-1\nIf-Range: " + tag, 206}, {"Range: bytes=0-1\nIf-Range: W/" + tag, 200}, {"Range: bytes=0-1\nIf-Range: \"a\"", 200}, {"Range: bytes=0-1\nIf-Range: *", 200},
		{"Range: bytes=0-1\nIf-Range: " + changedText, 206}, {"Range: bytes=0-1\nIf-Range: " + after, 200}, {"Range: bytes=0-1\nIf-Range:", 200},
		{"Range: bytes=0-1\nIf-Range: Wed, 29 Feb 2023 00:00:00 GMT", 200}, {"Range: bytes=99-\nIf-Range: \"a\"", 200}, {"If-Range: \"a\"", 200},
		{"Range: bytes=0-1\nRange: bytes=2-3", 200},
	}
	for _, c := range cases {
		for _, method := range []string{"GET", "HEAD"} {
			want := c.want
			if method == "HEAD" && want == 206 {
				want = 200
			}
			if a, body := ask(t, x, method+" /f\n"+c.fields); a.Status != want || (a.File == nil) != (want == 304 || want == 412) {
				t.Errorf("%s %s: %d %q, want %d", method, c.fields, a.Status, body, want)
			}
		}
	}
}

func TestNotModifiedSaysWhatCachesKeep(t *testing.T) {
	x := instance(t, tree(t, map[string]string{"f.txt": "x"}), "max_age = \"1m\"\nprecompressed = [\"br\"]\nheaders = [\"X-A: b\"]\ndownload = true")
	a, body := ask(t, x, "GET /f.txt\nIf-None-Match: *")
	want := "Last-Modified: " + changedText + "\nETag: " + tagOf(1, "") + "\nCache-Control: public, max-age=60\nX-A: b\nVary: Accept-Encoding\n"
	if got := plugintest.FieldText(a.Fields); a.Status != 304 || body != "" || !a.Content || got != want {
		t.Errorf("%d\n%swant\n%s", a.Status, got, want)
	}
}

// A file whose time lies ahead must not be newer than the answer.
func TestTimesAheadAreNow(t *testing.T) {
	now := time.Unix(1000, 0)
	o := opened{}
	o.stat.Mtim.Sec = 2000
	if v, _ := versionOf(&o, nil, now, nil); v.modified != 1000 || string(v.tag) != "\"0-1d1a94a2000\"" {
		t.Errorf("%d %s", v.modified, v.tag)
	}
}

// By its date alone a file that was changed a moment ago cannot be told from the one after it.
func TestADateOfThisSecondIsWeak(t *testing.T) {
	c := conditionFields{rangeLines: 1, hasIfRange: true, ifRange: []byte(changedText)}
	v := version{modified: changed.Unix()}
	if c.wanted(&v, changed) || !c.wanted(&v, changed.Add(time.Second)) {
		t.Error("a part of a file that may have changed since, or none of one that has not")
	}
}

func TestRanges(t *testing.T) {
	x := instance(t, tree(t, map[string]string{"f": "0123456789", "empty": ""}), "")
	cases := []struct{ value, want, contentRange string }{
		{"bytes=0-0", "0", "bytes 0-0/10"}, {"bytes=2-5", "2345", "bytes 2-5/10"}, {"bytes=0-", "0123456789", "bytes 0-9/10"}, {"bytes=9-", "9", "bytes 9-9/10"},
		{"bytes=5-99", "56789", "bytes 5-9/10"}, {"bytes=5-99999999999999999999999", "56789", "bytes 5-9/10"}, {"bytes=-3", "789", "bytes 7-9/10"}, {"bytes=-99", "0123456789", "bytes 0-9/10"},
		{"BYTES = 1-2 ", "12", "bytes 1-2/10"}, {"bytes=,1-2,", "12", "bytes 1-2/10"}, {"bytes=007-8", "78", "bytes 7-8/10"},
		{"bytes=0-0,2-3", "0123456789", ""}, {"bytes=0-0,x", "0123456789", ""}, {"items=0-1", "0123456789", ""}, {"bytes", "0123456789", ""}, {"", "0123456789", ""},
		{"bytes=10-", "", "bytes */10"}, {"bytes=10-12", "", "bytes */10"}, {"bytes=-0", "", "bytes */10"}, {"bytes=3-2", "", "bytes */10"}, {"bytes=", "", "bytes */10"},
		{"bytes=-", "", "bytes */10"}, {"bytes=a-2", "", "bytes */10"}, {"bytes=1-b", "", "bytes */10"}, {"bytes=1", "", "bytes */10"}, {"bytes=--1", "", "bytes */10"},
		{"bytes=+1-2", "", "bytes */10"}, {"bytes=0x1-2", "", "bytes */10"}, {"bytes=1 - 2", "", "bytes */10"}, {"bytes=99999999999999999999999-", "", "bytes */10"},
	}
	for _, c := range cases {
		a, body := ask(t, x, "GET /f\nRange: "+c.value)
		status := 206
		if c.contentRange == "" {
			status = 200
		} else if c.want == "" {
			status = 416
		}
		if got := plugintest.Field(a, "Content-Range"); a.Status != status || body != c.want || got != c.contentRange {
			t.Errorf("%q: %d %q %q, want %d %q %q", c.value, a.Status, body, got, status, c.want, c.contentRange)
		}
	}
	for value, want := range map[string]int{"bytes=0-": 416, "bytes=-1": 200, "bytes=-0": 416} {
		if a, _ := ask(t, x, "GET /empty\nRange: "+value); a.Status != want {
			t.Errorf("empty file, %s: %d, want %d", value, a.Status, want)
		}
	}
}

func TestDatesOfOldClients(t *testing.T) {
	now := time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"Sun, 06 Nov 1994 08:49:37 GMT": "1994-11-06 08:49:37", "Sunday, 06-Nov-94 08:49:37 GMT": "1994-11-06 08:49:37", "Sun Nov  6 08:49:37 1994": "1994-11-06 08:49:37",
		"Thursday, 01-Jan-70 00:00:00 GMT": "2070-01-01 00:00:00", "Friday, 01-Mar-75 00:00:00 GMT": "1975-03-01 00:00:00", "Friday, 01-Jan-69 00:00:00 GMT": "2069-01-01 00:00:00",
		"Sun, 31 Feb 1994 08:49:37 GMT": "", "Sun, 06 Nov 1994 08:49:37": "", "Sun, 06 Nov 1994 08:49:37 CET": "", "Sun, 06 Nov 1994 24:00:00 GMT": "", "1994-11-06T08:49:37Z": "", "": "",
		strings.Repeat("9", 5000): "",
	} {
		seconds, ok := parseDate([]byte(text), now)
		if ok != (want != "") || ok && time.Unix(seconds, 0).UTC().Format(time.DateTime) != want {
			t.Errorf("%q: %s, %t, want %s", text, time.Unix(seconds, 0).UTC(), ok, want)
		}
	}
}

func FuzzRange(f *testing.F) {
	for _, s := range []string{"bytes=0-0", "bytes=-5", "bytes=5-", "bytes=1-2,3-4", "bytes=,", "x=1", "bytes=9223372036854775807-9223372036854775808"} {
		f.Add([]byte(s), int64(10))
	}
	f.Fuzz(func(t *testing.T, value []byte, size int64) {
		size &= math.MaxInt64 >> 8 // larger than any file
		offset, length, verdict := parseRange(value, size)
		switch verdict {
		case rangePart:
			if offset < 0 || length <= 0 || offset > size-length {
				t.Errorf("%q of %d: %d bytes at %d", value, size, length, offset)
			}
			again, same, v := parseRange(fmt.Appendf(nil, "bytes=%d-%d", offset, offset+length-1), size)
			if again != offset || same != length || v != rangePart {
				t.Errorf("%q of %d: its own form is %d at %d", value, size, same, again)
			}
		case rangeNone:
			if !bytes.ContainsRune(value, '=') {
				t.Errorf("%q is refused", value)
			}
		}
	})
}

func FuzzConditions(f *testing.F) {
	f.Add([]byte(`"a", W/"b"`), []byte(changedText))
	f.Add([]byte(`*`), []byte("Sunday, 06-Nov-94 08:49:37 GMT"))
	f.Add([]byte(`"`), []byte("Sun Nov  6 08:49:37 1994"))
	v := version{tag: []byte(`"a"`), modified: changed.Unix(), date: []byte(changedText)}
	f.Fuzz(func(t *testing.T, tags, date []byte) {
		var fields message.Fields
		fields.Append(message.IfNoneMatch, []byte("If-None-Match"), tags)
		fields.Append(message.Unknown, []byte("if-match"), tags)
		fields.Append(message.IfModifiedSince, []byte("If-Modified-Since"), date)
		fields.Append(message.IfRange, []byte("If-Range"), date)
		c := readConditions(&fields)
		status := c.status(&fields, &v, changed)
		strong, weak := listHasTag(tags, v.tag, true), listHasTag(tags, v.tag, false)
		if strong && !weak || status == 412 == strong || status == 304 != (strong && weak) {
			t.Errorf("%q: %d, strong %t, weak %t", tags, status, strong, weak)
		}
		if strong && !bytes.Contains(tags, v.tag) && string(tags) != "*" {
			t.Errorf("%q holds %s", tags, v.tag)
		}
		c.wanted(&v, changed)
		if seconds, ok := parseDate(date, changed); ok {
			if again, ok := parseDate(time.Unix(seconds, 0).UTC().AppendFormat(nil, dateForm), changed); seconds >= 0 && (!ok || again != seconds) {
				t.Errorf("%q: %d becomes %d", date, seconds, again)
			}
		}
	})
}
