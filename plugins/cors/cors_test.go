package cors

import (
	"strings"
	"testing"

	"pingap/config"
	"pingap/message"
	"pingap/plugins"
	"pingap/plugins/plugintest"
)

const (
	methods  = "Access-Control-Allow-Methods: GET, POST, PUT, PATCH, DELETE, OPTIONS\n"
	hour     = "Access-Control-Max-Age: 3600\n"
	origin   = "Access-Control-Allow-Origin: "
	everyone = origin + "*\n" + methods + hour
	full     = "allow_origin = \"https://a.example\"\nallow_methods = \"GET, PUT\"\nallow_headers = \"X-A, X-B\"\nexpose_headers = \"X-C\"\nallow_credentials = true\nmax_age = \"90s\""
	all      = origin + "https://a.example\nAccess-Control-Allow-Methods: GET, PUT\nAccess-Control-Allow-Headers: X-A, X-B\n" +
		"Access-Control-Expose-Headers: X-C\nAccess-Control-Allow-Credentials: true\nAccess-Control-Max-Age: 90\n"
	mirror = "allow_origin = \"$http_origin\"\n"
)

func TestOptionsIsAnswered(t *testing.T) {
	long := strings.Repeat("a", 600)
	cases := []struct {
		name, table, request, want string
		passes                     bool
	}{
		{"by default", ``, "OPTIONS /a\nOrigin: https://b.example", everyone, false},
		{"without origin", ``, "OPTIONS /a", everyone, false},
		{"everything", full, "OPTIONS /a\nOrigin: https://b.example", all, false},
		{"no age", `max_age = "0s"`, "OPTIONS /\nOrigin: b", origin + "*\n" + methods, false},
		{"mirror", mirror, "OPTIONS /\nOrigin: https://b.example:81", origin + "https://b.example:81\n" + methods + hour + "Vary: Origin\n", false},
		{"mirror without origin", mirror, "OPTIONS /", "Vary: Origin\n", false},
		{"mirror of what is no origin", mirror, "OPTIONS /\nOrigin: a b", "Vary: Origin\n", false},
		{"mirror of what is too long", mirror, "OPTIONS /\nOrigin: " + long, "Vary: Origin\n", false},
		{"null origin", mirror, "OPTIONS /\nOrigin: null", origin + "null\n" + methods + hour + "Vary: Origin\n", false},
		{"path", `path = "^/api"`, "OPTIONS /api/x?y\nOrigin: b", everyone, false},
		{"path in other form", `path = "^/api"`, "OPTIONS //%61pi\nOrigin: b", everyone, false},
		{"other path", `path = "^/api"`, "OPTIONS /x/api\nOrigin: b", "", true},
		{"another method", ``, "GET /\nOrigin: b", "", true},
		{"another method with the question", ``, "POST /\nOrigin: b\nAccess-Control-Request-Method: PUT", "", true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := plugintest.Build(t, Factory(), c.table).Decider.Decide(plugintest.New(t, c.request))
			if c.passes {
				if d.Answer != nil {
					t.Errorf("%+v", d.Answer)
				}
				return
			}
			if d.Answer == nil || d.Answer.Status != 204 || len(d.Answer.Body) != 0 {
				t.Fatalf("%+v", d.Answer)
			}
			if got := plugintest.FieldText(d.Answer.Fields); got != c.want {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
		})
	}
}

func TestResponsesGetTheFields(t *testing.T) {
	const old = "Server: x\n"
	cases := []struct{ name, table, request, response, want string }{
		{"by default", ``, "GET /\nOrigin: https://b.example", "", old + everyone},
		{"without origin", ``, "GET /", "", old},
		{"everything", full, "POST /\nOrigin: https://b.example", "", old + all},
		{"in place of the upstream's", ``, "GET /\nOrigin: b", "access-control-allow-origin: https://x\nAccess-Control-Max-Age: 1\n",
			old + "access-control-allow-origin: *\nAccess-Control-Max-Age: 3600\n" + methods},
		{"mirror", mirror, "GET /\nOrigin: https://b", "", old + "Vary: Origin\n" + origin + "https://b\n" + methods + hour},
		{"mirror without origin", mirror, "GET /", "", old + "Vary: Origin\n"},
		{"mirror of what is no origin", mirror, "GET /\nOrigin: a b", "", old + "Vary: Origin\n"},
		{"varies already", mirror, "GET /", "Vary: Accept, origin\n", old + "Vary: Accept, origin\n"},
		{"varies by all", mirror, "GET /", "Vary: *\n", old + "Vary: *\n"},
		{"varies otherwise", mirror, "GET /", "Vary: X-Origin\n", old + "Vary: X-Origin\nVary: Origin\n"},
		{"other path", "path = \"^/a\"\n" + mirror, "GET /\nOrigin: b", "", old},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e := plugintest.New(t, c.request)
			plugintest.SetResponse(t, e, "200 OK\n"+old+c.response)
			plugintest.Build(t, Factory(), c.table).Responder.Response(e)
			if got := plugintest.FieldText(e.Response.Fields.List()); got != c.want {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
		})
	}
}

func TestTheOriginMayBeAVariableOfTheEnvironment(t *testing.T) {
	r := plugins.NewRegistry([]plugins.Factory{Factory()}, func(name string) (string, bool) {
		return "https://env.example", name == "SITE"
	})
	x, err := r.Build(&config.Plugin{Name: "x", Category: "cors", Params: map[string]any{"allow_origin": "$SITE"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := plugintest.Field(x.Decider.Decide(plugintest.New(t, "OPTIONS /")).Answer, "access-control-allow-origin"); got != "https://env.example" {
		t.Errorf("got %q", got)
	}
	if got := r.Check("cors", "", map[string]any{"allow_origin": "$OTHER"}); len(got) != 1 || got[0].Key != "allow_origin" {
		t.Errorf("got %+v", got)
	}
}

func TestRefusesWrongParameters(t *testing.T) {
	const one = "expected *, $http_origin or one origin such as https://www.example.com"
	plugintest.Refused(t, Factory(), []plugintest.RefusedCase{
		{Table: `path = "("`, Key: "path", Message: "error parsing regexp: missing closing ): `(`"},
		{Table: `allow_origin = "https://a, https://b"`, Key: "allow_origin", Message: one},
		{Table: `allow_origin = "https://a https://b"`, Key: "allow_origin", Message: one},
		{Table: `allow_origin = "$SITE"`, Key: "allow_origin", Message: one}, // "env SITE" is none
		{Table: `allow_methods = "GET; PUT"`, Key: "allow_methods", Message: "expected a comma list of names"},
		{Table: `allow_headers = "X-A,,X-B"`, Key: "allow_headers", Message: "expected a comma list of names"},
		{Table: `expose_headers = "X A"`, Key: "expose_headers", Message: "expected a comma list of names"},
		{Table: `max_age = 5`, Key: "max_age", Message: "expected a duration such as \"10s\" or \"1m 30s\", found an integer"},
		{Table: `step = "response"`, Key: "step", Message: `cors has no step "response", expected request`},
	})
}

func TestPassingDoesNotAllocate(t *testing.T) {
	for _, table := range []string{full, mirror} {
		x := plugintest.Build(t, Factory(), table)
		e := plugintest.New(t, "GET /\nOrigin: https://b.example")
		name, value := []byte("Server"), []byte("x")
		if n := testing.AllocsPerRun(100, func() {
			x.Decider.Decide(e)
			e.Response.Fields.Reset()
			e.Response.Fields.Append(message.Server, name, value)
			x.Responder.Response(e)
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
}
