package explain

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"pingap/config"
	"pingap/message"
	"pingap/plugins"
	"pingap/worker/errorpage"
	"pingap/worker/http1"
	"pingap/worker/proxy"
	"pingap/worker/route"
	"pingap/worker/upstream"
)

// saying is a plugin that decides by the path.
type saying struct{}

func (saying) Decide(e *plugins.Exchange) plugins.Decision {
	switch {
	case strings.HasPrefix(string(e.Request.Path), "/no"):
		return plugins.Respond(plugins.Text(403, ""), "not there")
	case strings.HasPrefix(string(e.Request.Path), "/mark"):
		e.Request.Fields.Set("Authorization", []byte("hunter2"))
		e.Request.Fields.DelID(message.UserAgent)
	}
	return plugins.Continue
}

// says is an instance of it.
func says(t testing.TB, name string) *plugins.Instance {
	t.Helper()
	r := plugins.NewRegistry([]plugins.Factory{{Category: "saying", Summary: "For tests.", Steps: []plugins.Step{plugins.Request}, Plain: true,
		New: func(*plugins.Parameters) (plugins.Plugin, error) { return saying{}, nil }}}, nil)
	i, err := r.Build(&config.Plugin{Name: name, Category: "saying"})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// serverOf is a server with one location for everything.
func serverOf(t testing.TB, name string, secure bool) *proxy.Server {
	t.Helper()
	compiled, err := route.Compile(&config.Location{Name: "in-" + name, Path: "/", Weight: -1, Rewrite: "^/old /new", ProxyAddHeaders: []string{"X-Via:" + name}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	up, err := upstream.New(&config.Upstream{Name: "up", Addrs: []string{"127.0.0.1:1", "127.0.0.1:2"}}, upstream.Options{})
	if err != nil {
		t.Fatal(err)
	}
	first, watched := says(t, "first"), says(t, "watched")
	watched.Shadow = true
	s := &proxy.Server{
		Name: name, Table: route.NewTable([]*route.Location{compiled}, route.Options{}), Limits: http1.Limits{Head: 16 << 10, Fields: 64, Target: 4 << 10},
		Locations: map[*route.Location]*proxy.Location{compiled: {Route: compiled, Upstream: up, ChangesHeaders: true,
			Plugins: plugins.NewChain([]*plugins.Instance{watched, first, says(t, "last")})}},
		KeepAliveTimeout: time.Second,
	}
	if secure {
		s.TLS = &tls.Config{}
	}
	return s
}

// site has servers in the clear and with TLS.
func site(t testing.TB) *Site {
	t.Helper()
	p, err := proxy.New(proxy.Options{Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	s := &Site{Proxy: p, Certificate: func(name string) string {
		return map[string]string{"a.example": "a-cert", "": "default-cert", "192.0.2.1": "never asked for"}[name]
	}, Site: &proxy.Site{Version: 7, ErrorPage: errorpage.New("", "test"), Servers: []*proxy.Server{
		nil, serverOf(t, "plain", false), serverOf(t, "secure", true), serverOf(t, "side", false), serverOf(t, "socket", false)}},
		Listeners: []Listener{{"0.0.0.0:80", 1}, {"[::]:80", 1}, {"0.0.0.0:443", 2}, {"127.0.0.1:8080", 3}, {"10.0.0.1:8080", 1}, {"/run/x.sock", 4}, {"0.0.0.0:99", 9}}}
	p.SetSite(s.Site)
	return s
}

func TestTheURLSaysWhichServerIsMeant(t *testing.T) {
	s := site(t)
	for _, c := range []struct {
		url, server string
		want        string // servers and listeners, or what is wrong
	}{
		{"http://a.example/", "", "plain 0.0.0.0:80"},
		{"a.example/x", "", "plain 0.0.0.0:80"},
		{"https://a.example", "", "secure 0.0.0.0:443"},
		{"HTTP://a.example:8080/", "", "side 127.0.0.1:8080, plain 10.0.0.1:8080"},
		{"http://10.0.0.1:8080/", "", "plain 10.0.0.1:8080"},
		{"http://[::1]/", "", "plain 0.0.0.0:80"},
		{"http://a.example/", "side", "side 127.0.0.1:8080"},
		{"http://a.example/", "socket", "socket /run/x.sock"},
		{"https://a.example/", "side", "nothing listens for https on port 443: there is side (http on 127.0.0.1:8080)"},
		{"http://a.example:443/", "", "nothing listens for http on port 443"},
		{"http://a.example:99/", "", "nothing listens for http on port 99"},
		{"http://a.example/", "none", `there is no server "none"`},
		{"http://:80/", "", "no host"},
		{"http://a:0/", "", "a port that is none"},
		{"http://a:66666/", "", "a port that is none"},
		{"gopher://a/", "", "begins with http"},
		{"http://a/\r\nX: y", "", "one line"},
	} {
		e, err := s.Explain(&Question{URL: c.url, Server: c.server})
		got := ""
		if err != nil {
			got = err.Error()
			if StatusOf(err) != 400 && StatusOf(err) != 404 {
				t.Errorf("%s: status %d", c.url, StatusOf(err))
			}
		} else {
			for _, one := range append([]*Explanation{e}, e.Also...) {
				got += ", " + one.Server + " " + one.Listener
			}
			got = got[2:]
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s %s: %s, want %s", c.url, c.server, got, c.want)
		}
	}
}

func TestAnExplanationTellsWhatEachPluginSays(t *testing.T) {
	s := site(t)
	for path, want := range map[string]string{
		"/yes":  "watched off it is only watched (mode = shadow): passes; first passes ; last passes ",
		"/no":   "watched off it is only watched (mode = shadow): answers 403, not there; first answers not there; last off first answers before",
		"/mark": "watched off it is only watched (mode = shadow): changes, set Authorization; first changes set Authorization; last passes ",
	} {
		e, err := s.Explain(&Question{URL: "http://a.example" + path, Client: "192.0.2.1"})
		if err != nil {
			t.Fatal(err)
		}
		var said []string
		for _, p := range e.Plugins {
			said = append(said, p.Name+" "+p.Verdict+" "+p.Why)
		}
		if got := strings.Join(said, "; "); got != want {
			t.Errorf("%s: %s\nwant %s", path, got, want)
		}
		if (e.Answer != nil) != (path == "/no") || e.Client != "192.0.2.1" || len(e.Notes) != 0 {
			t.Errorf("%s: %+v %q %q", path, e.Answer, e.Client, e.Notes)
		}
		text, err := json.Marshal(e)
		if err != nil || strings.Contains(string(text), "hunter2") {
			t.Errorf("%s: %v %s", path, err, text)
		}
	}
}

func TestAnExplanationOfTLSNamesTheCertificate(t *testing.T) {
	s := site(t)
	e, err := s.Explain(&Question{URL: "https://A.example/"})
	if err != nil || e.Cert != "a-cert" {
		t.Errorf("%v %+v", err, e)
	}
	for _, addr := range []string{"192.0.2.1", "[::1]"} {
		if e, err = s.Explain(&Question{URL: "https://" + addr + "/"}); err != nil || e.Cert != "default-cert" {
			t.Errorf("%s: %v %+v", addr, err, e)
		}
	}
	e, err = s.Explain(&Question{URL: "https://b.example/"})
	if err != nil || e.Cert != "" || !strings.Contains(strings.Join(e.Notes, "\n"), "no certificate for b.example") {
		t.Errorf("%v %+v", err, e)
	}
}

func TestRoutesAreInMatchingOrder(t *testing.T) {
	r, err := site(t).Routes("plain")
	if err != nil || len(r.Locations) != 1 {
		t.Fatal(err, r)
	}
	if l := r.Locations[0]; l.Order != 1 || l.Kind != "prefix" || l.Healthy != 2 || l.Total != 2 || len(l.Plugins) != 3 || l.Plugins[1].Step != "request" || l.Host == nil {
		t.Errorf("%+v", l)
	}
	var m *Mistake
	if _, err := site(t).Routes("none"); !errors.As(err, &m) || m.Status != 404 {
		t.Error(err)
	}
}

func TestPeopleGetNumberedSteps(t *testing.T) {
	e, err := site(t).Explain(&Question{Method: "POST", URL: "http://a.example/old//x?y", Client: "192.0.2.1"})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := e.Print(&b); err != nil {
		t.Fatal(err)
	}
	want := `POST a.example/old//x
server plain on 0.0.0.0:80, configuration 7
the path counts as /old/x
client 192.0.2.1

1  location  in-plain
   *         in-plain      0  the first that matches
2  rewrite   /old//x?y -> /new/x?y
3  plugin    watched (saying at request) off: it is only watched (mode = shadow): passes
4  plugin    first (saying at request) passes
5  plugin    last (saying at request) passes
6  headers   what goes on differs in 1
             set     X-Via: plain
7  upstream  up, by round_robin
   *         127.0.0.1:1  weight 1  it is its turn
   -         127.0.0.1:2  weight 1  it is the turn of another
8  answer    what the upstream says
`
	if b.String() != want {
		t.Errorf("%s\nwant %s", b.String(), want)
	}
}

func FuzzQuestion(f *testing.F) {
	s := protocols(f)
	f.Add(`{"url":"https://a.example/pkg.Service/Call","protocol":"grpc","headers":[["Grpc-Timeout","1S"],["Content-Length","1001"]]}`)
	f.Add(`{"url":"http://a.example:8080/","protocol":"h2","headers":[["Upgrade","websocket"],["Connection","upgrade"],["Cookie","a"],["Cookie","b"]]}`)
	f.Add(`{"method":"CONNECT","url":"https://a.example","protocol":"h2","headers":[["TE","gzip"]]}`)
	f.Add(`{"method":"GET","url":"http://a.example/x?y","headers":[["Host","b"],["X-A","b"]],"client":"192.0.2.1"}`)
	f.Add(`{"url":"https://[::1]:443/%2e%2e/","client":"::ffff:1.2.3.4"}`)
	f.Add(`{"url":"http://a/ HTTP/1.1\r\nX: y","server":"plain"}`)
	f.Add(`{"url":"http://a:8080","headers":[["Content-Length","99999999999999999999"],["Transfer-Encoding","chunked"]]}`)
	f.Add(`{"url":"","headers":[]}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, body string) {
		for _, routes := range []bool{false, true} {
			text, err := s.Answer(routes, []byte(body))
			if err != nil {
				var m *Mistake
				if !errors.As(err, &m) || m.Status < 400 || m.Status > 499 {
					t.Errorf("%v", err)
				}
				continue
			}
			if !json.Valid(text) {
				t.Errorf("%s", text)
			}
		}
	})
}
