package limit

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pingap/arena"
	"pingap/message"
	"pingap/plugins"
	"pingap/plugins/plugintest"
)

func TestRefusesWrongParameters(t *testing.T) {
	const away = "expected redis://user:password@host:port/db or rediss://..., with options of the client if any"
	const rates = "is for type rate: requests at a time are counted on each host by itself"
	plugintest.Refused(t, Factory(), []plugintest.RefusedCase{
		{Table: ``, Key: "max", Message: "is required: How many requests are let through, in each interval or at a time; 0 refuses all that are told apart."},
		{Table: `max = -1`, Key: "max", Message: "expected 0 to 1000000000, found -1"},
		{Table: "max = 1\ntype = \"sliding\"", Key: "type", Message: `expected rate or inflight, found "sliding"`},
		{Table: "max = 1\ntag = \"user\"", Key: "tag", Message: `expected ip or header or cookie or query or path, found "user"`},
		{Table: "max = 1\ntag = \"header\"", Key: "key", Message: "is required with tag header: the name of the header"},
		{Table: "max = 1\ntag = \"query\"", Key: "key", Message: "is required with tag query: the name of the query parameter"},
		{Table: "max = 1\ntag = \"cookie\"\nkey = \"a b\"", Key: "key", Message: "expected the name of a cookie"},
		{Table: "max = 1\ntag = \"header\"\nkey = \"a:\"", Key: "key", Message: "expected the name of a header"},
		{Table: "max = 1\ninterval = \"366days\"", Key: "interval", Message: "expected more than 0 and at most 365 days, found 8784h0m0s"},
		{Table: "max = 2000\ninterval = \"1ms\"", Key: "max", Message: "expected at most one request in each microsecond, found 2000 in 1ms"},
		{Table: "max = 5\nburst = 0", Key: "burst", Message: "expected 0 if max is 0, and only then"},
		{Table: "max = 0\nburst = 5", Key: "burst", Message: "expected 0 if max is 0, and only then"},
		{Table: "max = 1\ninterval = \"200days\"\nburst = 2", Key: "burst", Message: "expected what becomes free again in 365 days at most, 1"},
		{Table: "max = 1\nweight = 101", Key: "weight", Message: "expected 0 to 100, found 101"},
		{Table: "max = 1\nstorage_timeout = \"1s\"", Key: "storage_timeout", Message: "is of no use without storage"},
		{Table: "max = 1\nstorage = \"redis://h\"\nstorage_timeout = \"1us\"", Key: "storage_timeout", Message: "expected 1ms to 10s, found 1µs"},
		{Table: "max = 1\nstorage = \"http://:hunter2@h\"", Key: "storage", Message: away},
		{Table: "max = 1\nstorage = \"redis://:hunter2\"", Key: "storage", Message: away},
		{Table: "max = 1\nstorage = \"redis://:hunter2@h/x\"", Key: "storage", Message: away},
		{Table: "max = 1\nstorage = \"redis://:hunter2@h/0?hunter2=1\"", Key: "storage", Message: away},
		{Table: "max = 1\nstorage = \"redis://:hunter2@h\\u0000\"", Key: "storage", Message: away},
		{Table: "max = 1\ntype = \"inflight\"\nstorage = \"redis://h\"", Key: "storage", Message: rates},
		{Table: "max = 1\ntype = \"inflight\"\nburst = 3", Key: "burst", Message: rates},
		{Table: "max = 1\nstep = \"early_request\"", Key: "step", Message: `limit has no step "early_request", expected request or proxy_upstream`},
	})
}

// workers are mappings of one arena, as two processes would have them.
func workers(t testing.TB, n int) (all []*plugins.Services) {
	t.Helper()
	a, err := arena.Create(arena.Options{Columns: n})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	for column := range n {
		fd, err := unix.FcntlInt(uintptr(a.FD()), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		m, err := arena.Map(fd, column)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { m.Close() })
		all = append(all, &plugins.Services{Arena: m})
	}
	return all
}

// passed asks for n requests, each over the next worker, and returns how many were let through.
func passed(t *testing.T, all []*plugins.Instance, request string, n int) (got int) {
	t.Helper()
	for i := range n {
		if all[i%len(all)].Decider.Decide(plugintest.New(t, request)).Answer == nil {
			got++
		}
	}
	return got
}

