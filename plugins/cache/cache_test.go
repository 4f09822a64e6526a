package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/BurntSushi/toml"

	"pingap/config"
	"pingap/message"
	"pingap/plugins"
	"pingap/plugins/plugintest"
)

// fixture is an instance, and what the proxy would do with it.
type fixture struct {
	*plugins.Instance
	t    testing.TB
	once sync.Once
}

func (f *fixture) close() {
	f.once.Do(func() {
		if err := f.Close(); err != nil {
			f.t.Error(err)
		}
	})
}

func start(t testing.TB, table string, s *plugins.Services) *fixture {
	t.Helper()
	params := map[string]any{}
	if _, err := toml.Decode(table, &params); err != nil {
		t.Fatal(err)
	}
	r := plugins.NewRegistry([]plugins.Factory{Factory()}, nil).WithServices(s)
	i, err := r.Build(&config.Plugin{Name: "x", Category: "cache", Params: params})
	if err != nil {
		t.Fatalf("%s\n%v", table, err)
	}
	f := &fixture{Instance: i, t: t}
	t.Cleanup(f.close)
	return f
}

// stores runs a test with both kinds of store.
func stores(t *testing.T, table string, test func(t *testing.T, f *fixture)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) { test(t, start(t, table, &plugins.Services{})) })
	t.Run("files", func(t *testing.T) {
		test(t, start(t, fmt.Sprintf("directory = %q\n%s", t.TempDir(), table), &plugins.Services{}))
	})
}

// result is what the client gets.
type result struct {
	status      int
	body, label string
	fields      []message.Field
	asked       string // the fields that the upstream got; empty where it was not asked
	refresh     bool
}

func (r *result) field(name string) string {
	for _, f := range r.fields {
		if message.EqualFold(f.Name, name) {
			return string(f.Value)
		}
	}
	return ""
}

// serve does what the proxy does with a request, and a response of the upstream with its body: "200\nA: b\n\nbody". An empty one fails with 502.
func (f *fixture) serve(request, response string) *result {
	f.t.Helper()
	e := plugintest.New(f.t, request)
	d := f.Decider.Decide(e)
	if d.Answer != nil {
		r := f.take(d.Answer)
		f.recorded(e, r)
		r.refresh = d.Refresh
		if d.Refresh {
			f.upstream(e, response)
		}
		e.End(true)
		return r
	}
	r := f.upstream(e, response)
	f.recorded(e, r)
	e.End(true)
	return r
}

// recorded compares what the record says of the cache with what the client is told.
func (f *fixture) recorded(e *plugins.Exchange, r *result) {
	f.t.Helper()
	told := ""
	if e.Cache != message.Uncached {
		told = string(labels[e.Cache][0])
	}
	if told != r.label {
		f.t.Errorf("the record says %q, the client is told %q", told, r.label)
	}
}

func (f *fixture) upstream(e *plugins.Exchange, response string) *result {
	f.t.Helper()
	asked := "asked\n" + plugintest.FieldText(e.Request.Fields.List())
	if response == "" {
		if a := f.Storer.Rescue(e, 502); a != nil {
			return f.take(a)
		}
		return &result{status: 502}
	}
	head, body, _ := strings.Cut(response, "\n\n")
	plugintest.SetResponse(f.t, e, head)
	filter, a := f.Storer.Store(e)
	if a != nil {
		r := f.take(a)
		r.asked = asked
		return r
	}
	if filter != nil {
		var out []byte
		for i := range body {
			out, _ = filter.Filter(out, []byte{body[i]}, i == len(body)-1)
		}
		filter.(plugins.Ender).End(true)
		if string(out) != body {
			f.t.Errorf("the filter made %q of %q", out, body)
		}
	}
	r := &result{status: e.Response.Status, body: body, fields: append([]message.Field(nil), e.Response.Fields.List()...), asked: asked}
	r.label = r.field("X-Cache")
	return r
}

