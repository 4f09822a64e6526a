package e2e

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// readmeCase is what the example of a plugin's README must do.
type readmeCase struct {
	// run asks questions and looks at what came of them. It is called once for each of the ways in readmeWays.
	run func(r *readme)
	// prepare puts in place what the example names (files, addresses), and returns the example with names that exist here.
	prepare func(r *readme, example string) string
}

// readmeWays are plain requests, streams, and requests that want to become WebSockets.
func readmeWays() map[string]func(r *readme, q question) (*answer, error) {
	return map[string]func(r *readme, q question) (*answer, error){"HTTP1": askPlain, "HTTP2": askStream, "Upgrade": askUpgrade}
}

// TestExamplesOfPlugins serves the first example of each plugin's README in front of an upstream that tells what it got. A plugin without an
// entry in readmeCases fails.
func TestExamplesOfPlugins(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../plugins/*/README.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("found %d READMEs, %v", len(files), err)
	}
	cases := readmeCases()
	for _, file := range files {
		name := filepath.Base(filepath.Dir(file))
		c, found := cases[name]
		delete(cases, name)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !found {
				t.Fatal("has no entry in readmeCases")
			}
			c.serve(t, firstExample(t, file))
		})
	}
	for name := range cases {
		t.Errorf("%s has an entry and no README", name)
	}
}

// firstExample is the first block of TOML in a document.
func firstExample(t *testing.T, file string) string {
	t.Helper()
	m := regexp.MustCompile("(?s)```toml\n(.*?)```").FindStringSubmatch(read(t, file))
	if m == nil {
		t.Fatalf("%s has no example", file)
	}
	return m[1]
}

// serve starts the example, a fresh instance for each way.
func (c readmeCase) serve(t *testing.T, example string) {
	for name, ask := range readmeWays() {
		t.Run(name, func(t *testing.T) {
			r := &readme{T: t, ask: ask, addr: freePort(t), upstream: newTeller(t), other: newTeller(t), tunnels: name == "Upgrade"}
			text := example
			if c.prepare != nil {
				text = c.prepare(r, example)
			}
			start(t, completed(text, r.addr, r.upstream.addr))
			c.run(r)
		})
	}
}

// completed makes a whole configuration of an example: locations without path or upstream get the usual ones, and a server has them all. An example without
// a location is for one that has all its plugins.
func completed(example, addr, upstream string) string {
	locations := tablesOf(example, "locations")
	if len(locations) == 0 {
		locations = []string{"all"}
		example += fmt.Sprintf("\n[locations.all]\nplugins = [%s]\n", quoted(tablesOf(example, "plugins")))
	}
	for _, name := range locations {
		head := "[locations." + name + "]\n"
		before, after, _ := strings.Cut(example, head)
		own, rest, more := strings.Cut(after, "\n[")
		for key, value := range map[string]string{"path": "/", "upstream": "app"} {
			if !regexp.MustCompile(`(?m)^` + key + `\s*=`).MatchString(own) {
				head += fmt.Sprintf("%s = %q\n", key, value)
			}
		}
		if example = before + head + own; more {
			example += "\n[" + rest
		}
	}
	conf := example + fmt.Sprintf("\n[basic]\ntrusted_proxies = [\"127.0.0.1\"]\n\n[servers.web]\naddr = %q\nenabled_h2 = true\nlocations = [%s]\n", addr, quoted(locations))
	for _, name := range upstreamsOf(conf) {
		conf += fmt.Sprintf("\n[upstreams.%s]\naddrs = [%q]\n", name, upstream)
	}
	return conf
}

// tablesOf are the names of a category's tables.
func tablesOf(conf, category string) []string {
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^\[`+category+`\.([\w-]+)\]`).FindAllStringSubmatch(conf, -1) {
		names = append(names, m[1])
	}
	return names
}

// upstreamsOf are those that are named and have no table.
func upstreamsOf(conf string) []string {
	var names []string
	there := tablesOf(conf, "upstreams")
	for _, m := range regexp.MustCompile(`(?m)^upstream\s*=\s*"([\w-]+)"`).FindAllStringSubmatch(conf, -1) {
		if !slices.Contains(there, m[1]) && !slices.Contains(names, m[1]) {
			names = append(names, m[1])
		}
	}
	return names
}

func quoted(names []string) string {
	list := make([]string, len(names))
	for i, n := range names {
		list[i] = fmt.Sprintf("%q", n)
	}
	return strings.Join(list, ", ")
}

// Fields by which a question tells the upstream what to answer.
const (
	tellID     = "X-Tell-Id"     // of the question, for finding what arrived
	tellBody   = "X-Tell-Body"   // the body of the answer; without it, that of the request
	tellField  = "X-Tell-Field"  // "name: value" of one more field; may occur several times
	tellStatus = "X-Tell-Status" // three digits
)

// teller is an upstream that answers as it is told and remembers what it was asked.
type teller struct {
	addr  string
	fixed map[string]string // bodies of paths, set before anybody asks
	mu    sync.Mutex        // guards what follows
	seen  map[string]*http.Request
}

func newTeller(t *testing.T) *teller {
	u := &teller{fixed: map[string]string{}, seen: map[string]*http.Request{}}
	s := httptest.NewServer(u)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	u.addr = s.Listener.Addr().String()
	return u
}

// ServeHTTP implements http.Handler.
func (u *teller) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	u.mu.Lock()
	u.seen[r.Header.Get(tellID)] = r
	u.mu.Unlock()
	for _, f := range r.Header.Values(tellField) {
		name, value, _ := strings.Cut(f, ": ")
		w.Header().Add(name, value)
	}
	if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		serveTunnel(w, r)
		return
	}
	if text := r.Header.Get(tellBody) + u.fixed[r.URL.Path]; text != "" {
		body = []byte(text)
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	status := 200
	_, _ = fmt.Sscan(r.Header.Get(tellStatus), &status) // absent: as it is
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// serveTunnel agrees to the upgrade and sends every byte back.
func serveTunnel(w http.ResponseWriter, r *http.Request) {
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	w.Header().Set("Sec-WebSocket-Accept", base64.StdEncoding.EncodeToString(sum[:]))
	w.Header().Set("Connection", "Upgrade")
	w.Header().Set("Upgrade", "websocket")
	w.WriteHeader(http.StatusSwitchingProtocols)
	conn, held, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = io.Copy(conn, held) // the first bytes may have been read already
}

// arrived is the request of a question, nil if none came.
func (u *teller) arrived(id string) *http.Request {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.seen[id]
}

// question is a request. Its path has a query where it matters.
type question struct {
	method, path string // empty: GET, /
	fields       []string
	body         string
}

// readme is the running example, asked in one of the ways.
type readme struct {
	*testing.T
	addr     string
	upstream *teller
	other    *teller // for examples that name one more
	ask      func(r *readme, q question) (*answer, error)
	tunnels  bool // ask wants to upgrade
	asked    atomic.Int64
}

// reply is an answer, and the request as an upstream got it.
type reply struct {
	*answer
	r    *readme
	seen *http.Request // nil: none did
	// other tells that it went to the other upstream.
	other bool
}

func (r *readme) reply(q question) reply {
	r.Helper()
	if q.method == "" {
		q.method = "GET"
	}
	if q.path == "" {
		q.path = "/"
	}
	id := fmt.Sprint(r.asked.Add(1))
	q.fields = append(slices.Clone(q.fields), tellID+": "+id)
	a, err := r.ask(r, q)
	if err != nil {
		r.Fatalf("%s %s: %v", q.method, q.path, err)
	}
	if seen := r.other.arrived(id); seen != nil {
		return reply{a, r, seen, true}
	}
	return reply{a, r, r.upstream.arrived(id), false}
}

// passes asks what the upstream must answer: with 200, or by switching protocols where that is asked for.
func (r *readme) passes(q question) reply {
	r.Helper()
	a := r.reply(q)
	if a.seen == nil || a.status != 200 && a.status != 101 {
		r.Errorf("%s %s %q: status %d, arrived: %v: %s", q.method, q.path, q.fields, a.status, a.seen != nil, tail(string(a.body), 200))
		a.seen = cmpRequest(a.seen)
	}
	return a
}

// answers asks what must be answered without the upstream.
func (r *readme) answers(q question, status int) reply {
	r.Helper()
	a := r.reply(q)
	if a.status != status || a.seen != nil {
		r.Errorf("%s %s %q: status %d, want %d, arrived: %v: %s", q.method, q.path, q.fields, a.status, status, a.seen != nil, tail(string(a.body), 200))
	}
	return a
}

// eventuallyAnswers is answers for what only control knows, which may not have been told of the configuration yet.
func (r *readme) eventuallyAnswers(q question, status int) reply {
	r.Helper()
	_ = within(patience, func() error { // answers says what is wrong
		if a := r.reply(q); a.status != status {
			return fmt.Errorf("status %d", a.status)
		}
		return nil
	})
	return r.answers(q, status)
}

// cmpRequest spares those who look at what arrived a test for nil, after it was said that nothing did.
func cmpRequest(q *http.Request) *http.Request {
	if q == nil {
		q = httptest.NewRequest("GET", "/", nil)
	}
	return q
}

// field checks a field of the answer by a regular expression; an empty one wants it absent.
func (a reply) field(name, pattern string) reply {
	a.r.Helper()
	checkField(a.r, "answer", a.header.Values(name), name, pattern)
	return a
}

// got does the same with the request as the upstream saw it.
func (a reply) got(name, pattern string) reply {
	a.r.Helper()
	checkField(a.r, "upstream's request", cmpRequest(a.seen).Header.Values(name), name, pattern)
	return a
}

func checkField(r *readme, where string, values []string, name, pattern string) {
	r.Helper()
	switch {
	case pattern == "" && len(values) > 0:
		r.Errorf("%s: %s is %q, want none", where, name, values)
	case pattern != "" && !regexp.MustCompile(pattern).MatchString(strings.Join(values, ", ")):
		r.Errorf("%s: %s is %q, want %s", where, name, values, pattern)
	}
}

// text checks the body by a regular expression, if there is one.
func (a reply) text(pattern string) reply {
	a.r.Helper()
	if a.status != http.StatusSwitchingProtocols && !regexp.MustCompile(pattern).Match(a.body) {
		a.r.Errorf("body %q, want %s", tail(string(a.body), 500), pattern)
	}
	return a
}

// replaced is a text with a part of it replaced, which must be there.
func replaced(r *readme, text, old, by string) string {
	r.Helper()
	if !strings.Contains(text, old) {
		r.Fatalf("%q is not in:\n%s", old, text)
	}
	return strings.ReplaceAll(text, old, by)
}

// fileFrom copies a file to where the workers' user may read it.
func fileFrom(r *readme, path string) string {
	r.Helper()
	to := filepath.Join(workDir(r.T), filepath.Base(path))
	write(r.T, to, read(r.T, path))
	return to
}
