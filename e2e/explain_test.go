package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// explainedCase is a request that is explained, and then sent.
type explainedCase struct {
	method, target string
	headers        []string
}

func (c explainedCase) String() string {
	return c.method + " " + c.target + " " + strings.Join(c.headers, "; ")
}

// explained is what `pingap explain --json` prints, as far as tests look at it.
type explained struct {
	Server      string
	Certificate string
	Request     struct {
		Protocol, Call string
		Tunnel         bool
	}
	Locations []struct {
		Name    string
		Matched bool
		Why     string
	}
	More     int
	Location string
	Rewrite  *struct{ From, To string }
	Headers  []struct{ Op, Name, Value string }
	Plugins  []struct {
		Name, Verdict, Why string
		Status             int
	}
	Upstream *struct {
		Name     string
		Protocol string
		Backends []struct {
			Addr, State, Why string
			Healthy, Chosen  bool
		}
		Chosen string
	}
	Answer *struct {
		Status int
		GRPC   int `json:"grpc_status"`
		Why    string
	}
	Notes []string
}

// echoed is what an origin says of a request that it got.
type echoed struct {
	Target string
	Fields http.Header
}

// echoOrigin says in its answers what it got. What is stored may be.
func echoOrigin(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/stored") {
			w.Header().Set("Cache-Control", "max-age=600")
		}
		text, _ := json.Marshal(echoed{r.RequestURI, r.Header})
		_, _ = w.Write(text)
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// explainer explains requests to an instance and sends them.
type explainer struct {
	t    *testing.T
	i    *instance
	addr string
	log  string
	n    int
	wait []func(t *testing.T) // what the access log is to say, of requests that were sent
}

// explain asks for a request.
func (x *explainer) explain(c explainedCase, more ...string) explained {
	x.t.Helper()
	args := append([]string{c.method, "http://" + x.addr + c.target, "--json"}, more...)
	for _, h := range c.headers {
		args = append(args, "-H", h)
	}
	r := x.i.verb("explain", args...)
	if r.code != 0 {
		x.t.Fatalf("%v: exit code %d: %s", c, r.code, r.all())
	}
	var e explained
	if err := json.Unmarshal([]byte(r.stdout), &e); err != nil {
		x.t.Fatalf("%v: %v in %s", c, err, r.stdout)
	}
	return e
}

// send sends a request and returns its answer, with the body, and its number in the access log.
func (x *explainer) send(c explainedCase) (*http.Response, []byte, int) {
	x.t.Helper()
	x.n++
	request, err := http.NewRequest(c.method, "http://"+x.addr+c.target, nil)
	if err != nil {
		x.t.Fatal(err)
	}
	request.Header.Set("User-Agent", "test")
	for _, h := range c.headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			request.Host = value
		} else {
			request.Header.Set(name, value)
		}
	}
	request.Header.Set("X-N", fmt.Sprint(x.n))
	response, err := (&http.Transport{DisableKeepAlives: true, DisableCompression: true}).RoundTrip(request)
	if err != nil {
		x.t.Fatalf("%v: %v", c, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		x.t.Fatalf("%v: %v", c, err)
	}
	return response, body, x.n
}

// logged is a line of the access log.
type logged struct{ location, upstream, status string }

// line waits for the line of a request.
func (x *explainer) line(n int) logged {
	x.t.Helper()
	var found logged
	x.i.eventually("the access log has the request", func() error {
		text, err := os.ReadFile(x.log)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			if parts := strings.Split(strings.TrimSpace(line), "|"); len(parts) == 4 && parts[0] == fmt.Sprint(n) {
				found = logged{parts[1], parts[2], parts[3]}
				return nil
			}
		}
		return fmt.Errorf("no line of request %d", n)
	})
	return found
}

// agree explains a request, sends it, and compares.
func (x *explainer) agree(c explainedCase) {
	x.t.Helper()
	asked := c
	if !strings.Contains(strings.Join(c.headers, "\n"), "User-Agent:") {
		asked.headers = append([]string{"User-Agent: test"}, c.headers...)
	}
	e := x.explain(asked)
	response, body, n := x.send(c)
	x.wait = append(x.wait, func(t *testing.T) { x.agreeLine(t, c, e, response.StatusCode, x.line(n)) })
	if e.Answer != nil {
		if e.Answer.Status != response.StatusCode {
			x.t.Errorf("%v: explained %+v, was %d %.200s", c, *e.Answer, response.StatusCode, body)
		}
		return
	}
	x.agreeAbove(c, e, response, body)
}

