package uarestriction

import (
	"strings"
	"testing"

	"pingap/plugins"
	"pingap/plugins/plugintest"
)

const list = "ua_list = ['curl', '(?i)bot\\b', '^Go-http-client/1\\.1$']\n"

func TestRequestsPassByTheirUserAgent(t *testing.T) {
	cases := []struct {
		fields string
		listed bool
	}{
		{"User-Agent: curl/8.5.0", true},
		{"user-agent: my curl", true},
		{"User-Agent: CURL/8", false},
		{"User-Agent: Mozilla/5.0 (compatible; GoogleBot/2.1)", true},
		{"User-Agent: Mozilla/5.0 bottle", false},
		{"User-Agent: Go-http-client/1.1", true},
		{"User-Agent: Go-http-client/1.10", false},
		{"User-Agent: Go-http-client/2.0", false},
		{"User-Agent: firefox\nUser-Agent: curl", true},
		{"User-Agent:", false},
		{"", false},
		{"X-User-Agent: curl", false},
	}
	allow, deny := plugintest.Build(t, Factory(), list), plugintest.Build(t, Factory(), list+`type = "deny"`)
	for _, c := range cases {
		for x, passes := range map[*plugins.Instance]bool{allow: c.listed, deny: !c.listed} {
			d := x.Decider.Decide(plugintest.New(t, "GET /\n"+c.fields))
			if (d.Answer == nil) != passes {
				t.Errorf("%q: %+v", c.fields, d)
			}
			if d.Answer != nil && (d.Answer.Status != 403 || string(d.Answer.Body) != "Request is forbidden") {
				t.Errorf("%q: %+v", c.fields, d.Answer)
			}
		}
	}
}

func TestAnEmptyListFindsNobody(t *testing.T) {
	for table, passes := range map[string]bool{"": false, `type = "deny"`: true} {
		d := plugintest.Build(t, Factory(), table).Decider.Decide(plugintest.New(t, "GET /\nUser-Agent: a"))
		if (d.Answer == nil) != passes {
			t.Errorf("%q: %+v", table, d)
		}
	}
}

func TestRefusesWrongParameters(t *testing.T) {
	plugintest.Refused(t, Factory(), []plugintest.RefusedCase{
		{Table: `ua_list = ["a", "("]`, Key: "ua_list", Message: "entry 2: error parsing regexp: missing closing ): `(`"},
		{Table: `ua_list = ["a", ""]`, Key: "ua_list", Message: "entry 2: expected a regular expression, found nothing; . finds every User-Agent"},
		{Table: `ua_list = [1]`, Key: "ua_list", Message: "entry 1: expected text, found an integer"},
		{Table: `type = ["deny"]`, Key: "type", Message: "expected text, found a list"},
		{Table: `type = "no"`, Key: "type", Message: `expected allow or deny, found "no"`},
	})
}

func TestDecidingDoesNotAllocate(t *testing.T) {
	x := plugintest.Build(t, Factory(), list+`type = "deny"`)
	e := plugintest.New(t, "GET /\nUser-Agent: "+strings.Repeat("Mozilla/5.0 ", 20))
	for range 50 {
		if testing.AllocsPerRun(1, func() { x.Decider.Decide(e) }) == 0 {
			return // under the race detector the pools of regexp forget something now and then
		}
	}
	t.Error("allocates each time")
}
