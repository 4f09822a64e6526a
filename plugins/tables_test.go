package plugins

import (
	"reflect"
	"strings"
	"testing"

	"pingap/config"
)

// shelf is a plugin whose parameters are tables and secrets.
type shelf struct{ params *Parameters }

func (shelf) Response(*Exchange) {}

func shelfFactory() Factory {
	return Factory{
		Category: "shelf", Summary: "For tests.",
		Params: []Param{
			{Name: "rules", Type: Tables, Required: true, Help: "h", Table: []Param{
				{Name: "name", Type: String, Required: true, Help: "Say it."},
				{Name: "max", Type: Int, Min: 1, Max: 9, Default: int64(4), Help: "h"},
				{Name: "code", Type: String, Secret: true, Help: "h"},
			}},
			{Name: "keys", Type: Strings, Secret: true, Help: "h"},
		},
		New: func(p *Parameters) (Plugin, error) {
			if p.Tables("rules")[0].String("name") == "bad" {
				return nil, TableErrorf("rules", 0, "name", "expected %s", "good")
			}
			return shelf{p}, nil
		},
	}
}

func shelfRegistry() *Registry {
	return NewRegistry([]Factory{shelfFactory()}, func(name string) (string, bool) { return "value of " + name, name == "SET" })
}

func TestTablesAreReadAsTheWholeIs(t *testing.T) {
	first, second := map[string]any{"name": "a", "max": int64(2)}, map[string]any{"name": "b", "code": "$ENV:SET"}
	for name, list := range map[string]any{"of TOML": []map[string]any{first, second}, "of a snapshot": []any{first, second}} {
		t.Run(name, func(t *testing.T) {
			i, err := shelfRegistry().Build(&config.Plugin{Category: "shelf", Params: map[string]any{"rules": list, "keys": []any{"x", "$ENV:SET"}}})
			if err != nil {
				t.Fatal(err)
			}
			p := i.Responder.(shelf).params
			rules := p.Tables("rules")
			if len(rules) != 2 || rules[0].String("name") != "a" || rules[0].Int("max") != 2 || rules[0].Has("code") ||
				rules[1].Int("max") != 4 || rules[1].String("code") != "value of SET" {
				t.Errorf("%+v, %+v", rules[0], rules[1])
			}
			if got := p.Strings("keys"); !reflect.DeepEqual(got, []string{"x", "value of SET"}) {
				t.Errorf("keys %q", got)
			}
		})
	}
	if first["code"] != nil || second["code"] != "$ENV:SET" {
		t.Error("the configuration was changed")
	}
}

func TestEveryMistakeOfATableHasItsPath(t *testing.T) {
	table := func(pairs ...any) map[string]any {
		m := map[string]any{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i].(string)] = pairs[i+1]
		}
		return m
	}
	for name, c := range map[string]struct {
		rules any
		want  string
	}{
		"absent":         {nil, "rules: is required: h"},
		"none":           {[]any{}, "rules: expected at least one table"},
		"another type":   {"x", "rules: expected an array of tables, found text"},
		"another entry":  {[]any{table("name", "a"), int64(1)}, "rules: entry 2: expected a table, found an integer"},
		"wrong key":      {[]any{table("name", "a"), table("nam", "a", "max", int64(10))}, `rules[1].nam: rules has no such key, did you mean "name"?; rules[1].name: is required: Say it.; rules[1].max: expected 1 to 9, found 10`},
		"no variable":    {[]any{table("name", "a", "code", "$ENV:UNSET")}, "rules[0].code: the environment has no value for UNSET"},
		"refused by New": {[]any{table("name", "bad")}, "rules[0].name: expected good"},
		"too many":       {make([]map[string]any, maxTables+1), "rules: expected at most 10000 tables, found 10001"},
	} {
		params := map[string]any{"rules": c.rules}
		if c.rules == nil {
			delete(params, "rules")
		}
		var got []string
		for _, p := range shelfRegistry().Check("shelf", "", params) {
			got = append(got, p.Key+": "+p.Message)
		}
		if strings.Join(got, "; ") != c.want {
			t.Errorf("%s: got %q\nwant %q", name, got, c.want)
		}
	}
}

func TestReferenceShowsTheKeysOfTables(t *testing.T) {
	text := Reference([]Factory{shelfFactory()})
	for _, want := range []string{"| `rules` | array of tables | required | h |\n| `rules[].name` | text | required | Say it. |\n", "| `rules[].code` | text |  | h Secret:"} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q in\n%s", want, text)
		}
	}
}

func TestWrongTablesInADeclarationAreFound(t *testing.T) {
	for want, p := range map[string]Param{
		`parameter "a" needs the type Tables and a Table, or none of them`: {Name: "a", Help: "h", Type: Tables},
		`parameter "a": parameter "b" is taken`:                            {Name: "a", Help: "h", Type: Tables, Table: []Param{{Name: "b", Help: "h"}, {Name: "b", Help: "h"}}},
	} {
		f := Factory{Category: "c", Summary: "s", New: func(*Parameters) (Plugin, error) { return shelf{}, nil }, Params: []Param{p}}
		if got := f.defect(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
