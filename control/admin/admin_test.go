package admin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/zap"

	"pingap/control/admin/api"
	"pingap/control/admin/auth"
)

// running is a Handler with routes that show what they got, behind a real server. uid is who asks by the socket.
func running(t *testing.T, o Options) (url string) {
	t.Helper()
	o.Log = zap.NewNop()
	o.Gate = auth.New(o.Log, nil)
	h := New(o)
	s := httptest.NewServer(h.Local(func(context.Context) (uint32, bool) { return 7, true }))
	t.Cleanup(s.Close)
	return s.URL
}

func ask(t *testing.T, method, url, body string, fields ...string) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		if fields[i] == "Host" {
			r.Host = fields[i+1]
		}
		r.Header.Set(fields[i], fields[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, string(text)
}

func echo(w http.ResponseWriter, r *http.Request) error {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	who := api.WhoOf(r.Context())
	return api.WriteJSON(w, []string{r.PathValue("name"), string(text), who.User, who.How, who.Role.String()})
}

func TestRequestsReachTheirRouteWithinItsBounds(t *testing.T) {
	url := running(t, Options{Panel: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "panel "+r.URL.Path) }),
		Routes: []api.Route{
			{Method: "GET", Path: "/things/{name}", Need: api.Reader, Serve: echo},
			{Method: "POST", Path: "/things/{name}", Need: api.Writer, Body: 10, Serve: echo},
			{Method: "POST", Path: "/panics", Serve: func(http.ResponseWriter, *http.Request) error { panic("a bug") }},
			{Method: "GET", Path: "/guarded", Serve: func(http.ResponseWriter, *http.Request) error {
				return &api.Error{Status: 409, Message: "in use", UsedBy: []string{"location:a"}}
			}},
			{Method: "GET", Path: "/broken", Serve: func(http.ResponseWriter, *http.Request) error { return errors.New("disk") }},
		}})
	for _, c := range []struct {
		name, method, path, body string
		fields                   []string
		status                   int
		want                     string
	}{
		{name: "a name is unescaped", method: "GET", path: "/api/things/a%20b", status: 200, want: `["a b","","uid 7","socket","write"]`},
		{name: "a body", method: "POST", path: "/api/things/a", body: "0123456789", status: 200, want: `["a","0123456789","uid 7","socket","write"]`},
		{name: "a body that is too long", method: "POST", path: "/api/things/a", body: "0123456789a", status: 413, want: "longer than 10"},
		{name: "a dry run where there is none", method: "POST", path: "/api/things/a?dry_run", status: 400, want: "cannot be tried"},
		{name: "no dry run", method: "POST", path: "/api/things/a?dry_run=false", body: "x", status: 200, want: `["a","x"`},
		{name: "a method that is not there", method: "DELETE", path: "/api/things/a", status: 405, want: "GET, POST"},
		{name: "a path that is not there", method: "GET", path: "/api/other", status: 404, want: `{"message":`},
		{name: "a panic", method: "POST", path: "/api/panics", status: 500, want: "panic 1"},
		{name: "an error with a status", method: "GET", path: "/api/guarded", status: 409, want: `"used_by":["location:a"]`},
		{name: "an error without", method: "GET", path: "/api/broken", status: 500, want: "disk"},
		{name: "the panel", method: "GET", path: "/assets/x.js", status: 200, want: "panel /assets/x.js"},
		{name: "a page of another site", method: "POST", path: "/api/things/a", fields: []string{"Sec-Fetch-Site", "cross-site"}, status: 403, want: "another site"},
		{name: "an old browser of another site", method: "POST", path: "/api/things/a", fields: []string{"Origin", "http://evil.example"}, status: 403, want: "another site"},
		{name: "a name of the DNS", method: "GET", path: "/api/things/a", fields: []string{"Host", "evil.example"}, status: 403, want: "not this machine"},
		{name: "a forwarded port", method: "GET", path: "/api/things/a", fields: []string{"Host", "localhost:8080"}, status: 200},
	} {
		status, fields, text := ask(t, c.method, url+c.path, c.body, c.fields...)
		if status != c.status || !strings.Contains(text, c.want) && !strings.Contains(fields.Get("Allow"), c.want) {
			t.Errorf("%s: %d %s", c.name, status, text)
		}
		if fields.Get("X-Content-Type-Options") != "nosniff" && status != 403 {
			t.Errorf("%s: %v", c.name, fields)
		}
	}
}

func TestNobodyIsAnsweredWhoIsNotKnown(t *testing.T) {
	h := New(Options{Log: zap.NewNop(), Gate: auth.New(zap.NewNop(), nil), Routes: []api.Route{{Method: "GET", Path: "/x", Serve: echo}}})
	s := httptest.NewServer(h.Local(func(context.Context) (uint32, bool) { return 0, false }))
	defer s.Close()
	if status, _, _ := ask(t, "GET", s.URL+"/api/x", ""); status != 403 {
		t.Errorf("%d", status)
	}
}

func TestStreamsAndOtherRequestsHavePlacesOfTheirOwn(t *testing.T) {
	hold, inside := make(chan struct{}), make(chan struct{}, maxStreams)
	url := running(t, Options{Routes: []api.Route{
		{Method: "GET", Path: "/stream", Stream: true, Serve: func(w http.ResponseWriter, _ *http.Request) error {
			inside <- struct{}{}
			<-hold
			return api.WriteJSON(w, 1)
		}},
		{Method: "GET", Path: "/plain", Serve: echo},
	}})
	done := make(chan int, maxStreams)
	for range maxStreams {
		go func() { // ends when hold is closed
			resp, err := http.Get(url + "/api/stream")
			if err != nil {
				done <- 0
				return
			}
			resp.Body.Close()
			done <- resp.StatusCode
		}()
	}
	for range maxStreams {
		<-inside
	}
	if status, fields, _ := ask(t, "GET", url+"/api/stream", ""); status != 503 || fields.Get("Retry-After") == "" {
		t.Errorf("one stream more: %d %v", status, fields)
	}
	if status, _, _ := ask(t, "GET", url+"/api/plain", ""); status != 200 {
		t.Errorf("another request: %d", status)
	}
	close(hold)
	for range maxStreams {
		if status := <-done; status != 200 {
			t.Errorf("a stream: %d", status)
		}
	}
}