// agreeLine compares what the access log says.
func (x *explainer) agreeLine(t *testing.T, c explainedCase, e explained, status int, line logged) {
	t.Helper()
	if none(line.location) != e.Location {
		t.Errorf("%v: explained %q, was %q", c, e.Location, line.location)
	}
	if line.status != fmt.Sprint(status) {
		t.Errorf("%v: answered %d, logged %s", c, status, line.status)
	}
	chosen := ""
	if e.Upstream != nil {
		chosen = e.Upstream.Chosen
	}
	if none(line.upstream) != chosen {
		t.Errorf("%v: explained %+v, %s was asked", c, e.Upstream, line.upstream)
	}
}

// read compares what is in the access log with what was explained.
func (x *explainer) read(t *testing.T) {
	t.Helper()
	x.t = t
	for _, look := range x.wait {
		look(t)
	}
	x.wait = nil
}

// agreeAbove compares what the upstream got.
func (x *explainer) agreeAbove(c explainedCase, e explained, response *http.Response, body []byte) {
	x.t.Helper()
	if e.Upstream == nil || response.StatusCode != 200 {
		x.t.Errorf("%v: explained %+v, was %d %.200s", c, e.Upstream, response.StatusCode, body)
		return
	}
	if c.method == "HEAD" {
		return
	}
	var got echoed
	if err := json.Unmarshal(body, &got); err != nil {
		x.t.Errorf("%v: %v in %.200s", c, err, body)
		return
	}
	target := strings.TrimPrefix(c.target, "http://"+x.addr)
	if e.Rewrite != nil {
		target = e.Rewrite.To
	}
	if got.Target != target {
		x.t.Errorf("%v: explained that it asks for %s, it asked for %s", c, target, got.Target)
	}
	for _, h := range e.Headers {
		value := strings.Join(got.Fields.Values(h.Name), ",")
		switch {
		case h.Op == "remove" && value != "", h.Op != "remove" && h.Value != "***" && h.Name != "X-Request-Id" && !strings.Contains(value, h.Value):
			x.t.Errorf("%v: explained %+v, the upstream got %q", c, h, value)
		}
	}
}

func none(text string) string {
	if text == "-" {
		return ""
	}
	return text
}

// deadPort is an address on which nobody listens.
func deadPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// What explain says and what becomes of the same request are the same, for locations of all kinds and plugins of most, by the configuration that is
// live at the moment and with the health that backends have.
func TestExplainAndLifeAgree(t *testing.T) {
	dir := workDir(t)
	first, second, third, other, dead := echoOrigin(t), echoOrigin(t), echoOrigin(t), echoOrigin(t), deadPort(t)
	x := &explainer{t: t, addr: freePort(t), log: filepath.Join(dir, "access.log")}
	conf := explainedConf(x.addr, x.log, filesFor(t, dir), first+","+second, other, third, dead)
	path := filepath.Join(dir, "pingap.toml")
	write(t, path, conf)
	x.i = startIn(t, dir, path)
	x.settle(first, second, other, third)
	for _, c := range explainedCases() {
		x.agree(c)
	}
	x.read(t)
	t.Run("dead backends", func(t *testing.T) {
		x.t = t
		x.awaitDead()
		x.agree(explainedCase{method: "GET", target: "/gone"})
		x.read(t)
	})
	t.Run("drained backends", func(t *testing.T) {
		x.t = t
		for _, verb := range []string{"drain", "down", "up"} {
			if r := x.i.verb("upstream", verb, "up", first); r.code != 0 {
				t.Fatal(r.all())
			}
			for range 4 {
				x.agree(explainedCase{method: "GET", target: "/exact"})
			}
		}
		x.read(t)
	})
	t.Run("hot applies", func(t *testing.T) {
		x.t = t
		x.i.change(strings.NewReplacer(`path = "=/exact"`, `path = "=/precise"`, `status = 418`, `status = 451`, `rewrite = "^/api/(.*) /$1"`, `rewrite = "^/api /i"`,
			`keys = ["KOXQaw"]`, `keys = ["other"]`, `weight = 900`, `weight = 1100`).Replace(conf))
		for _, target := range []string{"/exact", "/precise", "/mock", "/api/1", "/any", "/hash"} {
			x.agree(explainedCase{method: "GET", target: target})
		}
		x.agree(explainedCase{method: "GET", target: "/key", headers: []string{"X-Api-Key: KOXQaw"}})
		x.agree(explainedCase{method: "GET", target: "/key", headers: []string{"X-Api-Key: other"}})
		x.agree(explainedCase{method: "GET", target: "/cond", headers: []string{"X-Any: 1", "X-Lane: blue"}})
		x.read(t)
	})
}

