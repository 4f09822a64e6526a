package metrics

import (
	"fmt"
	"math"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/types/known/timestamppb"

	"pingap/arena"
	"pingap/arena/tally"
)

// totals adds what workers have counted for a server.
func (e *Exporter) totals(p *page, s *server) {
	words := make([]int64, 0, arena.TotalWords)
	block := func(k tally.Key, name string) {
		got, ok := tally.Read(e.Arena, k, words)
		if !ok && k.Kind == tally.UpstreamBlock { // the server never asks it
			return
		}
		for len(got) < arena.TotalWords {
			got = append(got, 0)
		}
		e.block(p, k, name, got[:arena.TotalWords])
	}
	block(tally.Key{Kind: tally.LocationBlock, Server: s.name}, "")
	for _, name := range s.locations {
		block(tally.Key{Kind: tally.LocationBlock, Server: s.name, Name: name}, name)
	}
	block(tally.Key{Kind: tally.ServerBlock, Server: s.name}, "")
	block(tally.Key{Kind: tally.HostBlock}, "")
	for _, name := range e.view.Load().upstreams {
		block(tally.Key{Kind: tally.UpstreamBlock, Server: s.name, Name: name}, name)
	}
}

// labelsOf are the labels of a metric about something of a kind.
func (p *page) labelsOf(kind tally.Kind, name string) []*dto.LabelPair {
	switch kind {
	case tally.LocationBlock:
		return []*dto.LabelPair{p.label("location", name), p.common}
	case tally.UpstreamBlock:
		return []*dto.LabelPair{p.common, p.label("upstream", name)}
	case tally.HostBlock:
		return nil
	}
	return []*dto.LabelPair{p.common}
}

// block adds the metrics of one block of words.
func (e *Exporter) block(p *page, k tally.Key, name string, words []int64) {
	families := tally.Families()
	for i := range families {
		f := &families[i]
		if f.Kind != k.Kind {
			continue
		}
		switch f.Type {
		case tally.Counter:
			p.counter(f.Name, f.Help, count(words[f.At]), p.labelsOf(k.Kind, name)...)
		case tally.Codes:
			for j, value := range f.Values {
				p.counter(f.Name, f.Help, count(words[f.At+j]), append(p.labelsOf(k.Kind, name), p.label(f.Label, value))...)
			}
		case tally.Histogram:
			h := histogramOf(f, words)
			if x, ok := tally.ReadExemplar(e.Arena, k, tally.ID(i)); ok {
				exemplify(h, x, f.Scale)
			}
			p.histogram(f.Name, f.Help, h, p.labelsOf(k.Kind, name)...)
		}
	}
}

// count is what a word says. A worker that is hostile can make it less than nothing, which no counter is.
func count(word int64) float64 { return float64(max(word, 0)) }

// histogramOf reads a histogram. The words are read one after the other while workers count: native buckets are counted last, so where there
// are some their sum is how many there are, and no classic bucket says more.
func histogramOf(f *tally.Family, words []int64) *dto.Histogram {
	h := &dto.Histogram{Bucket: make([]*dto.Bucket, len(f.Buckets))}
	var all uint64
	for i := range len(f.Buckets) + 1 {
		all += uint64(max(words[f.At+i], 0))
	}
	if f.Native {
		all = nativeInto(h, words[f.NativeAt:f.NativeAt+tally.NativeWords])
	}
	sum := count(words[f.At+len(f.Buckets)+1]) / f.Scale
	h.SampleCount, h.SampleSum = &all, &sum
	var up uint64
	buckets := make([]dto.Bucket, len(f.Buckets))
	for i := range f.Buckets {
		up += uint64(max(words[f.At+i], 0))
		n := min(up, all)
		buckets[i].CumulativeCount, buckets[i].UpperBound = &n, &f.Buckets[i]
		h.Bucket[i] = &buckets[i]
	}
	return h
}

// exemplify adds a request to refer to: to its bucket, and beside native ones. The text form of Prometheus leaves it out.
func exemplify(h *dto.Histogram, x tally.Exemplar, scale float64) {
	name, id, value := "trace_id", fmt.Sprintf("%016x%016x", x.Trace[0], x.Trace[1]), float64(x.Value)/scale
	e := &dto.Exemplar{Label: []*dto.LabelPair{{Name: &name, Value: &id}}, Value: &value, Timestamp: timestamppb.New(x.At)}
	if h.Schema != nil {
		h.Exemplars = []*dto.Exemplar{e}
	}
	for _, b := range h.Bucket {
		if value <= b.GetUpperBound() {
			b.Exemplar = e
			return
		}
	}
	above := math.Inf(1)
	h.Bucket = append(h.Bucket, &dto.Bucket{CumulativeCount: h.SampleCount, UpperBound: &above, Exemplar: e})
}

// nativeInto adds native buckets, those alone that have something in them, and returns how many there are in all.
func nativeInto(h *dto.Histogram, words []int64) (all uint64) {
	schema, threshold := int32(tally.NativeSchema), tally.NativeZero
	zero := uint64(max(words[0], 0))
	h.Schema, h.ZeroThreshold, h.ZeroCount = &schema, &threshold, &zero
	all = zero
	var before int64
	next := int32(0) // index behind the last bucket of the last span
	for i, n := range words[1:] {
		if n <= 0 {
			continue
		}
		all += uint64(n)
		index := int32(tally.NativeFirst + i)
		if last := len(h.PositiveSpan) - 1; last >= 0 && index == next {
			*h.PositiveSpan[last].Length++
		} else {
			offset, length := index-next, uint32(1)
			h.PositiveSpan = append(h.PositiveSpan, &dto.BucketSpan{Offset: &offset, Length: &length})
		}
		h.PositiveDelta = append(h.PositiveDelta, n-before)
		before, next = n, index+1
	}
	return all
}

// currents adds what is under way.
func (e *Exporter) currents(p *page, s *server) {
	gauges := tally.Gauges()
	for i := range gauges {
		g := &gauges[i]
		names := []string{""}
		switch g.Kind {
		case tally.LocationBlock:
			names = append(names, s.locations...)
		case tally.UpstreamBlock:
			names = e.view.Load().upstreams
		}
		for _, name := range names {
			k := tally.Key{Kind: g.Kind, Server: s.name, Name: name}
			if g.Kind != tally.LocationBlock {
				k.Server = "" // of all servers
			}
			labels := p.labelsOf(g.Kind, name)
			if g.Kind == tally.HostBlock {
				labels = []*dto.LabelPair{p.common}
			}
			c, err := e.Arena.Counter(g.Of(k))
			switch {
			case err == nil:
				p.gauge(g.Name, g.Help, float64(max(c.Load(), 0)), labels...)
			case g.Kind != tally.UpstreamBlock:
				p.gauge(g.Name, g.Help, 0, labels...)
			}
		}
	}
}