func (f *fixture) take(a *plugins.Answer) *result {
	f.t.Helper()
	r := &result{status: a.Status, body: string(a.Body), fields: a.Fields}
	switch {
	case a.File != nil:
		b := make([]byte, a.File.Length)
		if _, err := a.File.File.ReadAt(b, a.File.Offset); err != nil {
			f.t.Error(err)
		}
		if err := a.File.File.Close(); err != nil {
			f.t.Error(err)
		}
		r.body = string(b)
	case a.Stream != nil:
		for {
			p, err := a.Stream.Next()
			if err != nil {
				if !errors.Is(err, io.EOF) {
					f.t.Error(err)
				}
				break
			}
			r.body += string(p)
		}
		if err := a.Stream.Close(); err != nil {
			f.t.Error(err)
		}
	}
	r.label = r.field("X-Cache")
	return r
}

// expect checks status, label and body at once.
func (r *result) expect(t *testing.T, what, want string) {
	t.Helper()
	if got := strings.TrimSpace(fmt.Sprintf("%d %s %s", r.status, r.label, r.body)); got != want {
		t.Errorf("%s: got %q, want %q\n%s", what, got, want, plugintest.FieldText(r.fields))
	}
}

const get = "GET /a HTTP/1.1\nHost: a"

func TestStoredResponsesAnswer(t *testing.T) {
	stores(t, "", func(t *testing.T, f *fixture) {
		const response = "200\nCache-Control: max-age=60\nETag: \"t\"\n\nhello"
		f.serve(get, response).expect(t, "first", "200 miss hello")
		r := f.serve(get, "")
		r.expect(t, "second", "200 hit hello")
		if r.field("Age") == "" || r.field("Date") == "" || r.field("X-Cache-Status") != "hit" || r.field("X-Cache-Lookup") == "" {
			t.Errorf("fields\n%s", plugintest.FieldText(r.fields))
		}
		f.serve("HEAD /a\nHost: A:80", "").expect(t, "HEAD", "200 hit hello")
		f.serve(get+"\nRange: bytes=1-2", "").expect(t, "range", "206 hit el")
		f.serve(get+"\nIf-None-Match: \"t\"", "").expect(t, "condition", "304 hit")
		f.serve("GET /a?\nHost: a", "").expect(t, "query", "502")
		f.serve("GET /a\nHost: b", "").expect(t, "host", "502")
		f.serve(get+"\nCache-Control: no-cache", response).expect(t, "no-cache", "200 expired hello")
		f.serve("GET /b\nHost: a\nCache-Control: only-if-cached", "").expect(t, "only-if-cached", "504  Gateway Timeout")
		f.serve(get+"\nCache-Control: no-store", response).expect(t, "no-store", "200 bypass hello")
		f.serve(get+"\nIf-Match: \"x\"", response).expect(t, "precondition", "200 bypass hello")
		f.serve(get+"\nContent-Length: 1", response).expect(t, "body", "200 bypass hello")
		f.serve("GET /p\nHost: a\nRange: bytes=0-1", "206\nCache-Control: max-age=60\nContent-Range: bytes 0-1/5\n\nhe").expect(t, "part", "206 miss he")
		f.serve("GET /p\nHost: a", "").expect(t, "part is not stored", "502")
		f.serve("GET /204\nHost: a", "204\nCache-Control: max-age=60").expect(t, "no body", "204 miss")
		f.serve("GET /204\nHost: a", "").expect(t, "no body", "204 hit")
	})
}

func TestStaleResponsesAreValidated(t *testing.T) {
	stores(t, "", func(t *testing.T, f *fixture) {
		f.serve(get, "200\nCache-Control: max-age=0\nETag: \"t\"\nX: 1\n\nhello").expect(t, "first", "200 miss hello")
		r := f.serve(get+"\nIf-None-Match: \"mine\"", "304\nCache-Control: max-age=60\nX: 2")
		r.expect(t, "second", "200 revalidated hello")
		if !strings.Contains(r.asked, `If-None-Match: "t"`) || strings.Contains(r.asked, "mine") || r.field("X") != "2" {
			t.Errorf("asked %s, got\n%s", r.asked, plugintest.FieldText(r.fields))
		}
		f.serve(get, "").expect(t, "third", "200 hit hello")
		f.serve(get+"\nCache-Control: no-cache\nIf-None-Match: \"t\"", "304").expect(t, "client validates", "304 revalidated")
		f.serve(get+"\nCache-Control: no-cache", "200\nCache-Control: max-age=60\n\nnew").expect(t, "another", "200 expired new")
		f.serve(get, "").expect(t, "and stays", "200 hit new")
		f.serve("GET /b\nHost: a\nIf-None-Match: \"mine\"", "304").expect(t, "nothing stored", "304 miss")
	})
}

