package plugins

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"pingap/config"
)

// probe is a plugin that has every request and response step and shows the parameters it got.
type probe struct {
	params *Parameters
	closed *int
}

func (*probe) Decide(*Exchange) Decision   { return Continue }
func (*probe) UpstreamResponse(*Exchange)  {}
func (*probe) Response(*Exchange)          {}
func (*probe) BodyFilter(*Exchange) Filter { return nil }
func (p *probe) Close() error              { *p.closed++; return nil }

// tail is a plugin that acts at response only.
type tail struct{}

func (tail) Response(*Exchange) {}

func probeFactory(closed *int) Factory {
	return Factory{
		Category: "probe", Summary: "For tests.", Steps: []Step{Request, EarlyRequest},
		Params: []Param{
			{Name: "text", Type: String, Default: "dear", Help: "h"},
			{Name: "choice", Type: String, Enum: []string{"a", "b"}, Help: "h"},
			{Name: "count", Type: Int, Min: 2, Max: 9, Default: int64(3), Help: "h"},
			{Name: "any_count", Type: Int, Help: "h"},
			{Name: "ratio", Type: Float, Default: 0.5, Help: "h"},
			{Name: "flag", Type: Bool, Default: true, Help: "h"},
			{Name: "list", Type: Strings, Default: []any{"x", "y"}, Help: "h"},
			{Name: "wait", Type: Duration, Default: "1m 30s", Help: "h"},
			{Name: "room", Type: Size, Default: "1kib", Help: "h"},
			{Name: "expr", Type: Regex, Default: "^a", Help: "h"},
			{Name: "key", Type: Regex, Secret: true, Help: "h"},
			{Name: "must", Type: String, Required: true, Help: "Say it."},
			{Name: "fail", Type: String, Help: "h"},
			{Name: "path", Type: String, Help: "h"},
		},
		New: func(p *Parameters) (Plugin, error) {
			switch p.String("fail") {
			case "one":
				return nil, Errorf("fail", "expected %s", "success")
			case "many":
				return nil, errors.Join(Errorf("fail", "a"), EntryErrorf("list", 1, "b"), io.EOF)
			}
			return &probe{params: p, closed: closed}, nil
		},
	}
}

func tailFactory() Factory {
	return Factory{Category: "tail", Summary: "For tests.", New: func(*Parameters) (Plugin, error) { return tail{}, nil }}
}

func testRegistry(closed *int) *Registry {
	ping := Factory{Category: "ping", Summary: "For tests.", Steps: []Step{Request}, Params: []Param{{Name: "path", Help: "h"}},
		New: func(*Parameters) (Plugin, error) { return &probe{closed: closed}, nil }}
	return NewRegistry([]Factory{probeFactory(closed), tailFactory(), ping}, func(name string) (string, bool) {
		return "value of " + name, name == "SET"
	})
}

func TestParametersHaveTypeAndDefault(t *testing.T) {
	type values struct {
		Text, Choice string
		Count        int64
		Ratio        float64
		Flag         bool
		List         []string
		Wait         time.Duration
		Room         int64
		Expr         string
		HasText      bool
	}
	cases := []struct {
		name   string
		params map[string]any
		want   values
	}{
		{"absent", nil, values{"dear", "", 3, 0.5, true, []string{"x", "y"}, 90 * time.Second, 1024, "^a", false}},
		{"given", map[string]any{"text": "t", "choice": "b", "count": int64(9), "ratio": 2.5, "flag": false, "list": []any{"z"},
			"wait": "5ms", "room": int64(7), "expr": "b$"},
			values{"t", "b", 9, 2.5, false, []string{"z"}, 5 * time.Millisecond, 7, "b$", true}},
		{"empty texts are absent", map[string]any{"text": "", "choice": "", "wait": "", "room": "", "expr": ""},
			values{"dear", "", 3, 0.5, true, []string{"x", "y"}, 90 * time.Second, 1024, "^a", false}},
		{"integer as number, text as size, no entries", map[string]any{"ratio": int64(4), "room": "2kb", "list": []any{}},
			values{"dear", "", 3, 4, true, nil, 90 * time.Second, 2000, "^a", false}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			params := map[string]any{"must": "m"}
			for k, v := range c.params {
				params[k] = v
			}
			p := mustBuild(t, &config.Plugin{Category: "probe", Params: params}).Decider.(*probe).params
			got := values{p.String("text"), p.String("choice"), p.Int("count"), p.Float("ratio"), p.Bool("flag"), p.Strings("list"),
				p.Duration("wait"), p.Size("room"), p.Regex("expr").String(), p.Has("text")}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v\nwant %+v", got, c.want)
			}
			if p.Regex("key") != nil || p.Int("any_count") != 0 || p.Has("any_count") {
				t.Error("a parameter without value and default is not zero")
			}
		})
	}
}

