package accesslog

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pingap/message"
)

// secretive is an exchange with something to hide.
func secretive(now time.Time, target, referer string) *message.Record {
	r := &message.Record{Conn: &message.Conn{RemoteText: []byte("192.0.2.1")}}
	r.Reset()
	r.Start = message.Clock(now)
	r.Request.SetMethod([]byte("GET"))
	r.Request.SetTarget([]byte(target))
	q := &r.Request.Fields
	q.Add("Authorization", []byte("Bearer hidden"))
	q.Add("Cookie", []byte("session=hidden; theme=hidden"))
	q.Add("User-Agent", []byte("hidden"))
	q.Add("Referer", []byte(referer))
	q.Add("X-Plain", []byte("shown"))
	r.Response.Fields.Add("Set-Cookie", []byte("session=hidden"))
	return r
}

func TestWhatIsHiddenIsNotShown(t *testing.T) {
	now := time.Now()
	r := secretive(now, "/a?x=1&token=hidden&y=2&TOK%45N=hidden;sig=hidden", "https://h.test/p?sig=hidden#token=hidden")
	h := NewHidden([]string{"authorization", "Cookie", "set-cookie", "User-Agent", "X-None"}, []string{"token", "SIG"})
	for _, c := range []struct{ format, want string }{
		{"{>Authorization} {>authorization} {>x-plain} {>x-none}", "*** *** shown -"},
		{"{<set-cookie} {<x-none}|{~session}|{~none}|{>cookie}", "*** -|***||***"},
		{"{uri}", "/a?x=1&token=***&y=2&TOK%45N=***;sig=***"},
		{"{query} {path}", "x=1&token=***&y=2&TOK%45N=***;sig=*** /a"},
		{"{referer} {user_agent}", "https://h.test/p?sig=***#token=*** ***"},
	} {
		f, warnings := CompileHiding(c.format, nil, h)
		if got := string(f.Append(nil, r, now)); got != c.want || len(warnings) > 0 {
			t.Errorf("%s: %q, want %q; %q", c.format, got, c.want, warnings)
		}
	}
	for _, preset := range []string{"combined", "common", "short", "tiny", "json"} {
		f, _ := CompileHiding(preset, nil, h)
		line := string(f.Append(nil, r, now))
		if strings.Contains(line, "hidden") || !strings.Contains(line, "token=***&y=2") || preset == "json" && !json.Valid([]byte(line)) {
			t.Errorf("%s: %s", preset, line)
		}
	}
}

func TestOfNothingNothingIsHidden(t *testing.T) {
	if NewHidden(nil, []string{}) != nil {
		t.Error("a list of nothing")
	}
	now := time.Now()
	r := secretive(now, "/", "")
	f, _ := CompileHiding("{uri} {query} {referer} {>x-none} {>authorization}", nil, NewHidden(nil, []string{"token"}))
	if got := string(f.Append(nil, r, now)); got != "/ - - - Bearer hidden" {
		t.Errorf("%q", got)
	}
	if a, b := NewHidden([]string{"a"}, nil), NewHidden(nil, []string{"a"}); a.Key() == b.Key() || (*Hidden)(nil).Key() != "" {
		t.Error("two that hide different things have one key")
	}
}

// FuzzHidden: whatever the target, the value of a hidden parameter is in no line, and the json format stays JSON.
func FuzzHidden(f *testing.F) {
	f.Add("/a?token=", "&b=c")
	f.Add("/?a=b&t%6fken=", "\xff;x")
	f.Add("/?TOKEN=", "")
	f.Add("/?x\xe2=&token=", "&\x80=\"")
	h := NewHidden(nil, []string{"token"})
	json1, _ := CompileHiding("json", nil, h)
	text, _ := CompileHiding("{uri} {query} {referer}", nil, h)
	f.Fuzz(func(t *testing.T, before, after string) {
		now := time.Now()
		target := before + "VALUE" + after
		r := secretive(now, target, "http://h"+target)
		line := text.Append(nil, r, now)
		object := json1.Append(nil, r, now)
		if !json.Valid(object) {
			t.Fatalf("not JSON: %s", object)
		}
		plain := strings.HasSuffix(before, "?token=") || strings.HasSuffix(before, "&token=")
		if plain && !strings.Contains(before[:len(before)-len("token=")-1], "VALUE") && !strings.Contains(after, "VALUE") && strings.Contains(before, "?") &&
			(strings.Contains(string(line), "VALUE") || strings.Contains(string(object), "VALUE")) {
			t.Fatalf("shown: %s\n%s", line, object)
		}
	})
}

func BenchmarkAppendHiding(b *testing.B) {
	now := time.Now()
	for _, preset := range []string{"combined", "json"} {
		for name, h := range map[string]*Hidden{"nothing": nil, "some": NewHidden([]string{"authorization"}, []string{"token", "sig"})} {
			b.Run(preset+"/"+name, func(b *testing.B) {
				f, _ := CompileHiding(preset, nil, h)
				r := secretive(now, "/a/b?x=1&token=hidden&y=2", "https://h.test/")
				dst := make([]byte, 0, 4096)
				b.ReportAllocs()
				for b.Loop() {
					dst = f.Append(dst[:0], r, now)
				}
			})
		}
	}
}
