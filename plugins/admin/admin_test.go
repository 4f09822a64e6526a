package admin

import (
	"strings"
	"testing"

	"pingap/plugins/plugintest"
)

const who = "authorizations = [\"YWxpY2U6d29uZGVybGFuZA==\"]\n"

func TestPassesOnWhatIsBelowItsPath(t *testing.T) {
	for _, c := range []struct{ path, request, target, location string }{
		{"/adm", "GET /adm/api/status?a=b", "/admin/test/api/status?a=b", ""},
		{"/adm", "POST /adm/", "/admin/test/", ""},
		{"/adm/", "DELETE /adm/x", "/admin/test/x", ""},
		{"/adm", "GET /adm", "", "./adm/"},
		{"/a/adm", "GET /a/adm", "", "./adm/"},
		{"/adm", "GET //adm/./a/../b", "/admin/test/b", ""},
		{"/adm", "GET /adm/a%2Fb", "/admin/test/a%2Fb", ""},
		{"/adm", "GET /admin/x", "", ""},
		{"/adm", "GET /", "", ""},
		{"/adm", "GET /adm/../x", "", ""},
		{"/", "GET /", "/admin/test/", ""},
		{"/", "GET /x", "/admin/test/x", ""},
		{"/", "OPTIONS *", "", ""},
	} {
		x := plugintest.Build(t, Factory(), who+"path = \""+c.path+"\"")
		d := x.Decider.Decide(plugintest.New(t, c.request))
		if f := x.Foresee(plugintest.New(t, c.request)); f.Unknown || (f.Answer != nil && f.Answer.Inside != nil) != (c.target != "") {
			t.Errorf("%s: explain says otherwise", c.request)
		}
		target, location := "", ""
		if d.Answer != nil && d.Answer.Inside != nil {
			target = strings.Replace(string(d.Answer.Inside.Target), "/admin/"+x.Name, "/admin/test", 1)
			if want := strings.TrimRight(c.path, "/"); d.Answer.Inside.Prefix != want {
				t.Errorf("%s: prefix %q, want %q", c.request, d.Answer.Inside.Prefix, want)
			}
		} else if d.Answer != nil {
			location = plugintest.Field(d.Answer, "Location")
		}
		if target != c.target || location != c.location {
			t.Errorf("path %s, %s: target %q, location %q", c.path, c.request, target, location)
		}
	}
}

func TestRefusesWhatLetsAnybodyIn(t *testing.T) {
	const nobody = "expected somebody who may come in: without authorizations, read_authorizations and tokens nobody could be told from anybody"
	plugintest.Refused(t, Factory(), []plugintest.RefusedCase{
		{Table: ``, Key: "authorizations", Message: nobody},
		{Table: `authorizations = []`, Key: "authorizations", Message: nobody},
		{Table: `authorizations = ["alice"]`, Key: "authorizations", Message: "entry 1: expected user:password, or base64 of it"},
		{Table: `authorizations = ["alice:"]`, Key: "authorizations", Message: "entry 1: the password is empty"},
		{Table: who + `read_authorizations = ["alice:other"]`, Key: "read_authorizations", Message: "entry 1: the user is there already"},
		{Table: `authorizations = ["a:$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ$Zm9vYmFyZm9vYmFyZm9vYg"]`, Key: "authorizations",
			Message: "entry 1: expected m of the hash from 8 for each lane to 65536 KiB"},
		{Table: who + `max_age = "31d"`, Key: "max_age", Message: "expected 1m to 30d"},
		{Table: who + `ip_fail_limit = 0`, Key: "ip_fail_limit", Message: "expected 1 to 1000, found 0"},
		{Table: who + `path = "adm"`, Key: "path", Message: `expected a path such as /status, without query and blanks, found "adm"`},
		{Table: "[[tokens]]\nname = \"a\"\ntoken = \"short\"", Key: "tokens[0]", Message: "token: expected 20 to 512 characters, or sha256: and the sum of a token"},
		{Table: "[[tokens]]\nname = \"a\"\nrole = \"all\"\ntoken = \"01234567890123456789\"", Key: "tokens[0].role", Message: `expected read or write, found "all"`},
		{Table: "[[tokens]]\nname = \"a\"\nexpires = \"soon\"\ntoken = \"01234567890123456789\"", Key: "tokens[0]",
			Message: "expires: expected a time such as 2030-01-31T12:00:00Z, or a date"},
	})
}

func TestOtherRequestsCostNothing(t *testing.T) {
	x := plugintest.Build(t, Factory(), who+`path = "/adm"`)
	e := plugintest.New(t, "GET /other")
	if n := testing.AllocsPerRun(100, func() { x.Decider.Decide(e) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkOtherRequests is what a location with a panel costs requests that are not for it.
func BenchmarkOtherRequests(b *testing.B) {
	x := plugintest.Build(b, Factory(), who+`path = "/adm"`)
	e := plugintest.New(b, "GET /api/other?a=b")
	b.ReportAllocs()
	for b.Loop() {
		if x.Decider.Decide(e).Answer != nil {
			b.Fatal("it is for the panel")
		}
	}
}
