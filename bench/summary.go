package main

import "slices"

// saturated is the share of its core from which on a proxy counts as the bottleneck.
const saturated = 0.97

// reference is the proxy that ratios are relative to.
const reference = "nginx"

// reference is what the ratios of a row are relative to: where nginx has no such thing, Go's own transport.
func (r row) reference() string {
	if r.Variant == variantH2Up {
		return "go"
	}
	return reference
}

// summarise fills in medians and ratios.
func summarise(res *result) {
	var base []genResult
	for _, m := range res.Proxies {
		if m.Proxy == res.Row.reference() && m.Failed == "" {
			base = m.Rounds
		}
	}
	for i := range res.Proxies {
		m := &res.Proxies[i]
		m.Median = medianResult(m.Rounds)
		m.Ratio = medianRatio(m.Rounds, base, res.Row.compared)
	}
}

// compared is the figure that ratios are of: CPU per request, or the rate where a number of large requests is timed.
func (r row) compared(g genResult) float64 {
	if r.Total > 0 {
		return g.MiBPerSecond
	}
	return g.CPU
}

// medianRatio is the median of the ratios of a figure of rounds that belong together.
func medianRatio(rounds, base []genResult, of func(genResult) float64) float64 {
	var ratios []float64
	for i := range min(len(rounds), len(base)) {
		if of(base[i]) > 0 {
			ratios = append(ratios, of(rounds[i])/of(base[i]))
		}
	}
	return median(ratios)
}

func medianResult(rounds []genResult) genResult {
	figure := func(of func(genResult) float64) float64 {
		values := make([]float64, len(rounds))
		for i, r := range rounds {
			values[i] = of(r)
		}
		return median(values)
	}
	return genResult{
		CPU:          figure(func(r genResult) float64 { return r.CPU }),
		RPS:          figure(func(r genResult) float64 { return r.RPS }),
		ProxyCores:   figure(func(r genResult) float64 { return r.ProxyCores }),
		GenCore:      figure(func(r genResult) float64 { return r.GenCore }),
		P50:          figure(func(r genResult) float64 { return r.P50 }),
		P99:          figure(func(r genResult) float64 { return r.P99 }),
		P999:         figure(func(r genResult) float64 { return r.P999 }),
		MiBPerSecond: figure(func(r genResult) float64 { return r.MiBPerSecond }),
		BytesPerIdle: figure(func(r genResult) float64 { return r.BytesPerIdle }),
		RSSBefore:    int64(figure(func(r genResult) float64 { return float64(r.RSSBefore) })),
		RSSAfter:     int64(figure(func(r genResult) float64 { return float64(r.RSSAfter) })),
	}
}

// median of an even number of values is the mean of the middle two; of none, 0.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	v := slices.Sorted(slices.Values(values))
	mid := len(v) / 2
	if len(v)%2 == 1 {
		return v[mid]
	}
	return (v[mid-1] + v[mid]) / 2
}
