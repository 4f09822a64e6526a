package plugins

import (
	"testing"

	"pingap/config"
)

// restrictionFactory makes plugins that list requests of one path.
func restrictionFactory() Factory {
	return Factory{
		Category: "gate", Summary: "For tests.", Steps: []Step{Request}, Params: RestrictionParams("paths"),
		New: func(p *Parameters) (Plugin, error) {
			r, err := NewRestriction(p, "gate")
			return gate{r}, err
		},
	}
}

type gate struct{ *Restriction }

func (g gate) Decide(e *Exchange) Decision {
	return g.Restriction.Decide(string(e.Request.Path) == "/listed")
}

func TestARestrictionPassesOrRefusesByItsType(t *testing.T) {
	r := NewRegistry([]Factory{restrictionFactory()}, nil)
	for kind, refused := range map[string]string{"": "/other", "allow": "/other", "ALLOW": "/other", "deny": "/listed", "Deny": "/listed"} {
		x, err := r.Build(&config.Plugin{Name: "x", Category: "gate", Params: map[string]any{"type": kind, "message": "no"}})
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/listed", "/other"} {
			var e Exchange
			e.Request.SetTarget([]byte(path))
			d := x.Decider.Decide(&e)
			if (d.Answer != nil) != (path == refused) {
				t.Errorf("%q, %s: %+v", kind, path, d)
			}
			if d.Answer != nil && (d.Answer.Status != 403 || string(d.Answer.Body) != "no" || d.Reason != "gate") {
				t.Errorf("%+v", d)
			}
		}
	}
	for _, kind := range []string{"reporting", "allow deny", " deny"} {
		if got := r.Check("gate", "", map[string]any{"type": kind}); len(got) != 1 || got[0].Key != "type" {
			t.Errorf("%q: %+v", kind, got)
		}
	}
}

func TestUpstreamsThatParametersNameAreTold(t *testing.T) {
	f := restrictionFactory()
	f.Params = append(f.Params, Param{Name: "to", Type: String, Upstream: true, Help: "h"})
	r := NewRegistry([]Factory{f}, nil)
	if got := r.Upstreams("gate", map[string]any{"to": "a", "message": "b"}); len(got) != 1 || got[0] != (config.Reference{Key: "to", Name: "a"}) {
		t.Errorf("%+v", got)
	}
	for _, params := range []map[string]any{nil, {"to": int64(1)}} {
		if got := r.Upstreams("gate", params); len(got) != 0 {
			t.Errorf("%+v", got)
		}
	}
	if got := r.Upstreams("other", map[string]any{"to": "a"}); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestBuiltinsAreWhatTheyAreSaidToBe(t *testing.T) {
	want := map[string]map[string]any{
		"pingap:ping":                     {"path": "/ping"},
		"pingap:stats":                    {"path": "/stats"},
		"pingap:acceptEncodingAdjustment": {"encodings": "zstd, br, gzip", "only_one_encoding": true},
		"pingap:compression":              {"gzip_level": int64(6), "br_level": int64(6), "zstd_level": int64(6), "mode": ""},
		"pingap:compressionUpstream":      {"gzip_level": int64(6), "br_level": int64(6), "zstd_level": int64(6), "mode": "upstream"},
	}
	for _, b := range builtins() {
		for key, value := range want[b.Name] {
			if b.Params[key] != value {
				t.Errorf("%s: %s is %v", b.Name, key, b.Params[key])
			}
		}
		delete(want, b.Name)
	}
	if len(want) > 0 {
		t.Errorf("lacks %v", want)
	}
}