func TestFailuresAreHiddenByStaleResponses(t *testing.T) {
	stores(t, "stale_if_error = \"1h\"", func(t *testing.T, f *fixture) {
		f.serve(get, "200\nCache-Control: max-age=60\nAge: 60\nETag: \"t\"\n\nhello").expect(t, "first", "200 miss hello")
		f.serve(get, "503\n\nsorry").expect(t, "503", "200 stale hello")
		f.serve(get, "").expect(t, "no answer", "200 stale hello")
		f.serve(get+"\nCache-Control: no-cache", "").expect(t, "the client insists", "502")
		f.serve("GET /m\nHost: a", "200\nCache-Control: max-age=0, must-revalidate\nETag: \"t\"\n\nhello").expect(t, "first", "200 miss hello")
		f.serve("GET /m\nHost: a", "").expect(t, "the upstream forbids", "502")
	})
}

func TestStaleWhileRevalidate(t *testing.T) {
	stores(t, "", func(t *testing.T, f *fixture) {
		f.serve(get, "200\nCache-Control: max-age=60, stale-while-revalidate=100\nAge: 60\nETag: \"t\"\n\nold").expect(t, "first", "200 miss old")
		r := f.serve(get+"\nRange: bytes=0-0", "") // and the refresh fails
		r.expect(t, "second", "206 updating o")
		if !r.refresh {
			t.Error("nobody refreshes")
		}
		if r = f.serve(get, ""); r.refresh {
			t.Error("no pause after a failure")
		}
		r.expect(t, "third", "200 updating old")
		time.Sleep(refreshPause) // that is what is tested
		r = f.serve(get, "200\nCache-Control: max-age=60\n\nnew")
		r.expect(t, "fourth", "200 updating old")
		if r.field("X-Cache-Status") != "stale-updating" {
			t.Error(r.field("X-Cache-Status"))
		}
		f.serve(get, "").expect(t, "fifth", "200 hit new")
	})
}

func TestUnsafeRequestsInvalidate(t *testing.T) {
	stores(t, "", func(t *testing.T, f *fixture) {
		fill := func() {
			for _, path := range []string{"/a", "/b", "/c/d"} {
				f.serve("GET "+path+"\nHost: a", "200\nCache-Control: max-age=60\n\nx")
			}
		}
		cases := []struct{ request, response, gone string }{
			{"POST /a\nHost: a", "200", "/a"}, {"POST /a\nHost: a", "500", ""}, {"M-SEARCH /a\nHost: a", "204", "/a"}, {"OPTIONS /a\nHost: a", "200", ""},
			{"POST /c/x\nHost: a", "201\nLocation: d", "/c/d"}, {"PUT /x\nHost: a", "200\nContent-Location: http://A:80/b#f", "/b"},
			{"POST /x\nHost: a", "303\nLocation: http://other/b", ""}, {"DELETE /b\nHost: a", "302\nLocation: /a", "/a /b"},
		}
		for _, c := range cases {
			fill()
			f.serve(c.request, c.response)
			var gone []string
			for _, path := range []string{"/a", "/b", "/c/d"} {
				if f.serve("GET "+path+"\nHost: a", "").status == 502 {
					gone = append(gone, path)
				}
			}
			if got := strings.Join(gone, " "); got != c.gone {
				t.Errorf("%s, %s: %q is gone, want %q", c.request, c.response, got, c.gone)
			}
		}
	})
}

