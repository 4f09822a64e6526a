package admin

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"go.uber.org/zap"

	"pingap/control/admin/api"
	"pingap/control/admin/auth"
)

const token = "a-token-for-tests-only"

// passing is a handler as workers see it, with a plugin called "my panel".
func passing(t *testing.T) (base string, gate *auth.Gate) {
	t.Helper()
	gate = auth.New(zap.NewNop(), nil)
	settings, err := auth.ParseSettings(map[string]any{"authorizations": []any{"alice:pass"}, "read_authorizations": []any{"bob:looks"},
		"tokens": []any{map[string]any{"name": "t", "role": "write", "token": token}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	gate.SetGuards(map[string]*auth.Settings{"my panel": settings})
	h := New(Options{Log: zap.NewNop(), Gate: gate, Panel: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "panel "+r.URL.Path) }),
		Routes: []api.Route{
			{Method: "GET", Path: "/things/{name}", Need: api.Reader, Serve: echo},
			{Method: "POST", Path: "/things/{name}", Need: api.Writer, Body: 10, Serve: echo},
			{Method: "POST", Path: "/panics", Need: api.Writer, Serve: func(http.ResponseWriter, *http.Request) error { panic("a bug") }},
		}})
	s := httptest.NewServer(h.Passed(Fields{Client: "X-C", Scheme: "X-S", Prefix: "X-P"}))
	t.Cleanup(s.Close)
	return s.URL, gate
}

func TestWhatAPluginPassesOnIsJudgedByItsGuard(t *testing.T) {
	base, gate := passing(t)
	status, fields, _ := ask(t, "POST", base+"/my%20panel/api/login", `{"user":"alice","password":"pass"}`, "X-C", "10.0.0.1", "X-S", "https", "X-P", "/adm")
	cookie := fields.Get("Set-Cookie")
	if status != 200 || !strings.Contains(cookie, "Path=/adm/") || !strings.Contains(cookie, "; Secure") {
		t.Fatalf("%d %q", status, cookie)
	}
	session, _, _ := strings.Cut(cookie, ";")
	bearer := []string{"Authorization", "Bearer " + token}
	for _, c := range []struct {
		name, method, path string
		fields             []string
		status             int
		want               string
	}{
		{name: "the panel is for everybody", method: "GET", path: "/my%20panel/x", status: 200, want: "panel /x"},
		{name: "nobody", method: "GET", path: "/my%20panel/api/things/a", status: 401, want: "log in first"},
		{name: "a session", method: "GET", path: "/my%20panel/api/things/a%2Fb", fields: []string{"Cookie", session}, status: 200, want: `["a/b","","alice","session","write"]`},
		{name: "a session without proof", method: "POST", path: "/my%20panel/api/things/a", fields: []string{"Cookie", session}, status: 403, want: "X-CSRF-Token"},
		{name: "a token", method: "POST", path: "/my%20panel/api/things/a", fields: bearer, status: 200, want: `"t","token","write"`},
		{name: "a login from another site", method: "POST", path: "/my%20panel/api/login", fields: []string{"Sec-Fetch-Site", "cross-site"}, status: 403, want: "another site"},
		{name: "another plugin", method: "GET", path: "/other/api/things/a", fields: []string{"Cookie", session}, status: 503},
		{name: "no plugin", method: "GET", path: "/", status: 404},
		{name: "a panic", method: "POST", path: "/my%20panel/api/panics", fields: bearer, status: 500, want: "panic 1"},
	} {
		status, _, text := ask(t, c.method, base+c.path, "", c.fields...)
		if status != c.status || !strings.Contains(text, c.want) {
			t.Errorf("%s: %d %s", c.name, status, text)
		}
	}
	_, _, log := ask(t, "GET", base+"/my%20panel/api/audit", "", bearer...)
	for _, want := range []string{`"what":"log in"`, `"what":"post things/a","result":"ok"`, `"result":"403: `, `"what":"post panics","result":"500: `} {
		if !strings.Contains(log, want) {
			t.Errorf("the audit log lacks %s: %s", want, log)
		}
	}
	gate.SetGuards(nil)
	if status, _, _ := ask(t, "GET", base+"/my%20panel/api/things/a", "", "Cookie", session); status != 503 {
		t.Errorf("a plugin that is gone: %d", status)
	}
}

func FuzzBelow(f *testing.F) {
	for _, seed := range []string{"/p/api/x", "/a%2Fb//", "//", "/p", "/p/%zz"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		u, err := url.ParseRequestURI(path)
		if err != nil {
			return
		}
		plugin, rest, err := below(u)
		if err == nil && (plugin == "" || rest.Host != "" || !strings.HasPrefix(rest.Path, "/")) {
			t.Fatalf("%q: %q %q", path, plugin, rest)
		}
	})
}