func serve(t *testing.T, table string, services []*plugins.Services) (all []*plugins.Instance) {
	t.Helper()
	for _, s := range services {
		all = append(all, plugintest.Serve(t, Factory(), table, s))
	}
	return all
}

func TestARateHoldsOverWorkersAndByClient(t *testing.T) {
	for _, c := range []struct {
		name, table string
		requests    []string // of clients that differ
		free        []string // of clients that are not limited
	}{
		{"header", "tag = \"header\"\nkey = \"x-api-key\"", []string{"GET /\nX-Api-Key: a", "GET /\nx-api-key: b"}, []string{"GET /", "GET /\nX-Api-Key:"}},
		{"known header", "tag = \"header\"\nkey = \"Authorization\"", []string{"GET /\nAuthorization: a", "GET /\nAuthorization: b"}, []string{"GET /"}},
		{"host", "tag = \"header\"\nkey = \"host\"", []string{"GET /\nHost: a", "GET /\nHost: b"}, []string{"GET /"}},
		{"cookie", "tag = \"cookie\"\nkey = \"id\"", []string{"GET /\nCookie: x=1; id=a", "GET /\nCookie: id=b"}, []string{"GET /\nCookie: x=1", "GET /\nCookie: id="}},
		{"query", "tag = \"query\"\nkey = \"k\"", []string{"GET /?k=a", "GET /y?z=k&k=b&k=a"}, []string{"GET /", "GET /?k", "GET /?k=", "GET /?K=a"}},
		{"path", `tag = "path"`, []string{"GET /a?1", "GET /b?1"}, nil},
		{"ip", ``, []string{"GET /"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			all := serve(t, "max = 3\ninterval = \"1h\"\n"+c.table, workers(t, 2))
			for _, request := range c.requests {
				if got := passed(t, all, request, 8); got != 3 {
					t.Errorf("%q: %d of 8", request, got)
				}
			}
			for _, request := range c.free {
				if got := passed(t, all, request, 8); got != 8 {
					t.Errorf("%q: %d of 8", request, got)
				}
			}
		})
	}
}

func TestClientsCannotBeSomeoneElseByWritingAValueDifferently(t *testing.T) {
	all := serve(t, "max = 2\ninterval = \"1h\"\ntag = \"query\"\nkey = \"a b\"", workers(t, 1))
	same := []string{"GET /?a%20b=x+y", "GET /?a+b=%78%20y", "GET /?z&%61+b=x%20y", "GET /?a%20b=x%20%79"}
	got := 0
	for _, request := range same {
		got += passed(t, all, request, 1)
	}
	if got != 2 {
		t.Errorf("%d of 4 requests of one client", got)
	}
	all = serve(t, "max = 1\ninterval = \"1h\"\ntag = \"path\"", workers(t, 1))
	if got := passed(t, all, "GET /a/b", 1) + passed(t, all, "GET //a/./%62", 1); got != 1 {
		t.Errorf("%d requests for one path", got)
	}
}

func TestValuesOfAllLengthsAreClientsOfTheirOwn(t *testing.T) {
	all := serve(t, "max = 1\ninterval = \"1h\"\ntag = \"query\"\nkey = \"k\"", workers(t, 1))
	for n := 1; n < 2*scratchSize; n++ {
		value := strings.Repeat("x", n)
		if n%2 == 0 {
			value = "%41" + value // decoded, in scratch or beyond it
		}
		if got := passed(t, all, "GET /?k="+value, 3); got != 1 {
			t.Fatalf("%d bytes: %d", n, got)
		}
	}
}

func TestWhatAClientHasUsedBelongsToTheNameOfThePlugin(t *testing.T) {
	services := workers(t, 1)
	first := serve(t, "max = 2\ninterval = \"1h\"", services)
	if got := passed(t, first, "GET /", 5); got != 2 {
		t.Fatal(got)
	}
	// Built anew by an apply, with other parameters.
	if got := passed(t, serve(t, "max = 2\nburst = 3\ninterval = \"1h\"", services), "GET /", 5); got != 1 {
		t.Errorf("%d more with a burst of one more", got)
	}
}

