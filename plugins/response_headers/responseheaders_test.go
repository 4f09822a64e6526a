package responseheaders

import (
	"testing"

	"pingap/message"
	"pingap/plugins"
	"pingap/plugins/plugintest"
)

const response = `200 OK
Server: backend
X-A: 1
X-B: 1
x-b: 2
Set-Cookie: s=1
`

func TestChangesFields(t *testing.T) {
	cases := []struct{ name, table, want string }{
		{"nothing", ``, "Server: backend\nX-A: 1\nX-B: 1\nx-b: 2\nSet-Cookie: s=1\n"},
		{"add", `add_headers = ["Set-Cookie: t=2", "X-C:3"]`,
			"Server: backend\nX-A: 1\nX-B: 1\nx-b: 2\nSet-Cookie: s=1\nSet-Cookie: t=2\nX-C: 3\n"},
		{"remove", `remove_headers = ["x-B", "X-None"]`, "Server: backend\nX-A: 1\nSet-Cookie: s=1\n"},
		{"set", `set_headers = ["x-b: 9", "X-New: n"]`, "Server: backend\nX-A: 1\nX-B: 9\nSet-Cookie: s=1\nX-New: n\n"},
		{"set to empty", `set_headers = ["Server:"]`, "Server: \nX-A: 1\nX-B: 1\nx-b: 2\nSet-Cookie: s=1\n"},
		{"set if missing", `set_headers_not_exists = ["x-a: 9", "X-New: n"]`,
			"Server: backend\nX-A: 1\nX-B: 1\nx-b: 2\nSet-Cookie: s=1\nX-New: n\n"},
		{"rename", `rename_headers = ["server: X-Backend", "X-None: X-Other"]`,
			"X-A: 1\nX-B: 1\nx-b: 2\nSet-Cookie: s=1\nX-Backend: backend\n"},
		{"rename several", `rename_headers = ["X-B: X-C"]`, "Server: backend\nX-A: 1\nSet-Cookie: s=1\nX-C: 1\n"},
		{"variables", `add_headers = ["X-IP: $remote_addr", "X-Host: $host", "X-UA: $http_user_agent", "X-Env: $HOME", "X-Up: $upstream_addr", "X-Text: a $host"]
			remove_headers = ["Server", "X-A", "X-B", "Set-Cookie"]`,
			"X-IP: 192.0.2.1\nX-Host: example.com\nX-UA: curl\nX-Env: env HOME\nX-Up: 203.0.113.1:8080\nX-Text: a $host\n"},
		{"order", `add_headers = ["X-A: 2", "X-N: 1"]
			remove_headers = ["X-A", "Server", "X-B", "Set-Cookie"]
			set_headers = ["X-N: 2"]
			set_headers_not_exists = ["X-N: 3", "X-A: 4"]
			rename_headers = ["X-N: X-M", "X-M: X-O"]`, "X-A: 4\nX-O: 2\n"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e := plugintest.New(t, "GET / HTTP/1.1\nHost: example.com:80\nUser-Agent: curl")
			plugintest.SetResponse(t, e, response)
			plugintest.Build(t, Factory(), c.table).Responder.Response(e)
			if got := plugintest.FieldText(e.Response.Fields.List()); got != c.want {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
		})
	}
}

func TestAVariableCannotBreakALine(t *testing.T) {
	x := plugintest.Build(t, Factory(), `set_headers = ["Server: $name"]`)
	e := plugintest.New(t, "GET /")
	plugintest.SetResponse(t, e, "200 OK\nServer: backend")
	e.Captures = append(e.Captures, message.Capture{Name: "name", Value: []byte("a\r\nSet-Cookie: b")})
	x.Responder.Response(e)
	if got := plugintest.FieldText(e.Response.Fields.List()); got != "Server: backend\n" {
		t.Errorf("got %q", got)
	}
}

