package ping

import (
	"testing"

	"pingap/plugins/plugintest"
)

func TestAnswersItsPathOnly(t *testing.T) {
	x := plugintest.Build(t, Factory(), `path = "/ping"`)
	cases := []struct {
		request string
		answers bool
	}{
		{"GET /ping", true},
		{"GET /ping?from=monitor", true},
		{"HEAD /ping", true},
		{"POST /ping", true},
		{"GET //ping", true},
		{"GET /%70ing", true},
		{"GET /a/../ping", true},
		{"GET /ping/", false},
		{"GET /pingx", false},
		{"GET /Ping", false},
		{"GET /", false},
		{"OPTIONS *", false},
	}
	for _, c := range cases {
		t.Run(c.request, func(t *testing.T) {
			d := x.Decider.Decide(plugintest.New(t, c.request))
			if (d.Answer != nil) != c.answers {
				t.Fatalf("answer %v, want one: %t", d.Answer, c.answers)
			}
			if c.answers && (d.Answer.Status != 200 || string(d.Answer.Body) != "pong" || len(d.Answer.Fields) != 0) {
				t.Errorf("answer %+v", d.Answer)
			}
		})
	}
}

func TestPathMayBeWrittenInAnyForm(t *testing.T) {
	x := plugintest.Build(t, Factory(), `path = "//a/./%70ing"`)
	if x.Decider.Decide(plugintest.New(t, "GET /a/ping")).Answer == nil {
		t.Error("not answered")
	}
}

func TestRefusesWrongParameters(t *testing.T) {
	plugintest.Refused(t, Factory(), []plugintest.RefusedCase{
		{Table: ``, Key: "path", Message: "is required: Path that is answered; compared whole, without the query."},
		{Table: `path = ""`, Key: "path", Message: "is required: Path that is answered; compared whole, without the query."},
		{Table: `path = "ping"`, Key: "path", Message: `expected a path such as /status, without query and blanks, found "ping"`},
		{Table: `path = "/ping?a"`, Key: "path", Message: `expected a path such as /status, without query and blanks, found "/ping?a"`},
		{Table: `path = 1`, Key: "path", Message: "expected text, found an integer"},
		{Table: "path = \"/ping\"\nstep = \"response\"", Key: "step", Message: `ping has no step "response", expected request`},
		{Table: "path = \"/ping\"\nsize = 1", Key: "size", Message: "ping has no such parameter"},
	})
}

func TestDecideDoesNotAllocate(t *testing.T) {
	x := plugintest.Build(t, Factory(), `path = "/ping"`)
	for _, request := range []string{"GET /ping", "GET /other"} {
		e := plugintest.New(t, request)
		if n := testing.AllocsPerRun(100, func() { x.Decider.Decide(e) }); n != 0 {
			t.Errorf("%s: %v allocations", request, n)
		}
	}
}
