package plugintest

import (
	"maps"
	"testing"

	"github.com/BurntSushi/toml"

	"pingap/config"
	"pingap/plugins"
)

// Build makes an instance from the keys of a [plugins.x] table, with or without category, and closes it when the
// test ends. A variable of the environment "NAME" has the value "env NAME".
func Build(t testing.TB, factory plugins.Factory, table string) *plugins.Instance {
	t.Helper()
	return build(t, registry(factory), parse(t, factory, table))
}

// BuildWith is Build with these variables of the environment only.
func BuildWith(t testing.TB, factory plugins.Factory, table string, env map[string]string) *plugins.Instance {
	t.Helper()
	r := plugins.NewRegistry([]plugins.Factory{factory}, func(name string) (string, bool) {
		v, set := env[name]
		return v, set
	})
	return build(t, r, parse(t, factory, table))
}

// Serve is Build as in a worker, with these services.
func Serve(t testing.TB, factory plugins.Factory, table string, services *plugins.Services) *plugins.Instance {
	t.Helper()
	return build(t, registry(factory).WithServices(services), parse(t, factory, table))
}

func build(t testing.TB, r *plugins.Registry, cfg *config.Plugin) *plugins.Instance {
	t.Helper()
	instance, err := r.Build(cfg)
	if err != nil {
		t.Fatalf("%v\n%v", cfg.Params, err)
	}
	t.Cleanup(func() {
		if err := instance.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return instance
}

// Check returns what is wrong with the keys of a [plugins.x] table.
func Check(t testing.TB, factory plugins.Factory, table string) []plugins.Problem {
	t.Helper()
	cfg := parse(t, factory, table)
	return registry(factory).Check(cfg.Category, cfg.Step, cfg.Params)
}

// Refused checks that each table gives one problem, with the key and message wanted.
func Refused(t *testing.T, factory plugins.Factory, cases []RefusedCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.Table, func(t *testing.T) {
			got := Check(t, factory, c.Table)
			if len(got) != 1 || got[0].Key != c.Key || got[0].Message != c.Message || got[0].Warning {
				t.Errorf("got %+v, want key %q, message %q", got, c.Key, c.Message)
			}
		})
	}
}

// RefusedCase is a table and the problem it must give.
type RefusedCase struct{ Table, Key, Message string }

func registry(factory plugins.Factory) *plugins.Registry {
	return plugins.NewRegistry([]plugins.Factory{factory}, func(name string) (string, bool) {
		return "env " + name, true
	})
}

func parse(t testing.TB, factory plugins.Factory, table string) *config.Plugin {
	t.Helper()
	params := map[string]any{}
	if _, err := toml.Decode(table, &params); err != nil {
		t.Fatalf("%s\n%v", table, err)
	}
	step, _ := params["step"].(string)
	maps.DeleteFunc(params, func(key string, _ any) bool {
		return key == "category" || key == "step" || key == "remark"
	})
	return &config.Plugin{Name: "x", Category: factory.Category, Step: step, Params: params}
}
