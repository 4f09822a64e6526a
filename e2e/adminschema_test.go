package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// described is what the tests need of openapi.json.
type described struct {
	Paths map[string]map[string]struct {
		Responses map[string]struct {
			Content map[string]struct {
				Schema jsonSchema `json:"schema"`
			} `json:"content"`
		} `json:"responses"`
	} `json:"paths"`
	Components struct {
		Schemas map[string]jsonSchema `json:"schemas"`
	} `json:"components"`
}

// jsonSchema is as much of JSON Schema as the description uses.
type jsonSchema struct {
	Ref        string                `json:"$ref"`
	Type       json.RawMessage       `json:"type"` // a text or a list
	Properties map[string]jsonSchema `json:"properties"`
	Required   []string              `json:"required"`
	More       json.RawMessage       `json:"additionalProperties"` // false or a schema
	Items      *jsonSchema           `json:"items"`
	Enum       []any                 `json:"enum"`
}

// wrong says what of a value is not as its schema says; nothing where all is.
func (d *described) wrong(s jsonSchema, v any, at string) []string {
	if s.Ref != "" {
		name := s.Ref[strings.LastIndex(s.Ref, "/")+1:]
		target, ok := d.Components.Schemas[name]
		if !ok {
			return []string{at + ": no schema " + name}
		}
		return d.wrong(target, v, at)
	}
	if !typeFits(s.Type, v) {
		return []string{fmt.Sprintf("%s: %T is not %s", at, v, s.Type)}
	}
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, v) {
		return []string{fmt.Sprintf("%s: %v is not in %v", at, v, s.Enum)}
	}
	var all []string
	switch v := v.(type) {
	case []any:
		for n, item := range v {
			if s.Items != nil {
				all = append(all, d.wrong(*s.Items, item, fmt.Sprintf("%s[%d]", at, n))...)
			}
		}
	case map[string]any:
		all = d.wrongObject(s, v, at)
	}
	return all
}

func (d *described) wrongObject(s jsonSchema, v map[string]any, at string) []string {
	var all []string
	for _, key := range s.Required {
		if _, ok := v[key]; !ok {
			all = append(all, at+": no "+key)
		}
	}
	for key, item := range v {
		known, ok := s.Properties[key]
		switch {
		case ok:
			all = append(all, d.wrong(known, item, at+"."+key)...)
		case string(s.More) == "false":
			all = append(all, at+": "+key+" is not described")
		case len(s.More) > 2:
			var more jsonSchema
			if err := json.Unmarshal(s.More, &more); err != nil {
				return []string{err.Error()}
			}
			all = append(all, d.wrong(more, item, at+"."+key)...)
		}
	}
	return all
}

func typeFits(want json.RawMessage, v any) bool {
	if len(want) == 0 {
		return true
	}
	var types []string
	if json.Unmarshal(want, &types) != nil {
		types = []string{strings.Trim(string(want), `"`)}
	}
	kind := "null"
	switch v := v.(type) {
	case string:
		kind = "string"
	case bool:
		kind = "boolean"
	case []any:
		kind = "array"
	case map[string]any:
		kind = "object"
	case float64:
		if kind = "number"; v == math.Trunc(v) && slices.Contains(types, "integer") {
			kind = "integer"
		}
	}
	return slices.Contains(types, kind)
}

