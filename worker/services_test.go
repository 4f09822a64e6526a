package worker

import (
	"sync"
	"testing"

	"pingap/plugins"
)

func TestAllInstancesOfAProcessAreLentTheSameServices(t *testing.T) {
	var mu sync.Mutex
	var lent []*plugins.Services
	b := hire(t, config1("127.0.0.1:1"), func(o *Options) {
		build := o.Plugins[0].New
		o.Plugins[0].New = func(p *plugins.Parameters) (plugins.Plugin, error) {
			mu.Lock()
			lent = append(lent, p.Services())
			mu.Unlock()
			return build(p)
		}
	})
	b.apply(b.load(config1("127.0.0.1:2"))) // the table of the plugin is the same: the instance is taken over
	b.apply(b.load(config2("127.0.0.1:2")))
	mu.Lock()
	defer mu.Unlock()
	if len(lent) != 2 || lent[0] == nil || lent[0] != lent[1] {
		t.Fatalf("lent %v", lent)
	}
	if s := lent[0]; s.Log == nil || s.Arena == nil {
		t.Errorf("%+v", s)
	}
}