// What a cache in memory holds is each worker's own: with one of them it is told before.
func TestExplainKnowsWhatIsStored(t *testing.T) {
	dir := workDir(t)
	x := &explainer{t: t, addr: freePort(t), log: filepath.Join(dir, "access.log")}
	path := filepath.Join(dir, "pingap.toml")
	write(t, path, explainedConf(x.addr, x.log, filesFor(t, dir), echoOrigin(t), echoOrigin(t), echoOrigin(t), deadPort(t)))
	x.i = startIn(t, dir, path, "--workers", "1")
	x.settle()
	for _, target := range []string{"/stored/1", "/stored/1", "/stored/2", "/stored/1", "/stored/2"} {
		x.agree(explainedCase{method: "GET", target: target})
	}
	if e := x.explain(explainedCase{method: "GET", target: "/stored/1"}); e.Answer == nil || e.Answer.Status != 200 || !strings.Contains(e.Answer.Why, "stored") {
		t.Errorf("%+v", e.Answer)
	}
	x.read(t)
}

// settle waits until checks have found all backends healthy: what changes between a question and a request proves nothing.
func (x *explainer) settle(addrs ...string) {
	x.t.Helper()
	x.i.eventually("all backends are healthy", func() error {
		for _, target := range []string{"/exact", "/any", "/least", "/hash"} {
			for _, b := range x.explain(explainedCase{method: "GET", target: target}).Upstream.Backends {
				if !b.Healthy {
					return fmt.Errorf("%s is not", b.Addr)
				}
			}
		}
		return nil
	})
}

// awaitDead waits until checks have found out that the dead backend is.
func (x *explainer) awaitDead() {
	x.t.Helper()
	x.i.eventually("the dead backend is found dead", func() error {
		e := x.explain(explainedCase{method: "GET", target: "/gone"})
		if e.Upstream == nil || len(e.Upstream.Backends) != 1 || e.Upstream.Backends[0].Healthy {
			return fmt.Errorf("%+v", e.Upstream)
		}
		if e.Answer == nil || e.Answer.Status != 503 {
			return fmt.Errorf("explained %+v", e.Answer)
		}
		return nil
	})
}

// A question is answered by what is asked about in no time, whatever there is.
func TestExplainOnTenThousandLocations(t *testing.T) {
	addr := freePort(t)
	i := start(t, manyRoutes(addr, 10_000))
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(i.runDir, "admin.sock"))
	}}}
	var best time.Duration
	for range 10 {
		begin := time.Now()
		response, err := client.Post("http://localhost/api/explain", "application/json", strings.NewReader(`{"method":"GET","url":"http://`+addr+`/service/9907/x","headers":[["Host","h7.example"]]}`))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		took := time.Since(begin)
		if best == 0 || took < best {
			best = took
		}
		var e explained
		if err != nil || response.StatusCode != 200 || json.Unmarshal(body, &e) != nil {
			t.Fatalf("%d %v %.300s", response.StatusCode, err, body)
		}
		if e.Location != "l9907" || len(e.Locations) != 200 || e.More != 9800 || e.Answer == nil || e.Answer.Status != 200 {
			t.Fatalf("%q, %d locations, %d more, %+v", e.Location, len(e.Locations), e.More, e.Answer)
		}
	}
	t.Logf("10,000 locations explained in %v", best)
	if best > time.Second { // 50 ms on a machine of its own
		t.Errorf("the best of ten took %v", best)
	}
	response, err := client.Get("http://localhost/api/routes/web")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var routes struct{ Locations []struct{ Name, Kind string } }
	if err := json.NewDecoder(response.Body).Decode(&routes); err != nil || len(routes.Locations) != 10_000 || routes.Locations[0].Kind != "prefix" {
		t.Errorf("%v, %d locations", err, len(routes.Locations))
	}
}