func TestPurge(t *testing.T) {
	const table = "purge_ip_list = [\"192.0.2.0/24\"]\nnamespace = \"n\"\nskip = \"^/skip\""
	stores(t, table, func(t *testing.T, f *fixture) {
		cases := []struct{ request, want, gone string }{
			{"PURGE /a\nHost: a", "204", "/a"}, {"PURGE /b/*\nHost: a", "200  purged: 2, fail: 0", "/b/1 /b/2"}, {"PURGE /b/*\nHost: other", "200  purged: 0, fail: 0", ""},
			{"PURGE /*\nHost: a", "200  purged: 3, fail: 0", "/a /b/1 /b/2"}, {"PURGE /\nHost: a\nCache-Tag: t1, none", "200  purged: 1, fail: 0", "/b/1"},
			{"PURGE /skip\nHost: a", "204", ""}, {"PURGE /none\nHost: a", "204", ""},
		}
		for _, c := range cases {
			for path, tag := range map[string]string{"/a": "t0", "/b/1": "t1", "/b/2": "t2"} {
				f.serve("GET "+path+"\nHost: a", "200\nCache-Control: max-age=60\nCache-Tag: "+tag+"\n\nx")
			}
			f.serve(c.request, "").expect(t, c.request, c.want)
			var gone []string
			for _, path := range []string{"/a", "/b/1", "/b/2"} {
				if f.serve("GET "+path+"\nHost: a", "").status == 502 {
					gone = append(gone, path)
				}
			}
			if got := strings.Join(gone, " "); got != c.gone {
				t.Errorf("%s: %q is gone, want %q", c.request, got, c.gone)
			}
		}
		f.serve("GET /skip\nHost: a", "200\nCache-Control: max-age=60\n\nx").expect(t, "skip", "200 bypass x")
	})
	stores(t, "", func(t *testing.T, f *fixture) {
		f.serve("PURGE /a\nHost: a", "").expect(t, "nobody may", "403  Forbidden, ip is not allowed")
	})
	stores(t, "purge_ip_list = [\"192.0.2.1\"]", func(t *testing.T, f *fixture) {
		for _, host := range []string{"a", "b"} {
			f.serve("GET /x\nHost: "+host, "200\nCache-Control: max-age=60\n\nx").expect(t, "first", "200 miss x")
			f.serve("GET /x\nHost: "+host, "").expect(t, "stored", "200 hit x")
		}
		f.serve("PURGE /*\nHost: a", "").expect(t, "all", "200  purged: 2, fail: 0")
		f.serve("GET /x\nHost: b", "200\nCache-Control: max-age=60\n\ny").expect(t, "gone", "200 miss y")
	})
}

// Two workers, each with its memory.
func TestPurgesReachOtherWorkers(t *testing.T) {
	var workers [2]*plugins.Services
	tell := func(_ context.Context, topic string, body []byte) error {
		for _, w := range workers {
			w.Heard(topic, body)
		}
		return nil
	}
	for i := range workers {
		workers[i] = &plugins.Services{Tell: tell}
	}
	const table = "purge_ip_list = [\"192.0.2.1\"]\nnamespace = \"n\""
	first, second := start(t, table, workers[0]), start(t, table, workers[1])
	fill := func() {
		for _, f := range []*fixture{first, second} {
			f.serve(get, "200\nCache-Control: max-age=60\n\nx")
		}
	}
	for _, request := range []string{"PURGE /a\nHost: a", "PURGE /*\nHost: a"} {
		fill()
		first.serve(request, "")
		second.serve(get, "").expect(t, request, "502")
	}
	fill()
	first.serve("POST /a\nHost: a", "200")
	first.close() // what is to be told is told
	second.serve(get, "").expect(t, "POST", "502")
}

