package metrics

import (
	"context"
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	"google.golang.org/grpc/credentials"

	"pingap/config"
)

// closeTime is the longest that the end of a connection to a collector may take.
const closeTime = time.Second

// metricsPath is where collectors take metrics over HTTP unless the URL says otherwise.
const metricsPath = "/v1/metrics"

// collector takes metrics by OTLP. Histograms go with their classic buckets; when counting began is not said, as totals are older than this
// process.
type collector struct {
	exporter metric.Exporter
	about    *resource.Resource
}

func newCollector(ctx context.Context, push *config.Push) (*collector, error) {
	u := target(push)
	headers := map[string]string{}
	if push.User != "" || push.Password != "" {
		headers["Authorization"] = "Basic " + basic(push)
	}
	secure, err := trust(push.CA)
	if err != nil {
		return nil, err
	}
	var exporter metric.Exporter
	if strings.HasPrefix(push.Scheme, "otlp+grpc") {
		options := []otlpmetricgrpc.Option{otlpmetricgrpc.WithEndpointURL(u.String()), otlpmetricgrpc.WithHeaders(headers), otlpmetricgrpc.WithTimeout(pushTime)}
		if u.Scheme == "https" {
			options = append(options, otlpmetricgrpc.WithTLSCredentials(credentials.NewTLS(secure)))
		}
		exporter, err = otlpmetricgrpc.New(ctx, options...)
	} else {
		if u.Path == "" || u.Path == "/" {
			u.Path = metricsPath
		}
		options := []otlpmetrichttp.Option{otlpmetrichttp.WithEndpointURL(u.String()), otlpmetrichttp.WithHeaders(headers), otlpmetrichttp.WithTimeout(pushTime)}
		if u.Scheme == "https" { // the option alone would make it TLS
			options = append(options, otlpmetrichttp.WithTLSClientConfig(secure))
		}
		exporter, err = otlpmetrichttp.New(ctx, options...)
	}
	if err != nil {
		return nil, fmt.Errorf("collector: %w", err)
	}
	host, _ := os.Hostname() // empty where it is not known
	return &collector{exporter: exporter, about: resource.NewSchemaless(attribute.String("service.name", "pingap"), attribute.String("host.name", host))}, nil
}

func (c *collector) close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	_ = c.exporter.Shutdown(ctx) // nothing waits in it
}

func (c *collector) send(ctx context.Context, page []*dto.MetricFamily) error {
	now := time.Now()
	all := make([]metricdata.Metrics, 0, len(page))
	for _, f := range page {
		all = append(all, metricdata.Metrics{Name: f.GetName(), Description: f.GetHelp(), Data: aggregation(f, now)})
	}
	err := c.exporter.Export(ctx, &metricdata.ResourceMetrics{Resource: c.about,
		ScopeMetrics: []metricdata.ScopeMetrics{{Scope: instrumentation.Scope{Name: "pingap"}, Metrics: all}}})
	if err != nil {
		return fmt.Errorf("collector: %w", err)
	}
	return nil
}

// aggregation translates a family.
func aggregation(f *dto.MetricFamily, now time.Time) metricdata.Aggregation {
	switch f.GetType() {
	case dto.MetricType_COUNTER:
		sum := metricdata.Sum[float64]{Temporality: metricdata.CumulativeTemporality, IsMonotonic: true}
		for _, m := range f.Metric {
			sum.DataPoints = append(sum.DataPoints, metricdata.DataPoint[float64]{Attributes: attributes(m), Time: now, Value: m.Counter.GetValue()})
		}
		return sum
	case dto.MetricType_HISTOGRAM:
		h := metricdata.Histogram[float64]{Temporality: metricdata.CumulativeTemporality}
		for _, m := range f.Metric {
			h.DataPoints = append(h.DataPoints, histogramPoint(m, now))
		}
		return h
	}
	var gauge metricdata.Gauge[float64]
	for _, m := range f.Metric {
		gauge.DataPoints = append(gauge.DataPoints, metricdata.DataPoint[float64]{Attributes: attributes(m), Time: now, Value: m.Gauge.GetValue()})
	}
	return gauge
}

func histogramPoint(m *dto.Metric, now time.Time) metricdata.HistogramDataPoint[float64] {
	h := m.Histogram
	point := metricdata.HistogramDataPoint[float64]{Attributes: attributes(m), Time: now, Count: h.GetSampleCount(), Sum: h.GetSampleSum()}
	var below uint64
	for _, b := range h.Bucket {
		if math.IsInf(b.GetUpperBound(), 1) {
			break // it is there for its exemplar, and counted below
		}
		point.Bounds = append(point.Bounds, b.GetUpperBound())
		point.BucketCounts = append(point.BucketCounts, b.GetCumulativeCount()-below)
		below = b.GetCumulativeCount()
	}
	point.BucketCounts = append(point.BucketCounts, h.GetSampleCount()-below)
	return point
}

func attributes(m *dto.Metric) attribute.Set {
	list := make([]attribute.KeyValue, len(m.Label))
	for i, l := range m.Label {
		list[i] = attribute.String(l.GetName(), l.GetValue())
	}
	return attribute.NewSet(list...)
}
