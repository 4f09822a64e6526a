package adminaddr

import (
	"strings"
	"testing"

	"pingap/config/credential"
)

func TestValuesAreReadInAllForms(t *testing.T) {
	for text, want := range map[string]Admin{
		"alice:pass@127.0.0.1:3018":                    {Authorization: "alice:pass", Addr: "127.0.0.1:3018"},
		"YWxpY2U6d29uZGVybGFuZA==@127.0.0.1:3018/":     {Authorization: "alice:wonderland", Addr: "127.0.0.1:3018"},
		"alice:p%40s%3As@127.0.0.1:3018/pingap/":       {Authorization: "alice:p@s:s", Addr: "127.0.0.1:3018", Prefix: "/pingap"},
		"alice:p@ss@127.0.0.1/a/b?max_age=1h":          {Authorization: "alice:p@ss", Addr: "127.0.0.1:80", Prefix: "/a/b", MaxAge: "1h"},
		"a:b@[::1]:3018":                               {Authorization: "a:b", Addr: "[::1]:3018"},
		"a:b@[::1]":                                    {Authorization: "a:b", Addr: "[::1]:80"},
		"a:b@:3018":                                    {Authorization: "a:b", Addr: ":3018"},
		"a:b@localhost":                                {Authorization: "a:b", Addr: "localhost:80"},
		"a:b@unix:/run/x/a.sock?max_age=1d":            {Authorization: "a:b", Addr: "unix:/run/x/a.sock", MaxAge: "1d"},
		Authorization("bob", "q/+?:@x") + "host:1/adm": {Authorization: "bob:q/+?:@x", Addr: "host:1", Prefix: "/adm"},
	} {
		if got, err := Parse(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
}

func TestValuesThatSayTooLittleAreRefusedWithoutShowingThem(t *testing.T) {
	for _, text := range []string{"", "127.0.0.1:3018", "unix:/run/a.sock", "@127.0.0.1:3018", "secret@127.0.0.1:3018", "alice:@127.0.0.1:3018", ":secret@127.0.0.1:3018",
		"alice:secret@", "alice:secret@host:port", "alice:secret@host:70000", "alice:secret@host:1?max=1", "alice:secret@host:1/a b", "alice:secret@host:1//x",
		"alice:secret@host:1/../x", "alice:%zzsecret@host:1", "alice:secret@a,b:1", "alice:secret@unix:relative", "alice:secret@host:1?max_age=", "alice:$argon2id$secret@host:1"} {
		got, err := Parse(text)
		if err == nil {
			t.Errorf("%q: %+v", text, got)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the message shows the password: %v", text, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"alice:pass@127.0.0.1:3018", "YWxpY2U6d29uZGVybGFuZA==@[::1]:1/a?max_age=2d", "a:b@unix:/x", "a:b@c/d/e", "%:@"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := Parse(text)
		if err != nil {
			return
		}
		if _, err := credential.ParseUser(a.Authorization); err != nil || a.Addr == "" || strings.HasSuffix(a.Prefix, "/") {
			t.Fatalf("%q: %+v, %v", text, a, err)
		}
	})
}
