package message

import (
	"testing"
)

func TestSetTargetSplitsPathAndQuery(t *testing.T) {
	cases := []struct {
		target, path, query string
		has                 bool
	}{
		{"/", "/", "", false},
		{"/a?", "/a", "", true},
		{"/a?b=1?c", "/a", "b=1?c", true},
		{"?x", "", "x", true},
		{"*", "*", "", false},
	}
	var r Request
	for _, c := range cases {
		r.SetTarget([]byte(c.target))
		if string(r.Path) != c.path || string(r.Query) != c.query || r.HasQuery != c.has || string(r.Target) != c.target {
			t.Errorf("%s = path %s query %s %v", c.target, r.Path, r.Query, r.HasQuery)
		}
	}
}

func TestRewriteKeepsTheQuery(t *testing.T) {
	cases := []struct{ target, path, want string }{
		{"/a/b?x=1", "/new", "/new?x=1"}, {"/a?", "/new", "/new?"}, {"/a", "/longer/than/before", "/longer/than/before"},
	}
	for _, c := range cases {
		var r Request
		r.SetTarget([]byte(c.target))
		r.RewritePath([]byte(c.path))
		if string(r.Target) != c.want || string(r.Path) != c.path {
			t.Errorf("%s rewritten to %s is %s", c.target, c.path, r.Target)
		}
	}
}

// A rewrite may use parts of the path it replaces, and may be followed by another.
func TestRewriteFromItsOwnPath(t *testing.T) {
	var r Request
	r.SetTarget([]byte("/api/v1/users?q=1"))
	for _, want := range []string{"/v1/users?q=1", "/users?q=1"} {
		cut := 1
		for r.Path[cut] != '/' {
			cut++
		}
		r.RewritePath(r.Path[cut:])
		if string(r.Target) != want {
			t.Fatalf("target %s, want %s", r.Target, want)
		}
	}
}

func TestHostOnly(t *testing.T) {
	cases := map[string]string{"": "", "a.example": "a.example", "A.example:80": "A.example", "[::1]": "[::1]",
		"[::1]:8080": "[::1]", "[::1": "[::1", ":80": "", "127.0.0.1:1": "127.0.0.1"}
	for authority, want := range cases {
		if got := string(HostOnly([]byte(authority))); got != want {
			t.Errorf("%s = %s, want %s", authority, got, want)
		}
	}
}

func TestMethods(t *testing.T) {
	cases := []struct {
		text       string
		id         Method
		idempotent bool
	}{
		{"GET", GET, true}, {"HEAD", HEAD, true}, {"POST", POST, false}, {"PUT", PUT, true},
		{"DELETE", DELETE, true}, {"OPTIONS", OPTIONS, true}, {"PATCH", PATCH, false},
		{"TRACE", TRACE, true}, {"CONNECT", CONNECT, false}, {"get", OtherMethod, false}, {"PURGE", OtherMethod, false},
	}
	for _, c := range cases {
		var r Request
		r.SetMethod([]byte(c.text))
		if r.MethodID != c.id || r.Idempotent() != c.idempotent || string(r.Method) != c.text {
			t.Errorf("%s is method %d, idempotent %v", c.text, r.MethodID, r.Idempotent())
		}
	}
}

func TestNothingOfARequestIsLeftAfterReset(t *testing.T) {
	now := Now()
	r := fullRecord(now)
	r.Captures = append(r.Captures, Capture{Name: "id", Value: []byte("7")})
	r.RequestID = append(r.RequestID, "abc"...)
	r.Request.Version, r.Request.BodyLength = HTTP11, 5
	r.Request.NormalPath()
	r.Reset()
	q := &r.Request
	if q.Method != nil || q.MethodID != OtherMethod || q.Target != nil || q.Path != nil || q.Query != nil || q.HasQuery ||
		q.Host != nil || q.Version != 0 || q.BodyLength != 0 || q.Fields.Len() != 0 || len(q.NormalPath()) != 0 {
		t.Errorf("request %+v", q)
	}
	if _, ok := r.Capture("id"); ok || len(r.RequestID) != 0 || r.Location != "" || r.UpstreamConnect != Unset || r.Conn == nil {
		t.Errorf("record %+v", r)
	}
	if r.Captures = r.Captures[:1]; r.Captures[0].Value != nil {
		t.Error("a captured value is kept alive")
	}
}
