package cache

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"pingap/message"
)

const body = "0123456789"

func stored(t *testing.T, status int, text string) *Object {
	t.Helper()
	a := arrival(status, text+"\nCache-Control: max-age=60\nDate: "+whenText)
	p := (&Settings{}).Policy(a)
	if !p.Storable {
		t.Fatalf("%d %s: not storable", status, text)
	}
	h := NewHead("ns\nhttp://a/", a, &p, false)
	h.Length = int64(len(body))
	return &Object{Head: h, Body: []byte(body)}
}

func TestReplies(t *testing.T) {
	const lm = "Last-Modified: Sun, 01 Mar 2026 10:00:00 GMT"
	cases := []struct {
		name            string
		status          int
		fields, request string
		want            string // status, body, Content-Range
	}{
		{"whole", 200, "", "", "200 0123456789 "},
		{"tag is the same", 200, `ETag: "a"`, `If-None-Match: "a"`, "304  "},
		{"tag is another", 200, `ETag: "a"`, `If-None-Match: "b"`, "200 0123456789 "},
		{"tag before date", 200, "ETag: \"a\"\n" + lm, "If-None-Match: \"b\"\nIf-Modified-Since: " + whenText, "200 0123456789 "},
		{"two lines of tags", 200, `ETag: "a"`, "If-None-Match: \"b\"\nIf-None-Match: \"a\"", "304  "},
		{"not modified since", 200, lm, "If-Modified-Since: Sunday, 01-Mar-26 10:00:00 GMT", "304  "},
		{"modified since", 200, lm, "If-Modified-Since: Sun Mar  1 09:59:59 2026", "200 0123456789 "},
		{"no date", 200, lm, "If-Modified-Since: yesterday", "200 0123456789 "},
		{"errors have no conditions", 404, `ETag: "a"`, `If-None-Match: "a"`, "404 0123456789 "},
		{"part", 200, "", "Range: bytes=2-4", "206 234 bytes 2-4/10"},
		{"part if the same", 200, `ETag: "a"`, "Range: bytes=2-4\nIf-Range: \"a\"", "206 234 bytes 2-4/10"},
		{"part if another", 200, `ETag: "a"`, "Range: bytes=2-4\nIf-Range: \"b\"", "200 0123456789 "},
		{"part if weakly the same", 200, `ETag: W/"a"`, "Range: bytes=2-4\nIf-Range: W/\"a\"", "200 0123456789 "},
		{"part if not modified", 200, lm, "Range: bytes=2-4\nIf-Range: Sun, 01 Mar 2026 10:00:00 GMT", "206 234 bytes 2-4/10"},
		{"nothing there", 200, "", "Range: bytes=10-", "416  bytes */10"},
		{"several parts", 200, "", "Range: bytes=0-1,3-4", "200 0123456789 "},
		{"errors have no parts", 404, "", "Range: bytes=0-1", "404 0123456789 "},
	}
	extra := []message.Field{{Name: []byte("X-Cache"), Value: []byte("hit")}}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a := Scan(fields(c.request))
			r := stored(t, c.status, c.fields).Reply(&a, extra, when.Add(5*time.Second).UnixNano())
			got := fmt.Sprintf("%d %s %s", r.Status, r.Body, get(r.Fields, message.ContentRange))
			if got != c.want || string(r.Fields[len(r.Fields)-1].Value) != "hit" {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if r.Status != 416 && string(get(r.Fields, message.Age)) != "5" {
				t.Errorf("age %q", get(r.Fields, message.Age))
			}
		})
	}
}

func TestKeysDifferWhereResponsesMay(t *testing.T) {
	base := Request{Host: []byte("example.com"), Target: []byte("/a?b=1&c")}
	texts := map[string]string{}
	add := func(name string, b []byte) {
		for other, text := range texts {
			if text == string(b) {
				t.Errorf("%s and %s have the same key %q", name, other, b)
			}
		}
		texts[name] = string(b)
	}
	add("base", AppendKey(nil, "", base))
	add("namespace", AppendKey(nil, "n", base))
	add("scheme", AppendKey(nil, "", Request{Secure: true, Host: base.Host, Target: base.Target}))
	add("host", AppendKey(nil, "", Request{Host: []byte("example.org"), Target: base.Target}))
	add("port", AppendKey(nil, "", Request{Host: []byte("example.com:8080"), Target: base.Target}))
	add("query order", AppendKey(nil, "", Request{Host: base.Host, Target: []byte("/a?c&b=1")}))
	add("path", AppendKey(nil, "", Request{Host: base.Host, Target: []byte("//a?b=1&c")}))
	add("field", AppendPart(AppendKey(nil, "", base), "x-a", fields("X-A: 1")))
	add("other field, same value", AppendPart(AppendKey(nil, "", base), "x-b", fields("X-B: 1")))
	add("empty field", AppendPart(AppendKey(nil, "", base), "x-a", fields("X-A:")))
	add("no field", AppendPart(AppendKey(nil, "", base), "x-a", nil))
	same := AppendKey(nil, "", Request{Host: []byte("EXAMPLE.com:80"), Target: base.Target})
	if string(same) != texts["base"] {
		t.Errorf("case and default port: %q", same)
	}
	if p := PlaceOf(same); p != (Place{"", "example.com", "/a?b=1&c"}) {
		t.Errorf("%+v", p)
	}
}

func FuzzKey(f *testing.F) {
	f.Add("n", "example.com:80", "/a?b", "x", "v,w")
	f.Add("", "", "*", "accept", "A , b")
	f.Fuzz(func(t *testing.T, namespace, host, target, name, value string) {
		if strings.ContainsAny(namespace+host+target+name, "\n/:") || !message.ValidValue([]byte(value)) {
			return
		}
		text := AppendKey(nil, namespace, Request{Host: []byte(host), Target: []byte("/" + target)})
		text = AppendPart(text, name, []message.Field{{Name: []byte(name), Value: []byte(value)}})
		if p := PlaceOf(text); p.Namespace != namespace || p.Target != "/"+target || !strings.EqualFold(p.Host, host) && isASCII(host) {
			t.Fatalf("%q: %+v", text, p)
		}
	})
}

func isASCII(text string) bool {
	for _, c := range []byte(text) {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

func TestVary(t *testing.T) {
	for text, want := range map[string]string{
		"Vary: B, a\nVary: a": "[a b] true", "Vary: *": "[] false", "Vary: a, *": "[] false", "Vary: , ": "[] true", "Vary: a b": "[] false", "": "[] true",
	} {
		names, ok := varyNames(fields(text))
		if got := fmt.Sprint(names, ok); got != want {
			t.Errorf("%q: %s", text, got)
		}
	}
	same := [][2]string{{"Accept-Encoding: gzip,br", "Accept-Encoding: GZIP , br"}, {"X: a\nX: b", "X: a, b"}}
	for _, pair := range same {
		name, _, _ := strings.Cut(pair[0], ":")
		a, b := AppendPart(nil, name, fields(pair[0])), AppendPart(nil, name, fields(pair[1]))
		if !bytes.Equal(a, b) {
			t.Errorf("%q and %q", a, b)
		}
	}
}