func TestActsAtTheStepOfItsMode(t *testing.T) {
	cases := []struct {
		table            string
		upstream, client bool
	}{
		{``, false, true},
		{`mode = ""`, false, true},
		{`mode = "response"`, false, true},
		{`step = "response"`, false, true},
		{`mode = "upstream"`, true, false},
		{"mode = \"upstream\"\nstep = \"upstream_response\"", true, false},
	}
	for _, c := range cases {
		chain := plugins.NewChain([]*plugins.Instance{plugintest.Build(t, Factory(), c.table)})
		if got := len(chain.UpstreamResponse) == 1; got != c.upstream {
			t.Errorf("%q: at upstream_response %t", c.table, got)
		}
		if got := len(chain.Response) == 1; got != c.client {
			t.Errorf("%q: at response %t", c.table, got)
		}
	}
	e := plugintest.New(t, "GET /")
	plugintest.SetResponse(t, e, "200 OK")
	plugintest.Build(t, Factory(), "mode = \"upstream\"\nset_headers = [\"a: b\"]").UpstreamResponder.UpstreamResponse(e)
	if got := plugintest.FieldText(e.Response.Fields.List()); got != "a: b\n" {
		t.Errorf("got %q", got)
	}
}

func TestRefusesWrongParameters(t *testing.T) {
	plugintest.Refused(t, Factory(), []plugintest.RefusedCase{
		{Table: `set_headers = ["Content-Length: 1"]`, Key: "set_headers", Message: "entry 1: Content-Length is written by the proxy and cannot be changed"},
		{Table: `add_headers = ["a: b", "Transfer-Encoding: chunked"]`, Key: "add_headers", Message: "entry 2: Transfer-Encoding is written by the proxy and cannot be changed"},
		{Table: `remove_headers = ["connection"]`, Key: "remove_headers", Message: "entry 1: connection is written by the proxy and cannot be changed"},
		{Table: `set_headers_not_exists = ["Upgrade: x"]`, Key: "set_headers_not_exists", Message: "entry 1: Upgrade is written by the proxy and cannot be changed"},
		{Table: `rename_headers = ["Content-Length: X-Length"]`, Key: "rename_headers", Message: "entry 1: Content-Length is written by the proxy and cannot be changed"},
		{Table: `rename_headers = ["X-Length: content_length"]`, Key: "rename_headers", Message: "entry 1: content_length is written by the proxy and cannot be changed"},
		{Table: `rename_headers = ["Server"]`, Key: "rename_headers", Message: `entry 1: expected "name: value"`},
		{Table: `remove_headers = ["a b"]`, Key: "remove_headers", Message: `entry 1: "a b" is not the name of a field`},
		{Table: `remove_header = ["a"]`, Key: "remove_header", Message: `response_headers has no such parameter, did you mean "remove_headers"?`},
		{Table: `mode = "early"`, Key: "mode", Message: `expected response or upstream, found "early"`},
		{Table: `step = "request"`, Key: "step", Message: `response_headers has no step "request", expected upstream_response or response`},
		{Table: `step = "upstream_response"`, Key: "step", Message: "with these parameters it does not act at upstream_response"},
		{Table: "step = \"response\"\nmode = \"upstream\"", Key: "step", Message: "with these parameters it does not act at response"},
	})
}

func TestNamesEveryWrongEntry(t *testing.T) {
	got := plugintest.Check(t, Factory(), "add_headers = [\"a\", \"b c: d\"]\nremove_headers = [\"Upgrade\"]")
	if len(got) != 3 {
		t.Errorf("%d problems: %+v", len(got), got)
	}
}

func TestDoesNotAllocate(t *testing.T) {
	x := plugintest.Build(t, Factory(), `
		add_headers = ["X-IP: $remote_addr", "X-Fixed: text", "X-Ctx: :location"]
		remove_headers = ["Server"]
		set_headers = ["X-Frame-Options: DENY"]
		set_headers_not_exists = ["Cache-Control: no-store"]
		rename_headers = ["X-Old: X-New"]`)
	e := plugintest.New(t, "GET /\nHost: a")
	name, value := []byte("Server"), []byte("backend")
	n := testing.AllocsPerRun(100, func() {
		e.Response.Reset()
		e.Response.Fields.Append(message.Server, name, value)
		x.Responder.Response(e)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
