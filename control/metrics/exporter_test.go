package metrics

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"pingap/arena/tally"
	"pingap/ipc"
)

// original are the metrics of the original; the last two are of no server.
func original() []string {
	return strings.Fields(`pingap_http_requests_total pingap_http_requests_current pingap_http_received pingap_http_received_bytes pingap_http_responses_codes
		pingap_http_response_time pingap_http_sent pingap_http_sent_bytes pingap_connection_reuses pingap_tls_handshake_time pingap_upstream_connections
		pingap_upstream_connections_current pingap_upstream_tcp_connect_time pingap_upstream_tls_handshake_time pingap_upstream_reuses
		pingap_upstream_processing_time pingap_upstream_response_time pingap_cache_lookup_time pingap_cache_lock_time pingap_cache_reading pingap_cache_writing
		pingap_compression_ratio pingap_memory pingap_fd_count pingap_tcp_count pingap_tcp6_count pingap_upstream_backend_failure_rate
		pingap_upstream_backend_requests pingap_upstream_backend_circuit_state pingap_cache_storage_read_time pingap_cache_storage_write_time`)
}

// counted is a rig in which something was counted everywhere.
func counted(t testing.TB) *rig {
	r := newRig(t, "/metrics", "a", "b")
	for _, name := range []string{"", "a"} {
		b := r.block(tally.LocationBlock, name)
		b.Add(tally.Requests, 5)
		b.Count(tally.ResponseCodes, 1)
		b.Observe(tally.ResponseTime, 3e6)
		b.Observe(tally.ResponseTime, 2e9)
		b.Observe(tally.Sent, 2048)
	}
	r.block(tally.UpstreamBlock, "u").Add(tally.UpstreamReuses, 2)
	gauges := tally.Gauges()
	for i, k := range map[int]tally.Key{tally.RequestsCurrent: {Kind: tally.LocationBlock, Server: "s", Name: "a"}, tally.UpstreamConnections: {Kind: tally.UpstreamBlock, Name: "u"}} {
		c, err := r.workers[1].Counter(gauges[i].Of(k))
		if err != nil {
			t.Fatal(err)
		}
		c.Add(7)
	}
	return r
}

