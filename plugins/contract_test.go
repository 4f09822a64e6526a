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

// told counts its ends, and panics when it is told to.
type told struct {
	n        int
	complete bool
	panics   bool
}

func (e *told) End(complete bool) {
	e.n++
	e.complete = complete
	if e.panics {
		panic("a bug")
	}
}

func TestAnExchangeTellsEachEnderOnceEvenAfterAPanic(t *testing.T) {
	var e Exchange
	first, second, rude, state := &told{}, &told{}, &told{panics: true}, &told{}
	e.AtEnd(first)
	e.AtEnd(rude)
	e.AtEnd(second)
	e.State = state
	for range 5 {
		func() {
			defer func() { _ = recover() }()
			e.End(true)
		}()
	}
	for _, x := range []*told{first, second, rude, state} {
		if x.n != 1 || !x.complete {
			t.Errorf("told %d times", x.n)
		}
	}
	if e.HasEnd() {
		t.Error("somebody still waits")
	}
	e.AtEnd(first)
	e.State = "no ender"
	if !e.HasEnd() {
		t.Error("nobody waits")
	}
	e.Reset()
	if e.HasEnd() || e.State != nil {
		t.Error("not forgotten")
	}
}

func TestAnInstanceInShadowModeGetsNoBodiesAndStoresNothing(t *testing.T) {
	all := struct {
		BodyFilterer
		Storer
	}{}
	c := NewChain([]*Instance{{Shadow: true, BodyFilterer: all, Storer: all}, {Shadow: true, Step: UpstreamResponse, BodyFilterer: all}})
	if c.Storer != nil || c.Body != nil || c.UpstreamBody != nil {
		t.Errorf("%+v", c)
	}
}

func TestWhatAnInstanceWouldHaveDoneIsSaidOnceASecond(t *testing.T) {
	var w Watched
	for _, c := range []struct {
		at    int64
		count uint64
		say   bool
	}{{0, 1, true}, {1, 0, false}, {sayEvery - 1, 0, false}, {sayEvery + 1, 3, true}, {3 * sayEvery, 1, true}} {
		if count, say := w.Would(c.at); count != c.count || say != c.say {
			t.Errorf("at %d: %d %t", c.at, count, say)
		}
	}
	if w.Answered.Load() != 5 {
		t.Errorf("%d in all", w.Answered.Load())
	}
}