func TestBurstAndZero(t *testing.T) {
	for table, want := range map[string]int{
		"max = 100\ninterval = \"365days\"\nburst = 4": 4,
		"max = 1\ninterval = \"1h\"\nburst = 7":        7,
		"max = 0":                                      0,
		"max = 0\ntype = \"inflight\"":                 0,
		"max = 5\ninterval = \"1h\"\nweight = 0":       5,
		"max = 1000\ninterval = \"1ms\"\nburst = 1\ntag=\"header\"\nkey=\"none\"": 10,
	} {
		if got := passed(t, serve(t, table, workers(t, 1)), "GET /", 10); got != want {
			t.Errorf("%s: %d, want %d", table, got, want)
		}
	}
}

func TestRefusalsSayWhenAndHowMuch(t *testing.T) {
	x := serve(t, "max = 4\ninterval = \"1h\"", workers(t, 1))[0]
	passed(t, []*plugins.Instance{x}, "GET /", 4)
	refused := plugintest.New(t, "GET /")
	d := x.Decider.Decide(refused)
	if refused.Limited != message.LimitedByPlugin {
		t.Error("the record does not say who refused")
	}
	a := d.Answer
	if a == nil || a.Status != 429 || !strings.HasPrefix(string(a.Body), "Plugin limit, exceed limit ") || !strings.HasSuffix(string(a.Body), "/4") {
		t.Fatalf("%+v", a)
	}
	value, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimPrefix(string(a.Body), "Plugin limit, exceed limit "), "/4"), 64)
	if err != nil || value <= 4 || value > 5 {
		t.Errorf("value %v, %v", value, err)
	}
	if wait, _ := strconv.Atoi(plugintest.Field(a, "Retry-After")); wait < 895 || wait > 900 {
		t.Errorf("Retry-After: %d", wait)
	}
	reset := plugintest.Field(a, "X-RateLimit-Reset")
	if n, _ := strconv.Atoi(reset); n < 3595 || n > 3600 {
		t.Errorf("reset: %s", reset)
	}
	for name, want := range map[string]string{"RateLimit-Policy": `"x";q=4;w=3600`, "RateLimit": `"x";r=0;t=` + reset,
		"X-RateLimit-Limit": "4", "X-RateLimit-Remaining": "0"} {
		if got := plugintest.Field(a, name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestResponsesTellWhatIsLeft(t *testing.T) {
	services := workers(t, 1)[0]
	x := plugintest.Serve(t, Factory(), "max = 4\ninterval = \"8s\"\nheaders = true", services)
	y := plugintest.Serve(t, Factory(), "max = 9\ntype = \"inflight\"\nheaders = true", services)
	e := plugintest.New(t, "GET /")
	for range 2 {
		e.End(true)
		for _, each := range []*plugins.Instance{x, y} {
			if each.Decider.Decide(e).Answer != nil {
				t.Fatal("refused")
			}
		}
	}
	plugintest.SetResponse(t, e, "200 OK")
	x.Responder.Response(e)
	y.Responder.Response(e)
	const want = `RateLimit-Policy: "x";q=4;w=8
RateLimit: "x";r=2;t=4
X-RateLimit-Limit: 4
X-RateLimit-Remaining: 2
X-RateLimit-Reset: 4
RateLimit-Policy: "x";q=9;qu="concurrent-requests"
RateLimit: "x";r=8
`
	if got := plugintest.FieldText(e.Response.Fields.List()); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	quiet := plugintest.Serve(t, Factory(), "max = 4", services)
	if quiet.Responder != nil {
		t.Error("without headers it acts on responses")
	}
	other := plugintest.New(t, "GET /") // which no limit has decided about
	plugintest.SetResponse(t, other, "200 OK")
	x.Responder.Response(other)
	if other.Response.Fields.Len() != 0 {
		t.Error("fields without a decision")
	}
}

func TestRequestsAtATimeAreHeldUntilTheEnd(t *testing.T) {
	all := serve(t, "max = 3\ntype = \"inflight\"", workers(t, 2))
	var open []*plugins.Exchange
	for i := range 3 {
		e := plugintest.New(t, "GET /")
		if all[i%2].Decider.Decide(e).Answer != nil {
			t.Fatalf("%d was refused", i)
		}
		open = append(open, e)
	}
	for i := range 4 {
		e := plugintest.New(t, "GET /")
		a := all[i%2].Decider.Decide(e).Answer
		if a == nil || a.Status != 429 || string(a.Body) != "Plugin limit, exceed limit 4/3" || plugintest.Field(a, "Retry-After") != "1" {
			t.Fatalf("%+v", a)
		}
		if e.Limited != message.LimitedByPlugin {
			t.Error("the record does not say who refused")
		}
		e.End(true) // gives back nothing
	}
	open[0].End(false)
	open[0].End(true) // of the next exchange on this connection
	if got := passed(t, all, "GET /", 2); got != 1 {
		t.Errorf("%d for one that has ended", got)
	}
}

// In the original the second limit on a request gave back what the first held.
func TestTwoLimitsOnOneRequestHoldBoth(t *testing.T) {
	services := workers(t, 1)[0]
	byIP := plugintest.Serve(t, Factory(), "max = 1\ntype = \"inflight\"", services)
	byKey := plugintest.Serve(t, Factory(), "max = 5\ntype = \"inflight\"\ntag = \"header\"\nkey = \"k\"", services)
	e := plugintest.New(t, "GET /\nk: a")
	if byIP.Decider.Decide(e).Answer != nil || byKey.Decider.Decide(e).Answer != nil {
		t.Fatal("refused")
	}
	if byIP.Decider.Decide(plugintest.New(t, "GET /")).Answer == nil {
		t.Error("the first holds nothing any more")
	}
	e.End(true)
	if byIP.Decider.Decide(plugintest.New(t, "GET /")).Answer != nil {
		t.Error("not given back")
	}
}

func TestControlLimitsNothing(t *testing.T) {
	for _, table := range []string{"max = 0", "max = 0\ntype = \"inflight\"", "max = 1\nstorage = \"redis://127.0.0.1:1\""} {
		x := plugintest.Build(t, Factory(), table)
		if x.Decider.Decide(plugintest.New(t, "GET /")).Answer != nil {
			t.Errorf("%s: refused without shared memory", table)
		}
	}
}

func TestNamesAreStringsOfStructuredFields(t *testing.T) {
	for name, want := range map[string]string{"a": `"a"`, `a"\`: `"a\"\\"`, "é\n\x7f": `"???"`, "": `""`} {
		if got := quoted(name); got != want {
			t.Errorf("%q: %s", name, got)
		}
	}
}

func TestSecondsAreRoundedUp(t *testing.T) {
	for d, want := range map[time.Duration]int64{0: 0, 1: 1, time.Second: 1, time.Second + 1: 2} {
		if got := seconds(d); got != want {
			t.Errorf("%v: %d", d, got)
		}
	}
}

func TestPassingDoesNotAllocate(t *testing.T) {
	services := workers(t, 1)[0]
	for _, table := range []string{"max = 1000000", "max = 1000000\ntag = \"query\"\nkey = \"k\"", "max = 5\ntype = \"inflight\"",
		"max = 1000000\nheaders = true"} {
		x := plugintest.Serve(t, Factory(), table, services)
		e := plugintest.New(t, "GET /?k=a%20b")
		if n := testing.AllocsPerRun(100, func() {
			if x.Decider.Decide(e).Answer != nil {
				t.Fatal("refused")
			}
			e.End(true)
		}); n != 0 {
			t.Errorf("%s: %v allocations", table, n)
		}
	}
}

// FuzzQuery: whatever the query is, a value that is found is what decoding the pair gives, and nothing crashes.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{"", "k=a", "k=%", "k=%4", "k=%zz+", "%6b=1", "&&k", "k=a&k=b", "%6B=%6B%", "+k=1"} {
		f.Add([]byte(seed), "k")
	}
	f.Fuzz(func(t *testing.T, query []byte, key string) {
		got := queryValue(query, key, nil)
		if len(got) > len(query) {
			t.Fatalf("%q of %q", got, query)
		}
		if key != "" && message.ValidToken([]byte(key)) && len(got) > 0 && !strings.Contains(string(decode(nil, query)), string(got)) {
			t.Fatalf("%q is not in %q", got, query)
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	for name, table := range map[string]string{"rate": "max = 1000000000\ninterval = \"1days\"", "inflight": "max = 1000\ntype = \"inflight\"",
		"rate with fields": "max = 1000000000\ninterval = \"1days\"\nheaders = true"} {
		b.Run(name, func(b *testing.B) {
			x := plugintest.Serve(b, Factory(), table, workers(b, 1)[0])
			e := plugintest.New(b, "GET /")
			b.ReportAllocs()
			for b.Loop() {
				if x.Decider.Decide(e).Answer != nil {
					b.Fatal("refused")
				}
				e.End(true)
			}
		})
	}
}