func TestOneRequestAsksForAll(t *testing.T) {
	stores(t, "lock = \"10s\"", func(t *testing.T, f *fixture) {
		leader := plugintest.New(t, get)
		if d := f.Decider.Decide(leader); d.Answer != nil {
			t.Fatal("there is nothing to answer with")
		}
		const body = "hello, all of you"
		var others sync.WaitGroup
		for range 8 {
			others.Add(1)
			go func() {
				defer others.Done()
				e := plugintest.New(t, get)
				d := f.Decider.Decide(e)
				if d.Answer == nil {
					t.Error("another one asks")
					e.End(false)
					return
				}
				r := f.take(d.Answer)
				e.End(true)
				r.expect(t, "follower", "200 hit "+body)
			}()
		}
		plugintest.SetResponse(t, leader, "200\nCache-Control: max-age=60")
		filter, _ := f.Storer.Store(leader)
		for i := range body {
			if _, err := filter.Filter(nil, []byte{body[i]}, false); err != nil {
				t.Error(err)
			}
		}
		filter.(plugins.Ender).End(true)
		leader.End(true)
		others.Wait()
	})
}

func TestNobodyWaitsForWhatIsNotStored(t *testing.T) {
	ends := map[string]func(f *fixture, e *plugins.Exchange){
		"not storable": func(f *fixture, e *plugins.Exchange) {
			plugintest.SetResponse(t, e, "200\nCache-Control: private")
			f.Storer.Store(e)
		},
		"gone before the head": func(_ *fixture, e *plugins.Exchange) { e.End(false) },
		"too long": func(f *fixture, e *plugins.Exchange) {
			plugintest.SetResponse(t, e, "200\nCache-Control: max-age=60\nContent-Length: 99999999")
			f.Storer.Store(e)
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			stores(t, "lock = \"1m\"", func(t *testing.T, f *fixture) {
				leader := plugintest.New(t, get)
				f.Decider.Decide(leader)
				done := make(chan *plugins.Exchange)
				go func() {
					e := plugintest.New(t, get)
					if d := f.Decider.Decide(e); d.Answer != nil {
						t.Errorf("%+v", d.Answer)
					}
					done <- e
				}()
				end(f, leader)
				(<-done).End(false) // within the test's time, not the minute
				leader.End(false)
			})
		})
	}
}

func TestWaitingIsBounded(t *testing.T) {
	stores(t, "lock = \"20ms\"", func(t *testing.T, f *fixture) {
		leader, e := plugintest.New(t, get), plugintest.New(t, get)
		f.Decider.Decide(leader)
		if d := f.Decider.Decide(e); d.Answer != nil || e.CacheLock < int64(20*time.Millisecond) {
			t.Errorf("%+v after %d", d, e.CacheLock)
		}
		e.End(false)
		leader.End(false)
	})
}

func TestPredictorRemembersWhatIsNotStored(t *testing.T) {
	f := start(t, "predictor = false\nlock = \"1m\"", &plugins.Services{})
	f.serve(get, "200\nCache-Control: private\n\nx")
	first, second := plugintest.New(t, get), plugintest.New(t, get)
	f.Decider.Decide(first)
	f.Decider.Decide(second) // does not wait
	first.End(false)
	second.End(false)
}

func TestHeadersArePartOfTheKey(t *testing.T) {
	stores(t, "headers = [\"X-A\", \"X-B\"]", func(t *testing.T, f *fixture) {
		f.serve(get+"\nX-A: 1", "200\nCache-Control: max-age=60\n\none")
		f.serve(get+"\nx-a: 1", "").expect(t, "same", "200 hit one")
		f.serve(get+"\nX-B: 1", "").expect(t, "same value of another", "502")
		f.serve(get, "").expect(t, "without", "502")
	})
}

func TestRequestsMayBeDeniedTheirSay(t *testing.T) {
	f := start(t, "ignore_request_directives = true", &plugins.Services{})
	f.serve(get, "200\nCache-Control: max-age=60\n\nx")
	f.serve(get+"\nCache-Control: no-cache, no-store", "").expect(t, "no-cache", "200 hit x")
}

func TestShadowTouchesNothing(t *testing.T) {
	f := start(t, "purge_ip_list = [\"192.0.2.1\"]\nlock = \"1m\"", &plugins.Services{})
	f.serve(get, "200\nCache-Control: max-age=60\n\nx")
	e := plugintest.New(t, "PURGE /a\nHost: a")
	e.Shadow = true
	f.Decider.Decide(e)
	f.serve(get, "").expect(t, "after the purge", "200 hit x")
	for range 2 { // the second would wait if the first led
		e = plugintest.New(t, "GET /none\nHost: a")
		e.Shadow = true
		if d := f.Decider.Decide(e); d.Answer != nil || e.State != nil {
			t.Errorf("%+v %v", d, e.State)
		}
	}
}

