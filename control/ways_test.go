package control

import (
	"encoding/json"
	"strings"
	"testing"

	"pingap/control/admin"
)

func TestEveryRouteIsDescribed(t *testing.T) {
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(admin.OpenAPI(), &doc); err != nil || !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Fatalf("%v, version %q", err, doc.OpenAPI)
	}
	served := map[string]bool{}
	// Those that say who asks are no part's: package admin adds them.
	for _, r := range []string{"post /login", "post /logout", "get /session", "get /audit"} {
		served[r] = true
	}
	for _, r := range (&process{}).routes() {
		method := strings.ToLower(r.Method)
		served[method+" "+r.Path] = true
		if doc.Paths[r.Path][method] == nil {
			t.Errorf("openapi.json does not describe %s %s", r.Method, r.Path)
		}
	}
	for path, methods := range doc.Paths {
		for method := range methods {
			if !served[method+" "+path] {
				t.Errorf("openapi.json describes %s %s, which nobody answers", method, path)
			}
		}
	}
}
