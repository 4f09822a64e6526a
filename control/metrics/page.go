package metrics

import (
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// page is what one scrape shows.
type page struct {
	families map[string]*dto.MetricFamily
	// common is the label server, in front of others where a metric is of a server.
	common *dto.LabelPair
	codes  map[string]*dto.LabelPair // pairs that occur again and again
}

func newPage(server string) *page {
	return &page{families: map[string]*dto.MetricFamily{}, common: pair("server", server), codes: map[string]*dto.LabelPair{}}
}

func pair(name, value string) *dto.LabelPair {
	value = strings.ToValidUTF8(value, "\uFFFD")
	return &dto.LabelPair{Name: &name, Value: &value}
}

// family returns a family, made by its first metric.
func (p *page) family(name, help string, kind dto.MetricType) *dto.MetricFamily {
	f := p.families[name]
	if f == nil {
		f = &dto.MetricFamily{Name: &name, Help: &help, Type: &kind}
		p.families[name] = f
	}
	return f
}

// label returns a pair that may be shared by metrics.
func (p *page) label(name, value string) *dto.LabelPair {
	key := name + "\x00" + value
	l := p.codes[key]
	if l == nil {
		l = pair(name, value)
		p.codes[key] = l
	}
	return l
}

// sorted are labels in the order of their names, as every metric has them.
func sorted(labels ...*dto.LabelPair) []*dto.LabelPair {
	slices.SortFunc(labels, func(a, b *dto.LabelPair) int { return strings.Compare(a.GetName(), b.GetName()) })
	return labels
}

func (p *page) gauge(name, help string, value float64, labels ...*dto.LabelPair) {
	f := p.family(name, help, dto.MetricType_GAUGE)
	f.Metric = append(f.Metric, &dto.Metric{Label: sorted(labels...), Gauge: &dto.Gauge{Value: &value}})
}

func (p *page) counter(name, help string, value float64, labels ...*dto.LabelPair) {
	f := p.family(name, help, dto.MetricType_COUNTER)
	f.Metric = append(f.Metric, &dto.Metric{Label: sorted(labels...), Counter: &dto.Counter{Value: &value}})
}

func (p *page) histogram(name, help string, h *dto.Histogram, labels ...*dto.LabelPair) {
	f := p.family(name, help, dto.MetricType_HISTOGRAM)
	f.Metric = append(f.Metric, &dto.Metric{Label: sorted(labels...), Histogram: h})
}

// list are the families by name.
func (p *page) list() []*dto.MetricFamily {
	all := make([]*dto.MetricFamily, 0, len(p.families))
	for _, f := range p.families {
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) })
	return all
}
