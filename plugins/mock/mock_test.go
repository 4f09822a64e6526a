package mock

import (
	"testing"
	"testing/synctest"
	"time"

	"pingap/plugins"
	"pingap/plugins/plugintest"
)

func TestAnswersAsConfigured(t *testing.T) {
	x := plugintest.Build(t, Factory(), `
		path = "/mock"
		status = 503
		headers = ["Content-Type: application/json", "Set-Cookie:a=1", "Set-Cookie: b=2", "X-Empty:"]
		data = '{"message":"later"}'
	`)
	d := x.Decider.Decide(plugintest.New(t, "GET /%6Dock?a=b"))
	if d.Answer == nil {
		t.Fatal("no answer")
	}
	if d.Answer.Status != 503 || string(d.Answer.Body) != `{"message":"later"}` {
		t.Errorf("answer %d %q", d.Answer.Status, d.Answer.Body)
	}
	want := "Content-Type: application/json\nSet-Cookie: a=1\nSet-Cookie: b=2\nX-Empty: \n"
	if got := plugintest.FieldText(d.Answer.Fields); got != want {
		t.Errorf("fields\n%swant\n%s", got, want)
	}
	if d := x.Decider.Decide(plugintest.New(t, "GET /mock/other")); d.Answer != nil {
		t.Error("answered another path")
	}
}

func TestWithoutPathAnswersEverything(t *testing.T) {
	x := plugintest.Build(t, Factory(), "status = 0")
	for _, request := range []string{"GET /", "POST /a/b?c", "OPTIONS *"} {
		d := x.Decider.Decide(plugintest.New(t, request))
		if d.Answer == nil || d.Answer.Status != 200 || len(d.Answer.Body) != 0 {
			t.Errorf("%s: %+v", request, d.Answer)
		}
	}
}

func TestWaitsForItsDelay(t *testing.T) {
	x := plugintest.Build(t, Factory(), "delay = \"1s 500ms\"\npath = \"/slow\"")
	e, other := plugintest.New(t, "GET /slow"), plugintest.New(t, "GET /fast")
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		x.Decider.Decide(other)
		if waited := time.Since(start); waited != 0 {
			t.Errorf("another path waited %s", waited)
		}
		x.Decider.Decide(e)
		if waited := time.Since(start); waited != 1500*time.Millisecond {
			t.Errorf("waited %s", waited)
		}
	})
}

func TestInShadowNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := plugintest.Build(t, Factory(), "mode = \"shadow\"\ndelay = \"1m\"")
		e := plugintest.New(t, "GET /")
		e.Shadow = true
		begin := time.Now()
		if d := x.Decider.Decide(e); d.Answer == nil || !x.Shadow {
			t.Errorf("%+v", d)
		}
		if waited := time.Since(begin); waited > 0 {
			t.Errorf("waited %s", waited)
		}
	})
}

func TestRunsAtTheStepChosen(t *testing.T) {
	for step, want := range map[string]plugins.Step{"": plugins.Request, "request": plugins.Request, "proxy_upstream": plugins.ProxyUpstream} {
		x := plugintest.Build(t, Factory(), `step = "`+step+`"`)
		if x.Step != want {
			t.Errorf("step %q: %s", step, x.Step)
		}
	}
}

func TestRefusesWrongParameters(t *testing.T) {
	plugintest.Refused(t, Factory(), []plugintest.RefusedCase{
		{Table: `step = "early_request"`, Key: "step", Message: `mock has no step "early_request", expected request or proxy_upstream`},
		{Table: `step = "Request"`, Key: "step", Message: `mock has no step "Request", expected request or proxy_upstream`},
		{Table: `status = 101`, Key: "status", Message: "expected 200 to 599, found 101"},
		{Table: `status = 999`, Key: "status", Message: "expected 0 to 599, found 999"},
		{Table: `status = "200"`, Key: "status", Message: "expected an integer, found text"},
		{Table: "status = 204\ndata = \"x\"", Key: "data", Message: "an answer with status 204 has no body"},
		{Table: `path = "mock"`, Key: "path", Message: `expected a path such as /status, without query and blanks, found "mock"`},
		{Table: `headers = ["a"]`, Key: "headers", Message: `entry 1: expected "name: value"`},
		{Table: `headers = ["a:b", "a b:c"]`, Key: "headers", Message: `entry 2: "a b" is not the name of a field`},
		{Table: `headers = ["a: b\r\nc: d"]`, Key: "headers", Message: "entry 1: the value of a has a character that a field may not have"},
		{Table: `headers = ["Content-Length: 3"]`, Key: "headers", Message: "entry 1: Content-Length is written by the proxy and cannot be changed"},
		{Table: `headers = ["transfer_encoding: chunked"]`, Key: "headers", Message: "entry 1: transfer_encoding is written by the proxy and cannot be changed"},
		{Table: `headers = "a: b"`, Key: "headers", Message: "expected a list of texts, found text"},
		{Table: `headers = ["a: b", 1]`, Key: "headers", Message: "entry 2: expected text, found an integer"},
		{Table: `delay = "2m"`, Key: "delay", Message: "expected at most 1m0s, found 2m0s"},
		{Table: `delay = 5`, Key: "delay", Message: `expected a duration such as "10s" or "1m 30s", found an integer`},
		{Table: `date = "x"`, Key: "date", Message: `mock has no such parameter, did you mean "data"?`},
	})
}

func TestDecideDoesNotAllocate(t *testing.T) {
	x := plugintest.Build(t, Factory(), "data = \"hello\"\nheaders = [\"a: b\"]")
	e := plugintest.New(t, "GET /")
	if n := testing.AllocsPerRun(100, func() { x.Decider.Decide(e) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
