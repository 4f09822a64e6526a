package metrics

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"pingap/arena/tally"
)

func TestASampledRequestIsShownByItsTraceWhereTheFormKnowsThat(t *testing.T) {
	r := counted(t)
	at := time.UnixMilli(1_700_000_000_000)
	r.block(tally.LocationBlock, "a").Exemplify(tally.ResponseTime, tally.Exemplar{Trace: [2]uint64{1, 0xab}, Value: 3e6, At: at})
	r.block(tally.LocationBlock, "").Exemplify(tally.ResponseTime, tally.Exemplar{Trace: [2]uint64{1, 0xcd}, Value: 60e9, At: at})
	const trace = `# {trace_id="000000000000000100000000000000`
	_, open := r.get("Accept", "application/openmetrics-text;version=1.0.0")
	for _, want := range []string{
		`pingap_http_response_time_bucket{location="a",server="s",le="0.005"} 1 ` + trace + `ab"} 0.003 1.7e+09`,
		`pingap_http_response_time_bucket{location="",server="s",le="+Inf"} 2 ` + trace + `cd"} 60.0 1.7e+09`,
	} {
		if !strings.Contains(string(open), want) {
			t.Errorf("not there: %s", want)
		}
	}
	if t.Failed() {
		for line := range strings.Lines(string(open)) {
			if strings.Contains(line, "trace_id") {
				t.Log(line)
			}
		}
	}
	if n := strings.Count(string(open), "trace_id"); n != 2 {
		t.Errorf("%d exemplars", n)
	}
	_, plain := r.get("Accept", "text/plain")
	if strings.Contains(string(plain), "trace_id") || strings.Count(string(plain), `pingap_http_response_time_bucket{location="",server="s",le="+Inf"} 2`) != 1 {
		t.Errorf("the text form:\n%s", plain)
	}
	parsed(t, plain)

	families, err := r.Gather(context.Background(), "s")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(families, func(f *dto.MetricFamily) bool { return f.GetName() == "pingap_http_response_time" })
	for _, m := range families[i].Metric[:2] { // the total and a
		if x := m.Histogram.Exemplars; len(x) != 1 || x[0].GetTimestamp().AsTime() != at.UTC() {
			t.Errorf("beside native buckets: %v", x)
		}
		if p := histogramPoint(m, at); len(p.BucketCounts) != len(p.Bounds)+1 || len(p.Bounds) != 11 {
			t.Errorf("for a collector: %d counts, %d bounds", len(p.BucketCounts), len(p.Bounds))
		}
	}
}