func parsed(t testing.TB, page []byte) map[string]*dto.MetricFamily {
	t.Helper()
	p := expfmt.NewTextParser(model.UTF8Validation)
	families, err := p.TextToMetricFamilies(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	return families
}

func TestAPageHasAllMetricsOfTheOriginalWithItsServer(t *testing.T) {
	_, page := counted(t).get()
	families := parsed(t, page)
	names := original()
	if len(names) != 31 {
		t.Fatalf("%d names", len(names))
	}
	for _, name := range names {
		f := families[name]
		if f == nil {
			t.Errorf("%s is missing", name)
			continue
		}
		ofServer := slices.ContainsFunc(f.Metric[0].Label, func(l *dto.LabelPair) bool { return l.GetName() == "server" && l.GetValue() == "s" })
		if want := !strings.HasPrefix(name, "pingap_cache_storage"); ofServer != want {
			t.Errorf("%s: labels %v", name, f.Metric[0].Label)
		}
	}
}

func TestValuesAreThoseThatWereCounted(t *testing.T) {
	_, page := counted(t).get()
	for _, want := range []string{
		`pingap_http_requests_total{location="",server="s"} 5`,
		`pingap_http_requests_total{location="a",server="s"} 5`,
		`pingap_http_requests_total{location="b",server="s"} 0`,
		`pingap_http_requests_current{location="a",server="s"} 7`,
		`pingap_http_responses_codes{code="2xx",location="a",server="s"} 1`,
		`pingap_http_response_time_bucket{location="a",server="s",le="0.005"} 1`,
		`pingap_http_response_time_bucket{location="a",server="s",le="1"} 1`,
		`pingap_http_response_time_bucket{location="a",server="s",le="2.5"} 2`,
		`pingap_http_response_time_bucket{location="a",server="s",le="+Inf"} 2`,
		`pingap_http_response_time_sum{location="a",server="s"} 2.003`,
		`pingap_http_sent_sum{location="a",server="s"} 2`,
		`pingap_http_sent_bytes{location="a",server="s"} 2048`,
		`pingap_upstream_reuses{server="s",upstream="u"} 2`,
		`pingap_upstream_connections{server="s",upstream="u"} 7`,
		`pingap_upstream_connections_current{server="s",upstream="u"} 3`,
		`pingap_upstream_backend_failure_rate{backend="127.0.0.1:1",server="s",upstream="u"} 25`,
		`pingap_upstream_backend_requests{backend="127.0.0.1:1",server="s",upstream="u"} 8`,
		`pingap_upstream_backend_circuit_state{backend="127.0.0.1:1",server="s",upstream="u"} 2`,
		`pingap_memory{server="s"} 30`,
		`pingap_process_state{role="worker",slot="1",state="active"} 1`,
		`pingap_process_generation{role="worker",slot="1"} 4`,
		`pingap_process_draining{role="worker",slot="1"} 2`,
		`pingap_process_restarts{role="worker",slot="1"} 2`,
		`pingap_config_version 4`, `pingap_config_last_apply_success 0`, `pingap_config_source_refused 1`, `pingap_degraded 1`,
		`pingap_drained_requests_total 2`, `pingap_drained_connections_total 3`, `pingap_moved_connections_total 4`, `pingap_cut_requests_total 5`,
		`pingap_events_waiting 1`, `pingap_events{result="retried"} 3`, `pingap_events{result="dropped"} 5`,
		`pingap_operations_total 6`, `pingap_last_operation_cut_connections{kind="roll"} 3`,
		`pingap_certificate_expiry_timestamp_seconds{certificate="c"} 1e+09`,
	} {
		if !bytes.Contains(page, []byte(want+"\n")) {
			t.Errorf("not there: %s", want)
		}
	}
	if t.Failed() {
		t.Logf("%s", page)
	}
}

func TestAPageIsInTheFormThatIsAskedFor(t *testing.T) {
	r := counted(t)
	for _, c := range []struct{ accept, want, within string }{
		{"", "text/plain; version=0.0.4", "# TYPE pingap_http_response_time histogram"},
		{"application/openmetrics-text;version=1.0.0", "application/openmetrics-text; version=1.0.0", "# EOF"},
		{"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited", "application/vnd.google.protobuf", "pingap_http_response_time"},
	} {
		head, body := r.get("Accept", c.accept)
		if !strings.HasPrefix(head.Get("Content-Type"), c.want) || !bytes.Contains(body, []byte(c.within)) {
			t.Errorf("Accept %q: %s, %d bytes", c.accept, head.Get("Content-Type"), len(body))
		}
	}
	head, body := r.get("Accept-Encoding", "gzip")
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil || head.Get("Content-Encoding") != "gzip" {
		t.Fatalf("gzip: %v %v", err, head)
	}
	if plain, err := io.ReadAll(z); err != nil || !bytes.Contains(plain, []byte("pingap_memory")) {
		t.Errorf("%v: %d bytes", err, len(plain))
	}
}

func TestNativeBucketsStandBesideTheClassicOnes(t *testing.T) {
	r := counted(t)
	families, err := r.Gather(context.Background(), "s")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(families, func(f *dto.MetricFamily) bool { return f.GetName() == "pingap_http_response_time" })
	h := families[i].Metric[1].Histogram
	if h.GetSchema() != 2 || h.GetSampleCount() != 2 || len(h.Bucket) != 11 || len(h.PositiveSpan) != 2 || len(h.PositiveDelta) != 2 {
		t.Fatalf("%v", h)
	}
	// 2 s is the top of bucket 4, 3 ms is in the bucket up to 2^(-33/4) s.
	if s := h.PositiveSpan; s[0].GetOffset() != -33 || s[1].GetOffset() != 36 || h.PositiveDelta[0] != 1 || h.PositiveDelta[1] != 0 {
		t.Errorf("%v", h)
	}
}

// What is read while others count is a histogram all the same, and none of its numbers goes back.
func TestAPageMadeWhileOthersCountIsConsistent(t *testing.T) {
	r := newRig(t, "/metrics", "a")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(stop)
	for _, w := range r.workers {
		b, err := tally.Open(w, tally.Key{Kind: tally.LocationBlock, Server: "s", Name: "a"})
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() { // ends with the test
			for i := int64(0); ; i++ {
				select {
				case <-stop:
					return
				default:
					b.Observe(tally.ResponseTime, i%11*1e9)
				}
			}
		})
	}
	var last *dto.Histogram
	for range 200 {
		families, err := r.Gather(context.Background(), "s")
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(families, func(f *dto.MetricFamily) bool { return f.GetName() == "pingap_http_response_time" })
		h := families[i].Metric[1].Histogram
		if n := nativeCount(h); n != h.GetSampleCount() {
			t.Fatalf("%d in native buckets, %d in all", n, h.GetSampleCount())
		}
		for j, b := range h.Bucket {
			if b.GetCumulativeCount() > h.GetSampleCount() || j > 0 && b.GetCumulativeCount() < h.Bucket[j-1].GetCumulativeCount() {
				t.Fatalf("%v", h)
			}
			if last != nil && b.GetCumulativeCount() < last.Bucket[j].GetCumulativeCount() {
				t.Fatalf("bucket %d goes back", j)
			}
		}
		last = h
	}
}