func TestParametersFindTheEnvironment(t *testing.T) {
	p := mustBuild(t, &config.Plugin{Category: "probe", Params: map[string]any{"must": "m"}}).Decider.(*probe).params
	if v, ok := p.Env("SET"); !ok || v != "value of SET" {
		t.Errorf("got %q, %t", v, ok)
	}
	if _, ok := p.Env("UNSET"); ok {
		t.Error("found a variable that is not set")
	}
	if _, ok := (&Parameters{}).Env("SET"); ok {
		t.Error("found a variable without an environment")
	}
}

func TestPathIsInNormalForm(t *testing.T) {
	for text, want := range map[string]string{"": "", "/a": "/a", "//a/./%62": "/a/b", "/a/": "/a/", "a": "!", "/a?b": "!", "/a b": "!", "/é": "!", "*": "!"} {
		p := mustBuild(t, &config.Plugin{Category: "probe", Params: map[string]any{"must": "m", "path": text}}).Decider.(*probe).params
		got, err := p.Path("path")
		if want == "!" {
			var own *Error
			if !errors.As(err, &own) || own.Key != "path" {
				t.Errorf("%q: %q, %v", text, got, err)
			}
		} else if err != nil || got != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func TestAskingForAnUndeclaredParameterPanics(t *testing.T) {
	p := mustBuild(t, &config.Plugin{Category: "probe", Params: map[string]any{"must": "m"}}).Decider.(*probe).params
	for name, ask := range map[string]func(){
		"name": func() { p.String("txet") }, "type": func() { p.Int("text") }, "has": func() { p.Has("txet") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			ask()
		}()
	}
}

func TestCheckFindsAllProblemsAtOnce(t *testing.T) {
	cases := []struct {
		name, category, step string
		params               map[string]any
		want                 []Problem
	}{
		{"nothing", "probe", "", map[string]any{"must": "m"}, nil},
		{"every kind", "probe", "response", map[string]any{
			"text": int64(1), "choice": "c", "count": int64(1), "ratio": "1", "flag": "yes", "list": "x", "wait": "5",
			"room": int64(-1), "expr": "(", "key": "(secret", "txet": "x", "unheard_of": true,
		}, []Problem{
			{Key: "step", Message: `probe has no step "response", expected request or early_request`},
			{Key: "txet", Message: `probe has no such parameter, did you mean "text"?`},
			{Key: "unheard_of", Message: "probe has no such parameter"},
			{Key: "text", Message: "expected text, found an integer"},
			{Key: "choice", Message: `expected a or b, found "c"`},
			{Key: "count", Message: "expected 2 to 9, found 1"},
			{Key: "ratio", Message: "expected a number, found text"},
			{Key: "flag", Message: "expected true or false, found text"},
			{Key: "list", Message: "expected a list of texts, found text"},
			{Key: "wait", Message: "number 5 needs a unit such as ms, s, m, h or days"},
			{Key: "room", Message: "expected a number of bytes, not below 0"},
			{Key: "expr", Message: "error parsing regexp: missing closing ): `(`"},
			{Key: "key", Message: "expected a regular expression"},
			{Key: "must", Message: "is required: Say it."},
		}},
		{"found types", "probe", "", map[string]any{"must": "m", "text": map[string]any{}, "count": 1.5, "flag": time.Time{},
			"list": []any{"a", []any{}}, "wait": true, "room": 1.5},
			[]Problem{
				{Key: "text", Message: "expected text, found a table"},
				{Key: "count", Message: "expected an integer, found a number with a fraction"},
				{Key: "flag", Message: "expected true or false, found a date"},
				{Key: "list", Message: "entry 2: expected text, found a list"},
				{Key: "wait", Message: `expected a duration such as "10s" or "1m 30s", found true or false`},
				{Key: "room", Message: `expected a size such as "10mb" or a number of bytes, found a number with a fraction`},
			}},
		{"one of New", "probe", "", map[string]any{"must": "m", "fail": "one"}, []Problem{{Key: "fail", Message: "expected success"}}},
		{"several of New", "probe", "", map[string]any{"must": "m", "fail": "many"},
			[]Problem{{Key: "fail", Message: "a"}, {Key: "list", Message: "entry 2: b"}, {Message: "EOF"}}},
		{"New is asked beside a wrong key and step", "probe", "response", map[string]any{"must": "m", "fail": "one", "x": true},
			[]Problem{{Key: "step", Message: `probe has no step "response", expected request or early_request`},
				{Key: "x", Message: "probe has no such parameter"}, {Key: "fail", Message: "expected success"}}},
		{"category later", "jwt", "nonsense", nil,
			[]Problem{{Key: "category", Warning: true, Message: `"jwt" comes later: requests pass without this plugin`}}},
		{"no category", "", "", nil, []Problem{{Key: "category", Message: "is required: the kind of plugin"}}},
		{"unknown category", "basic_aut", "", nil,
			[]Problem{{Key: "category", Message: `there is no category "basic_aut", did you mean "basic_auth"?`}}},
		{"very unknown category", "firewall", "", nil, []Problem{{Key: "category", Message: `there is no category "firewall"`}}},
		{"step of a response plugin", "tail", "response", nil, nil},
		{"step it lacks", "tail", "upstream_response", nil,
			[]Problem{{Key: "step", Message: "with these parameters it does not act at upstream_response"}}},
		{"request step of a response plugin", "tail", "request", nil,
			[]Problem{{Key: "step", Message: `tail has no step "request", expected upstream_response or response`}}},
	}
	r := testRegistry(new(int))
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := r.Check(c.category, c.step, c.params); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestAllCategoriesAreKnown(t *testing.T) {
	if n := len(categories()); n != 26 {
		t.Errorf("%d categories", n)
	}
	r := NewRegistry(nil, nil)
	for _, category := range categories() {
		if p := r.Check(category, "", nil); len(p) != 1 || !p[0].Warning {
			t.Errorf("%s: %+v", category, p)
		}
	}
}

func TestCheckClosesWhatItBuilt(t *testing.T) {
	closed := 0
	r := testRegistry(&closed)
	r.Check("probe", "", map[string]any{"must": "m"})
	r.Check("probe", "", map[string]any{"must": "m", "unknown": true})
	if closed != 2 {
		t.Errorf("closed %d times", closed)
	}
}

func TestBuildTellsLaterFromWrong(t *testing.T) {
	r := testRegistry(new(int))
	if _, err := r.Build(&config.Plugin{Name: "a", Category: "jwt"}); !errors.Is(err, ErrLater) {
		t.Errorf("got %v", err)
	}
	_, err := r.Build(&config.Plugin{Name: "a", Category: "probe", Params: map[string]any{"count": int64(1)}})
	var own *Error
	if errors.Is(err, ErrLater) || !errors.As(err, &own) {
		t.Fatalf("got %v", err)
	}
	for _, part := range []string{"plugin a: ", "count: expected 2 to 9, found 1", "must: is required: Say it."} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q lacks %q", err, part)
		}
	}
}

func TestBuiltinsComeBeforeTables(t *testing.T) {
	r := testRegistry(new(int))
	cases := []struct {
		name         string
		known, built bool
		availability config.Availability
	}{
		{"pingap:ping", true, true, config.Available},
		{"pingap:requestId", true, false, config.Later},
		{"pingap:stats", true, false, config.Later},
		{"pingap:compression", true, false, config.Later},
		{"pingap:compressionUpstream", true, false, config.Later},
		{"pingap:acceptEncodingAdjustment", true, false, config.Later},
		{"pingap:admin", false, false, config.Unknown},
		{"pingap:other", false, false, config.Unknown},
		{"ping", false, false, config.Unknown},
	}
	for _, c := range cases {
		cfg, known, built := r.Builtin(c.name)
		if known != c.known || built != c.built || (cfg != nil) != c.known || r.KnownPlugin(c.name) != c.availability {
			t.Errorf("%s: %v %t %t", c.name, cfg, known, built)
		}
	}
	own, mine := &config.Plugin{Name: "pingap:ping", Category: "tail"}, &config.Plugin{Name: "mine", Category: "tail"}
	tables := map[string]*config.Plugin{own.Name: own, mine.Name: mine}
	if got := r.Find(tables, "pingap:ping"); got == own || got.Category != "ping" {
		t.Errorf("found %+v", got)
	}
	if got := r.Find(tables, "mine"); got != mine {
		t.Errorf("found %+v", got)
	}
	if got := r.Find(tables, "none"); got != nil {
		t.Errorf("found %+v", got)
	}
}

func TestEveryBuiltinHasAKnownCategoryAndRightParameters(t *testing.T) {
	r := testRegistry(new(int))
	for _, b := range builtins() {
		for _, p := range r.Check(b.Category, b.Step, b.Params) {
			if !p.Warning {
				t.Errorf("%s: %+v", b.Name, p)
			}
		}
	}
}

func TestConfigCheckerWarnsAboutTheNameOfABuiltin(t *testing.T) {
	check := testRegistry(new(int)).ConfigChecker()
	got := check("pingap:ping", "tail", "request", nil)
	if len(got) != 2 || !got[0].Warning || got[1].Warning || got[1].Key != "step" {
		t.Errorf("got %+v", got)
	}
	if got := check("tail", "tail", "", nil); len(got) != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestADefectInTheListPanics(t *testing.T) {
	ok := tailFactory()
	with := func(p Param) Factory {
		f := ok
		f.Params = []Param{p}
		return f
	}
	cases := map[string][]Factory{
		"twice": {ok, ok}, "empty": {{}}, "no help": {with(Param{Name: "a"})}, "taken": {with(Param{Name: "step", Help: "h"})},
		"default and required":    {with(Param{Name: "a", Help: "h", Required: true, Default: "x"})},
		"default of another type": {with(Param{Name: "a", Help: "h", Type: Int, Default: "x"})},
	}
	for name, list := range cases {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			NewRegistry(list, nil)
		}()
	}
}

func mustBuild(t *testing.T, cfg *config.Plugin) *Instance {
	t.Helper()
	i, err := testRegistry(new(int)).Build(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return i
}