func TestUpgradesAndOthersPass(t *testing.T) {
	f := start(t, "", &plugins.Services{})
	for _, request := range []string{"GET /a\nUpgrade: websocket\nConnection: Upgrade\nHost: a", "POST /a\nHost: a", "OPTIONS *\nHost: a"} {
		e := plugintest.New(t, request)
		if d := f.Decider.Decide(e); d.Answer != nil || e.State != nil {
			t.Errorf("%s: %+v", request, d)
		}
	}
}

func TestAHitAndPassingDoNotAllocate(t *testing.T) {
	f := start(t, "skip = \"^/skip\"", &plugins.Services{})
	f.serve(get, "200\nCache-Control: max-age=60\n\nhello")
	hit, skipped := plugintest.New(t, get), plugintest.New(t, "GET /skip\nHost: a")
	if n := testing.AllocsPerRun(100, func() { f.Decider.Decide(hit) }); n > 0.5 { // once a second one is made anew
		t.Errorf("%v allocations for a hit", n)
	}
	if n := testing.AllocsPerRun(100, func() { f.Decider.Decide(skipped) }); n != 0 {
		t.Errorf("%v allocations for what passes", n)
	}
}

func BenchmarkHit(b *testing.B) {
	f := start(b, "", &plugins.Services{})
	f.serve(get, "200\nCache-Control: max-age=600\n\n"+strings.Repeat("x", 1024))
	e := plugintest.New(b, get)
	b.ReportAllocs()
	for b.Loop() {
		f.Decider.Decide(e)
	}
}

func TestRefusesWrongParameters(t *testing.T) {
	plugintest.Refused(t, Factory(), []plugintest.RefusedCase{
		{Table: `purge_ip_list = ["x"]`, Key: "purge_ip_list", Message: `entry 1: expected an IP address or a network such as 10.0.0.0/8, found "x"`},
		{Table: `headers = ["a b"]`, Key: "headers", Message: "entry 1: expected the name of a field"},
		{Table: `namespace = "../x"`, Key: "namespace", Message: "expected letters, digits, dot, dash and underscore only"},
		{Table: `max_file_size = 0`, Key: "max_file_size", Message: "expected 1 byte to 1tib"},
		{Table: `lock = "2m"`, Key: "lock", Message: "expected at most 1m"},
		{Table: `directory = "/tmp/x?levels=4"`, Key: "directory", Message: "levels: expected one or two numbers from 1 to 3, such as 1:2"},
		{Table: `directory = "/tmp/x?size=4"`, Key: "directory", Message: "size: expected max_size, inactive, levels, reading_max, writing_max, cache_max or cache_file_max_weight"},
		{Table: `directory = "memory://?max_size=101"`, Key: "directory", Message: "max_size: expected 1 to 100 per cent, or a size such as 100mb"},
		{Table: `directory = "redis://x"`, Key: "directory", Message: "expected a path, or memory://"},
		{Table: `directory = "/"`, Key: "directory", Message: "expected the path of a directory"},
		{Table: `skip = "("`, Key: "skip", Message: "error parsing regexp: missing closing ): `(`"},
		{Table: `step = "response"`, Key: "step", Message: `cache has no step "response", expected request`},
	})
}

func TestInstancesWithTheSameSettingsShareAStore(t *testing.T) {
	s := &plugins.Services{}
	first, second := start(t, "namespace = \"n\"", s), start(t, "namespace = \"n\"\nmax_ttl = \"5s\"", s)
	first.serve(get, "200\nCache-Control: max-age=60\n\nx")
	second.serve(get, "").expect(t, "same store", "200 hit x")
	start(t, "namespace = \"m\"", s).serve(get, "").expect(t, "other namespace", "502")
	start(t, "namespace = \"n\"\ndirectory = \"memory://?max_size=50&mode=Compact\"", s).serve(get, "").expect(t, "other store", "502")
}