func TestAnswersAreAsTheDescriptionSays(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	i := start(t, proxyConf(addr, newBackend(t, "app").addr)+"\n[plugins.p]\ncategory = \"ping\"\npath = \"/ping\"\n")
	i.hand(i.conf)
	a := i.admin()
	d := answered[described](a, 200, "GET", "/openapi.json", "")
	mustGet(t, addr, "/", 200)
	seen := map[string]bool{}
	for _, c := range []struct {
		method, pattern, path, body string
		status                      int
	}{
		{"GET", "/session", "/session?optional", "", 200}, {"GET", "/schema", "", "", 200}, {"GET", "/objects", "", "", 200}, {"GET", "/objects", "/objects?brief", "", 200}, {"GET", "/objects/{category}/{name}", "/objects/upstream/app", "", 200},
		{"GET", "/objects/{category}/{name}", "/objects/upstream/none", "", 404}, {"GET", "/objects/{category}/{name}", "/objects/basic/basic", "", 404},
		{"POST", "/changes", "/changes?dry_run", `{"set":{"upstream":{"app":{"addrs":["127.0.0.1:1"]}}}}`, 200},
		{"POST", "/changes", "", `{"set":{"upstream":{"u":{"addrs":["127.0.0.1:1"],"remark":"r"}}},"remark":"why"}`, 200},
		{"POST", "/changes", "", `{"set":{"upstream":{"app":{"addrs":["x:y"]}}}}`, 422}, {"POST", "/changes", "", `{"set":{"upstream":{"app":null}}}`, 409},
		{"POST", "/changes", "", `x`, 400}, {"GET", "/versions", "", "", 200}, {"GET", "/versions/{number}", "/versions/1", "", 200},
		{"GET", "/versions/{number}", "/versions/x", "", 400}, {"GET", "/versions/{number}/diff", "/versions/1/diff", "", 200},
		{"POST", "/versions/{number}/rollback", "/versions/1/rollback?dry_run", "", 200}, {"POST", "/versions/{number}/rollback", "/versions/1/rollback", `{"remark":"x"}`, 200},
		{"GET", "/status", "", "", 200}, {"GET", "/ledger", "", "", 200}, {"GET", "/inventory", "", "", 200}, {"GET", "/upstreams", "", "", 200},
		{"GET", "/upstreams", "/upstreams?name=none", "", 404},
		{"POST", "/upstreams/{name}/backends/{address}/{verb}", "", "", 200}, {"POST", "/workers/roll", "/workers/roll?wait", "", 200},
		{"GET", "/configs", "", "", 200}, {"GET", "/configs/full", "", "", 200}, {"GET", "/configs/{category}", "/configs/upstreams", "", 200},
		{"POST", "/configs/{category}/{name}", "/configs/upstream/more", `{"addrs":["127.0.0.1:1"],"sni":null}`, 204},
		{"DELETE", "/configs/{category}/{name}", "/configs/upstream/more?dry_run", "", 200}, {"DELETE", "/configs/{category}/{name}", "/configs/upstream/more", "", 204},
		{"POST", "/configs/import", "", proxyConf(addr, "127.0.0.1:1"), 204}, {"GET", "/config-history/{category}/{name}", "/config-history/upstream/app", "", 200},
		{"GET", "/certificates", "", "", 200}, {"GET", "/basic", "", "", 200}, {"POST", "/restart", "", "", 204},
		{"POST", "/aes", "", `{"category":"encrypt","key":"k","data":"text"}`, 200}, {"POST", "/aes", "", `{"category":"decrypt","key":"k","data":"AA=="}`, 400},
		{"GET", "/live", "", "", 200}, {"GET", "/live/history", "", "", 200}, {"GET", "/routes/{server}", "/routes/web", "", 200},
		{"POST", "/explain", "", fmt.Sprintf(`{"method":"GET","url":"http://%s/"}`, addr), 200}, {"PUT", "/status", "", "", 405}, {"GET", "/openapi.json", "", "", 200},
	} {
		path := c.path
		if path == "" {
			path = c.pattern
		}
		if strings.HasSuffix(path, "{verb}") {
			path = "/upstreams/app/backends/" + i.addressOf(a) + "/drain"
		}
		seen[strings.ToLower(c.method)+" "+c.pattern] = true
		d.holds(t, a, c.method, c.pattern, path, c.body, c.status)
	}
	for path, methods := range d.Paths {
		for method := range methods {
			streams := path == "/live/stream" || path == "/tail" || path == "/login" || path == "/logout" || path == "/session" || path == "/audit"
			if !streams && !seen[method+" "+path] {
				t.Errorf("nobody asks %s %s", method, path)
			}
		}
	}
}

// addressOf is the backend of the only upstream.
func (i *instance) addressOf(a *admin) string {
	type list struct {
		Upstreams []struct {
			Backends []struct{ Address string } `json:"backends"`
		} `json:"upstreams"`
	}
	return answered[list](a, http.StatusOK, "GET", "/upstreams?name=app", "").Upstreams[0].Backends[0].Address
}

// holds asks, and compares the answer with what is said of it.
func (d *described) holds(t *testing.T, a *admin, method, pattern, path, body string, status int) {
	t.Helper()
	r := a.ask(method, path, body)
	if r.status != status {
		t.Errorf("%s %s: %d, want %d: %s", method, path, r.status, status, tail(r.body, 500))
		return
	}
	operation, ok := d.Paths[pattern][strings.ToLower(method)]
	if !ok && status == http.StatusMethodNotAllowed {
		operation = d.Paths[pattern]["get"]
	}
	response, ok := operation.Responses[fmt.Sprint(status)]
	if !ok {
		t.Errorf("%s %s: the status %d is not described", method, pattern, status)
		return
	}
	content, ok := response.Content["application/json"]
	if !ok {
		if r.body != "" {
			t.Errorf("%s %s: a body that is not described: %s", method, path, tail(r.body, 300))
		}
		return
	}
	var value any
	if err := json.Unmarshal([]byte(r.body), &value); err != nil {
		t.Errorf("%s %s: %v", method, path, err)
		return
	}
	schema := content.Schema
	if strings.Contains(path, "dry_run") && status == http.StatusOK {
		schema = jsonSchema{Ref: "#/components/schemas/Preview"}
	}
	for _, text := range d.wrong(schema, value, "answer") {
		t.Errorf("%s %s: %s", method, path, text)
	}
}
