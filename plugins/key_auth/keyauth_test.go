package keyauth

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pingap/plugins/plugintest"
)

const (
	byHeader = `header = "X-Api-Key"
keys = ["first", "second key"]`
	byQuery = `query = "key"
keys = ["first", "a%20b"]`
)

func TestOnlyListedKeysPass(t *testing.T) {
	const missing, wrong = "Key missing", "Key auth fail"
	cases := []struct{ name, table, request, body string }{ // no body: passes
		{"field", byHeader, "GET /\nX-Api-Key: first", ""},
		{"field in another case", byHeader, "GET /\nx-api-key: second key", ""},
		{"no field", byHeader, "GET /?X-Api-Key=first", missing},
		{"empty field", byHeader, "GET /\nX-Api-Key:", missing},
		{"another key", byHeader, "GET /\nX-Api-Key: First", wrong},
		{"begin of a key", byHeader, "GET /\nX-Api-Key: firs", wrong},
		{"two fields", byHeader, "GET /\nX-Api-Key: first\nX-Api-Key: evil", wrong},
		{"two fields, second right", byHeader, "GET /\nX-Api-Key: evil\nX-Api-Key: first", wrong},
		{"well-known field", "header = \"Authorization\"\nkeys = [\"Key x\"]", "GET /\nAuthorization: Key x", ""},
		{"query", byQuery, "GET /a?b=c&key=first&d", ""},
		{"query is compared as written", byQuery, "GET /?key=a%20b", ""},
		{"nothing is decoded", byQuery, "GET /?key=%66irst", wrong},
		{"name is compared as written", byQuery, "GET /?Key=first", missing},
		{"no query", byQuery, "GET /", missing},
		{"no value", byQuery, "GET /?key", missing},
		{"empty value", byQuery, "GET /?key=", missing},
		{"two pairs", byQuery, "GET /?key=first&key=evil", wrong},
		{"query wins over header", byQuery + "\nheader = \"X-Api-Key\"", "GET /\nX-Api-Key: first", missing},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			x := plugintest.Build(t, Factory(), c.table)
			d := x.Decider.Decide(plugintest.New(t, c.request))
			switch {
			case c.body == "" && d.Answer != nil:
				t.Errorf("refused: %s", d.Answer.Body)
			case c.body != "" && d.Answer == nil:
				t.Error("passed")
			case c.body != "" && (d.Answer.Status != 401 || string(d.Answer.Body) != c.body):
				t.Errorf("answer %d %q, want %q", d.Answer.Status, d.Answer.Body, c.body)
			}
		})
	}
}

func TestHidesTheKeyFromTheUpstream(t *testing.T) {
	for _, c := range []struct{ table, request, target, fields string }{
		{byHeader, "GET /a?key=first\nx-api-key: first\nAccept: */*", "/a?key=first", "Accept: */*\n"},
		{byQuery, "GET /a%2fb?key=first", "/a%2fb", ""},
		{byQuery, "GET /a?key=first&b=1", "/a?b=1", ""},
		{byQuery, "GET /a?b=1&key=first", "/a?b=1", ""},
		{byQuery, "GET /a?b&&key=first&&c=%26&key", "/a?b&&&c=%26", ""},
		{byQuery, "GET /a?keys=1&key=first", "/a?keys=1", ""},
	} {
		x := plugintest.Build(t, Factory(), c.table+"\nhide_credentials = true")
		e := plugintest.New(t, c.request)
		if d := x.Decider.Decide(e); d.Answer != nil {
			t.Errorf("%s: refused", c.request)
		}
		if got := plugintest.FieldText(e.Request.Fields.List()); string(e.Request.Target) != c.target || got != c.fields {
			t.Errorf("%s: upstream gets %s with %q, want %s with %q", c.request, e.Request.Target, got, c.target, c.fields)
		}
	}
}

func TestDelaysWrongKeysOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := plugintest.Build(t, Factory(), byHeader+"\ndelay = \"3s\"")
		for request, want := range map[string]time.Duration{"GET /\nX-Api-Key: x": 3 * time.Second, "GET /\nX-Api-Key: first": 0, "GET /": 0} {
			start := time.Now()
			x.Decider.Decide(plugintest.New(t, request))
			if waited := time.Since(start); waited != want {
				t.Errorf("%q waited %s", request, waited)
			}
		}
	})
}

func TestRefusesWrongParameters(t *testing.T) {
	const query, header = "query = \"key\"\n", "header = \"X-Api-Key\"\n"
	plugintest.Refused(t, Factory(), []plugintest.RefusedCase{
		{Table: `keys = ["a"]`, Key: "header", Message: "auth key is not allowed empty: give header or query"},
		{Table: header, Key: "keys", Message: "is required: Which keys may pass, as clients send them: nothing is decoded."},
		{Table: header + `keys = []`, Key: "keys", Message: "expected at least one entry"},
		{Table: header + `keys = ["a", ""]`, Key: "keys", Message: "entry 2: the key is empty"},
		{Table: header + `keys = [" a"]`, Key: "keys", Message: "entry 1: the key has a character that a field may not have"},
		{Table: query + `keys = ["a&b"]`, Key: "keys", Message: "entry 1: the key has a character that a query may not have: write it as clients send it"},
		{Table: `header = "a b"` + "\n" + `keys = ["a"]`, Key: "header", Message: `"a b" is not the name of a field`},
		{Table: `header = "Host"` + "\n" + `keys = ["a"]`, Key: "header", Message: "Host is written by the proxy and cannot be changed"},
		{Table: `query = "a=b"` + "\n" + `keys = ["a"]`, Key: "query", Message: "expected a name as it stands in a query, without & and ="},
		{Table: header + "keys = [\"a\"]\ndelay = \"11s\"", Key: "delay", Message: "expected at most 10s, found 11s"},
		{Table: header + "keys = [\"a\"]\nstep = \"proxy_upstream\"", Key: "step", Message: `key_auth has no step "proxy_upstream", expected request`},
	})
}

func TestKeepsAndPrintsNoKey(t *testing.T) {
	for _, problem := range plugintest.Check(t, Factory(), "query = \"q\"\nkeys = [\"hunter 2\"]") {
		if strings.Contains(problem.Message, "hunter") {
			t.Errorf("message %q", problem.Message)
		}
	}
	x := plugintest.Build(t, Factory(), byHeader)
	if text := fmt.Sprintf("%#v", x.Decider); strings.Contains(text, "first") || strings.Contains(text, "second") {
		t.Error("the instance holds a key")
	}
}

func TestDecideDoesNotAllocate(t *testing.T) {
	for table, requests := range map[string][]string{
		byHeader: {"GET /\nX-Api-Key: first", "GET /\nX-Api-Key: x", "GET /"},
		byQuery:  {"GET /?a=b&key=first", "GET /?key=x", "GET /"},
	} {
		x := plugintest.Build(t, Factory(), table)
		for _, request := range requests {
			e := plugintest.New(t, request)
			if n := testing.AllocsPerRun(100, func() { x.Decider.Decide(e) }); n != 0 {
				t.Errorf("%q: %v allocations", request, n)
			}
		}
	}
}
