package explain

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"pingap/control/admin/api"
	"pingap/ipc"
)

// asker keeps what it was asked.
type asker struct {
	what, body string
	err        error
}

func (a *asker) Explain(_ context.Context, what string, body []byte) ([]byte, error) {
	a.what, a.body = what, string(body)
	return []byte(`{"server":"web"}`), a.err
}

// mux answers as the interface does.
func mux(a Asker) http.Handler {
	m := http.NewServeMux()
	for _, route := range (&Part{Asker: a}).Routes() {
		m.HandleFunc(route.Method+" /api"+route.Path, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, route.Body)
			if err := route.Serve(w, r); err != nil {
				api.WriteError(w, err)
			}
		})
	}
	return m
}

func TestAQuestionIsPassedOnAndItsAnswerToo(t *testing.T) {
	for _, c := range []struct {
		method, path, body string
		err                error
		status             int
		what, asked        string
	}{
		{"POST", "/api/explain", `{"url":"http://a/"}`, nil, 200, ipc.ExplainRequest, `{"url":"http://a/"}`},
		{"GET", "/api/routes/a%2Fb", "", nil, 200, ipc.ExplainRoutes, `"a/b"`},
		{"POST", "/api/explain", `{`, nil, 400, "", ""},
		{"POST", "/api/explain", `"` + strings.Repeat("x", ipc.MaxExplain) + `"`, nil, 413, "", ""},
		{"POST", "/api/explain", `{}`, api.Errorf(404, "no server"), 404, ipc.ExplainRequest, `{}`},
		{"GET", "/api/routes/" + strings.Repeat("x", 2000), "", nil, 404, "", ""},
	} {
		a := &asker{err: c.err}
		w := httptest.NewRecorder()
		mux(a).ServeHTTP(w, httptest.NewRequest(c.method, c.path, strings.NewReader(c.body)))
		if w.Code != c.status || a.what != c.what || a.body != c.asked {
			t.Errorf("%s %.30s: %d, asked %q %.30q", c.method, c.path, w.Code, a.what, a.body)
		}
		if !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s %.30s: answered %q", c.method, c.path, w.Body)
		}
	}
}

func FuzzExplainBody(f *testing.F) {
	f.Add(`{"method":"GET","url":"http://a/","headers":[["a","b"]],"client":"::1"}`)
	f.Add(`[`)
	f.Add("\x00")
	f.Fuzz(func(t *testing.T, body string) {
		w := httptest.NewRecorder()
		mux(&asker{}).ServeHTTP(w, httptest.NewRequest("POST", "/api/explain", strings.NewReader(body)))
		if w.Code != 200 && w.Code != 400 && w.Code != 413 || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%d %q", w.Code, w.Body)
		}
	})
}