func nativeCount(h *dto.Histogram) uint64 {
	n, all := int64(0), h.GetZeroCount()
	for _, d := range h.PositiveDelta {
		n += d
		all += uint64(n)
	}
	return all
}

func TestOnlyServersWithAPathHaveAPage(t *testing.T) {
	r := newRig(t, "http://gateway:9091/", "a")
	if _, err := r.Gather(context.Background(), "s"); err != nil {
		t.Errorf("it is pushed: %v", err)
	}
	if r.view.Load().servers["s"].shown {
		t.Error("it is shown")
	}
	if _, err := r.Gather(context.Background(), "other"); err == nil {
		t.Error("there is a page of a server that is not there")
	}
}

func TestAPageWithoutTheSupervisorSaysSo(t *testing.T) {
	r := counted(t)
	r.Status = func(context.Context) *ipc.StatusAll { return nil }
	_, page := r.get()
	for _, want := range []string{"pingap_supervisor_answers 0\n", `pingap_http_requests_total{location="a",server="s"} 5`} {
		if !bytes.Contains(page, []byte(want)) {
			t.Errorf("not there: %s", want)
		}
	}
}

// promtool finds nothing but names that are those of the original.
func TestPromtoolFindsThePageClean(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed")
	}
	_, page := counted(t).get()
	cmd := exec.CommandContext(t.Context(), promtool, "check", "metrics")
	cmd.Stdin = bytes.NewReader(page)
	out, err := cmd.CombinedOutput()
	if err != nil && len(out) == 0 {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		name, problem, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !slices.Contains(original(), name) || !strings.Contains(problem, `suffix`) {
			t.Errorf("promtool: %s", line)
		}
	}
}

// large is a page of 1,000 locations in which all was counted.
func large(t testing.TB) *rig {
	var names []string
	for i := range 1000 {
		names = append(names, fmt.Sprintf("location-%d", i))
	}
	r := newRig(t, "/metrics", names...)
	for _, name := range names {
		b := r.block(tally.LocationBlock, name)
		for i := range int64(20) {
			b.Observe(tally.ResponseTime, 1e5<<i)
			b.Observe(tally.Sent, 1000<<i)
		}
	}
	return r
}

// The goal is 200 ms and 64 MiB on a machine that does nothing else. The bound of the time is for one that is overloaded, under the race detector.
func TestAPageOfAThousandLocationsIsMadeInTime(t *testing.T) {
	r := large(t)
	r.get()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := time.Now()
	_, page := r.get("Accept-Encoding", "gzip")
	took := time.Since(begin)
	runtime.ReadMemStats(&after)
	allocated := (after.TotalAlloc - before.TotalAlloc) >> 20
	t.Logf("%d bytes in %v, %d MiB allocated", len(page), took, allocated)
	if took > time.Minute || allocated > 128 {
		t.Errorf("took %v and %d MiB", took, allocated)
	}
}

func BenchmarkPageOfAThousandLocations(b *testing.B) {
	r := large(b)
	b.ReportAllocs()
	for b.Loop() {
		r.get("Accept-Encoding", "gzip")
	}
}
