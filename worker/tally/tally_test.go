package tally

import (
	"reflect"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pingap/arena"
	"pingap/arena/tally"
	"pingap/message"
)

func worker(t testing.TB) *arena.Arena {
	t.Helper()
	a, err := arena.Create(arena.Options{Columns: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	fd, err := unix.FcntlInt(uintptr(a.FD()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	m, err := arena.Map(fd, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func handles(t testing.TB, a *arena.Arena) (*Server, *Location) {
	t.Helper()
	s, err := NewServer(a, "web", []string{"up", "other"})
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.Location(a, "web", "api", "up")
	if err != nil {
		t.Fatal(err)
	}
	return s, l
}

// plain is the record of a proxied request.
func plain() *message.Record {
	r := &message.Record{Conn: &message.Conn{}}
	r.Reset()
	r.Start, r.Status, r.UpstreamAttempts = 1000, 200, 1
	return r
}

// says are the words of a key that are not 0, by metric and label.
func says(t testing.TB, a *arena.Arena, k tally.Key) map[string]int64 {
	t.Helper()
	words, ok := tally.Read(a, k, nil)
	got := map[string]int64{}
	for i := range tally.Families() {
		f := &tally.Families()[i]
		if !ok || f.Kind != k.Kind {
			continue
		}
		for n := range f.Words() {
			name := f.Name
			switch {
			case f.Type == tally.Codes:
				name += " " + f.Values[n]
			case f.Type == tally.Histogram && n == f.Words()-1:
				name += " sum"
			case f.Type == tally.Histogram && n < len(f.Buckets):
				name += " " + time.Duration(f.Buckets[n]*1e9).String()
			case f.Type == tally.Histogram:
				name += " above"
			}
			if v := words[f.At+n]; v != 0 {
				got[name] = v
			}
		}
	}
	return got
}

func TestEachKindOfRequestEndsInItsWords(t *testing.T) {
	const base = "pingap_http_"
	for _, c := range []struct {
		name   string
		change func(*message.Record)
		want   map[string]int64
	}{
		{"answered", func(r *message.Record) { r.RequestBody, r.ResponseBody = 2048, 512 }, map[string]int64{
			base + "received 5s": 1, base + "received sum": 2048, base + "received_bytes": 2048, base + "sent 1s": 1, base + "sent sum": 512,
			base + "sent_bytes": 512, base + "responses_codes 2xx": 1}},
		{"gone", func(r *message.Record) { r.Status = 0 }, map[string]int64{
			base + "received 1s": 1, base + "sent 1s": 1, base + "responses_codes unknown": 1}},
		{"odd", func(r *message.Record) { r.Status = 600 }, map[string]int64{
			base + "received 1s": 1, base + "sent 1s": 1, base + "responses_codes unknown": 1}},
		{"limited", func(r *message.Record) { r.Status, r.Limited = 429, message.LimitedByProcessing }, map[string]int64{
			base + "received 1s": 1, base + "sent 1s": 1, base + "responses_codes 4xx": 1, "pingap_limited_requests_total max_processing": 1}},
		{"refused by a plugin", func(r *message.Record) { r.Status, r.Limited = 429, message.LimitedByPlugin }, map[string]int64{
			base + "received 1s": 1, base + "sent 1s": 1, base + "responses_codes 4xx": 1, "pingap_limited_requests_total limit": 1}},
		{"queued too long", func(r *message.Record) { r.Status, r.Limited = 503, message.LimitedByQueue }, map[string]int64{
			base + "received 1s": 1, base + "sent 1s": 1, base + "responses_codes 5xx": 1, "pingap_limited_requests_total queue": 1}},
		{"hit", func(r *message.Record) { r.Cache = message.CacheHit }, map[string]int64{
			base + "received 1s": 1, base + "sent 1s": 1, base + "responses_codes 2xx": 1, "pingap_cache_requests_total hit": 1}},
		{"bypass", func(r *message.Record) { r.Cache = message.CacheBypass }, map[string]int64{
			base + "received 1s": 1, base + "sent 1s": 1, base + "responses_codes 2xx": 1, "pingap_cache_requests_total bypass": 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := worker(t)
			_, l := handles(t, a)
			r := plain()
			c.change(r)
			l.Begin()
			l.End(r, r.Start+int64(30*time.Millisecond))
			c.want["pingap_http_requests_total"] = 1
			c.want["pingap_http_response_time 50ms"] = 1
			c.want["pingap_http_response_time sum"] = int64(30 * time.Millisecond)
			for _, name := range []string{"api", ""} {
				if got := says(t, a, tally.Key{Kind: tally.LocationBlock, Server: "web", Name: name}); !reflect.DeepEqual(got, c.want) {
					t.Errorf("location %q: %v, want %v", name, got, c.want)
				}
			}
		})
	}
}

func TestEachKindOfAttemptEndsInItsWords(t *testing.T) {
	for _, c := range []struct {
		name     string
		upstream string
		failed   string
		change   func(*message.Record)
		want     map[string]int64
	}{
		{"on a new connection", "up", "", func(r *message.Record) {
			r.UpstreamTCPConnect, r.UpstreamTLSHandshake, r.UpstreamProcessing, r.UpstreamResponse = 1e6, 60e6, 15e6, 2e9
		}, map[string]int64{"pingap_upstream_tcp_connect_time 5ms": 1, "pingap_upstream_tcp_connect_time sum": 1e6,
			"pingap_upstream_tls_handshake_time 100ms": 1, "pingap_upstream_tls_handshake_time sum": 60e6, "pingap_upstream_processing_time 20ms": 1,
			"pingap_upstream_processing_time sum": 15e6, "pingap_upstream_response_time above": 1, "pingap_upstream_response_time sum": 2e9}},
		{"on one that was there", "other", "", func(r *message.Record) { r.UpstreamReused = true }, map[string]int64{"pingap_upstream_reuses": 1}},
		{"refused", "up", "ConnectRefused", func(*message.Record) {}, map[string]int64{"pingap_upstream_errors_total ConnectRefused": 1}},
		{"again", "up", "NoSuchType", func(r *message.Record) { r.UpstreamAttempts = 2 },
			map[string]int64{"pingap_upstream_errors_total other": 1, "pingap_upstream_retries_total": 1}},
		{"at an upstream that is in no configuration", "unknown", "ReadError", func(*message.Record) {}, map[string]int64{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := worker(t)
			_, l := handles(t, a)
			r := plain()
			c.change(r)
			l.Attempt(r, c.upstream, c.failed)
			for _, name := range []string{"up", "other", "unknown"} {
				want := map[string]int64{}
				if name == c.upstream {
					want = c.want
				}
				if got := says(t, a, tally.Key{Kind: tally.UpstreamBlock, Server: "web", Name: name}); !reflect.DeepEqual(got, want) {
					t.Errorf("upstream %s: %v, want %v", name, got, want)
				}
			}
		})
	}
}

func TestWhatIsTheServersIsCountedOnce(t *testing.T) {
	a := worker(t)
	s, _ := handles(t, a)
	s.Handshake(int64(20 * time.Millisecond))
	r := plain()
	s.Request(r)
	r.Conn.Requests, r.CacheLookup, r.CacheLock, r.CompressionRatio = 1, 0, 2e9, 35
	s.Request(r)
	want := map[string]int64{"pingap_connection_reuses": 1, "pingap_tls_handshake_time 50ms": 1, "pingap_tls_handshake_time sum": 20e6,
		"pingap_cache_lookup_time 1ms": 1, "pingap_cache_lock_time 3s": 1, "pingap_cache_lock_time sum": 2e9, "pingap_compression_ratio 5s": 1,
		"pingap_compression_ratio sum": 35}
	if got := says(t, a, tally.Key{Kind: tally.ServerBlock, Server: "web"}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestRequestsInProcessAreAGaugeOfWhatBeganAndNotEnded(t *testing.T) {
	a := worker(t)
	s, l := handles(t, a)
	second, err := s.Location(a, "web", "second", "")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		l.Begin()
		second.Begin()
	}
	second.End(plain(), 2000)
	for name, want := range map[string]int64{"api": 3, "second": 2, "": 5} {
		g := tally.Gauges()[tally.RequestsCurrent]
		c, err := a.Counter(g.Of(tally.Key{Kind: tally.LocationBlock, Server: "web", Name: name}))
		if err != nil {
			t.Fatal(err)
		}
		if c.Load() != want {
			t.Errorf("location %q: %d in process, want %d", name, c.Load(), want)
		}
	}
}

func TestServersWithoutMetricsCountNothing(t *testing.T) {
	var s *Server
	var l *Location
	s.Handshake(1)
	s.Request(plain())
	l.Begin()
	l.Attempt(plain(), "up", "")
	l.End(plain(), 2000)
	if s.Serves(nil) {
		t.Error("nothing serves nothing")
	}
}

func TestAHandleServesTheUpstreamsItWasMadeFor(t *testing.T) {
	s, _ := handles(t, worker(t))
	for _, c := range []struct {
		names []string
		want  bool
	}{{[]string{"other", "up"}, true}, {[]string{"up"}, false}, {[]string{"up", "other", "third"}, false}, {[]string{"up", "third"}, false}} {
		if got := s.Serves(c.names); got != c.want {
			t.Errorf("%q: %v", c.names, got)
		}
	}
}

func TestCountingAllocatesNothing(t *testing.T) {
	s, l := handles(t, worker(t))
	r := plain()
	r.UpstreamProcessing, r.UpstreamResponse, r.CacheLookup, r.Cache = 5e6, 1e6, 1, message.CacheMiss
	if n := testing.AllocsPerRun(100, func() {
		l.Begin()
		l.Attempt(r, "other", "ConnectRefused")
		s.Request(r)
		l.End(r, 5000)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestManyGoroutinesLoseNothing(t *testing.T) {
	a := worker(t)
	_, l := handles(t, a)
	const each, n = 5000, 4
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			r := plain()
			r.RequestBody = 3
			for range each {
				l.Begin()
				l.End(r, r.Start+10)
			}
		})
	}
	wg.Wait()
	got := says(t, a, tally.Key{Kind: tally.LocationBlock, Server: "web", Name: ""})
	if got["pingap_http_requests_total"] != n*each || got["pingap_http_received_bytes"] != 3*n*each || got["pingap_http_response_time sum"] != 10*n*each {
		t.Errorf("got %v", got)
	}
}

// BenchmarkRequest is all that a proxied request costs.
func BenchmarkRequest(b *testing.B) {
	s, l := handles(b, worker(b))
	r := plain()
	r.UpstreamReused, r.UpstreamProcessing, r.UpstreamResponse, r.ResponseBody = true, 150_000, 20_000, 1024
	b.ReportAllocs()
	for b.Loop() {
		l.Begin()
		l.Attempt(r, "up", "")
		s.Request(r)
		l.End(r, r.Start+200_000)
	}
}

func BenchmarkEnd(b *testing.B) {
	_, l := handles(b, worker(b))
	r := plain()
	r.ResponseBody = 1024
	b.ReportAllocs()
	for b.Loop() {
		l.End(r, r.Start+200_000)
	}
}

func TestStoragesAreCountedForTheInstance(t *testing.T) {
	a := worker(t)
	s := NewStorage(a)
	s.Reading(1)
	s.Writing(2)
	s.Read(3 * time.Millisecond)
	s.Wrote(2 * time.Second)
	k := tally.Key{Kind: tally.HostBlock}
	want := map[string]int64{"pingap_cache_storage_read_time 5ms": 1, "pingap_cache_storage_read_time sum": 3e6, "pingap_cache_storage_write_time above": 1,
		"pingap_cache_storage_write_time sum": 2e9}
	if got := says(t, a, k); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for i, want := range map[int]int64{tally.CacheReading: 1, tally.CacheWriting: 2} {
		if c, err := a.Counter(tally.Gauges()[i].Of(k)); err != nil || c.Load() != want {
			t.Errorf("gauge %d: %v, %v", i, c.Load(), err)
		}
	}
	for _, none := range []*Storage{nil, NewStorage(nil)} {
		none.Reading(1)
		none.Writing(1)
		none.Read(1)
		none.Wrote(1)
	}
}

func TestWhatAWorkerCountsByItselfIsAddedOnce(t *testing.T) {
	a := worker(t)
	var first, second Beat
	for _, n := range []uint64{0, 3, 3, 5} {
		first.Count(a, Figures{LogDropped: n, Traced: 2 * n, Untraced: n, Mirrored: n, Unanswered: 2 * n, Unsent: 3 * n})
	}
	second.Count(a, Figures{LogDropped: 10}) // another process, or the next one
	second.Count(nil, Figures{LogDropped: 11})
	want := map[string]int64{"pingap_access_log_dropped_total": 15, "pingap_traced_requests_total exported": 10, "pingap_traced_requests_total dropped": 5,
		"pingap_mirrored_requests_total sent": 5, "pingap_mirrored_requests_total failed": 10, "pingap_mirrored_requests_total dropped": 15}
	if got := says(t, a, tally.Key{Kind: tally.HostBlock}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Requests that are traced cost a little more; those that are not, nothing.
func TestASampledRequestIsAnExemplarOfItsLocation(t *testing.T) {
	a := worker(t)
	_, l := handles(t, a)
	k := tally.Key{Kind: tally.LocationBlock, Server: "web", Name: "api"}
	r := plain()
	l.Begin()
	l.End(r, r.Start+1e6)
	r.Trace = message.Trace{ID: message.TraceID{7, 8}, Server: 9} // traced, not sampled
	l.Begin()
	l.End(r, r.Start+1e6)
	if e, ok := tally.ReadExemplar(a, k, tally.ResponseTime); ok {
		t.Errorf("%+v", e)
	}
	r.Trace.Sampled = true
	l.Begin()
	l.End(r, r.Start+3e6)
	for _, name := range []string{"api", ""} {
		k.Name = name
		if e, ok := tally.ReadExemplar(a, k, tally.ResponseTime); !ok || e.Trace != [2]uint64{7, 8} || e.Value != 3e6 || time.Since(e.At).Abs() > time.Minute {
			t.Errorf("location %q: %+v, %v", name, e, ok)
		}
	}
	if n := testing.AllocsPerRun(100, func() { l.Begin(); l.End(r, r.Start+3e6) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
