package plugins

import (
	"regexp"
	"strings"
	"testing"

	"pingap/config"
)

func TestChainHasWhatEachInstanceHas(t *testing.T) {
	if NewChain(nil) != nil {
		t.Error("a chain of nothing")
	}
	params := map[string]any{"must": "m"}
	request := mustBuild(t, &config.Plugin{Name: "request", Category: "probe", Params: params})
	early := mustBuild(t, &config.Plugin{Name: "early", Category: "probe", Step: "early_request", Params: params})
	last := mustBuild(t, &config.Plugin{Name: "last", Category: "tail"})
	c := NewChain([]*Instance{last, request, early})
	for step, got := range map[string][]*Instance{
		"early": c.Early, "request": c.Request, "": c.ProxyUpstream, "request early": c.UpstreamResponse,
		"last request early": c.Response, "request early ": c.Body,
	} {
		var names []string
		for _, i := range got {
			names = append(names, i.Name)
		}
		if strings.Join(names, " ") != strings.TrimSpace(step) {
			t.Errorf("got %v, want %q", names, step)
		}
	}
	if err := last.Close(); err != nil {
		t.Errorf("closing what owns nothing: %v", err)
	}
}

func TestReferenceShowsEveryDeclaration(t *testing.T) {
	text := Reference([]Factory{tailFactory(), probeFactory(new(int))})
	for _, want := range []string{
		"### probe\n\nFor tests. Step: `request` (default) or `early_request`.\n",
		"### tail\n\nFor tests. Step: fixed, acts on responses.\n",
		"| `count` | integer, 2 to 9 | `3` | h |\n", "| `text` | text | `\"dear\"` | h |\n", "| `choice` | text: `a`, `b` |  | h |\n",
		"| `must` | text | required | Say it. |\n", "| `key` | regular expression |  | h Secret: never printed; `$ENV:NAME` takes it from the environment. |\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q in\n%s", want, text)
		}
	}
	if strings.Index(text, "### probe") > strings.Index(text, "### tail") {
		t.Error("not in order")
	}
}

func TestStepNamesAreReadBack(t *testing.T) {
	for s := EarlyRequest; s <= Response; s++ {
		if got, ok := ParseStep(s.String()); !ok || got != s {
			t.Errorf("%s: %v", s, got)
		}
	}
	for _, text := range []string{"", "none", "Request", "request "} {
		if got, ok := ParseStep(text); ok {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestAnswersAreBuiltWithKnownNames(t *testing.T) {
	a := Text(418, "tea")
	if a.Status != 418 || string(a.Body) != "tea" || len(a.Fields) != 1 || !regexp.MustCompile(`^text/plain`).Match(a.Fields[0].Value) {
		t.Errorf("%+v", a)
	}
}
