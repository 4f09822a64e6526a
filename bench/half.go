package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// measureHalf runs the rounds of a row once more, all proxies at the same fixed rate: half of what the reference does at
// most, or the slowest where the reference is missing. Latencies of a saturated proxy mostly tell how many connections
// wait for it.
func (b *bench) measureHalf(ctx context.Context, r row, running []taker, res *result) {
	if r.Rate = halfRate(res.Proxies); r.Rate == 0 {
		return
	}
	rounds := make([][]genResult, len(running))
	for range b.o.rounds {
		for i, in := range running {
			m := &res.Proxies[i]
			if m.Failed != "" {
				continue
			}
			g, err := runGen(ctx, b.gen, genArgs(r, b.o, in.port, b.upstream, b.genCore, in.pids, false))
			if err != nil || g.Errors > 0 {
				b.log("%s at %d requests per second: %d errors %v", m.Proxy, r.Rate, g.Errors, err)
				continue
			}
			rounds[i] = append(rounds[i], g)
		}
	}
	for i := range res.Proxies {
		if len(rounds[i]) == b.o.rounds {
			half := medianResult(rounds[i])
			res.Proxies[i].Half = &half
		}
	}
}

// halfRate is half of the reference's requests per second; without it, of the slowest proxy. 0 if all have failed.
func halfRate(proxies []measured) int {
	slowest := 0.0
	for _, m := range proxies {
		switch {
		case m.Failed != "":
		case m.Proxy == reference:
			return int(m.Median.RPS * halfLoad)
		case slowest == 0 || m.Median.RPS < slowest:
			slowest = m.Median.RPS
		}
	}
	return int(slowest * halfLoad)
}

// printHalf prints the latencies at half load of the rows that have them.
func printHalf(w io.Writer, results []result) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "work\treq/s\tproxy\tp50\tp99\tp99.9\tCPU µs\t")
	some := false
	for _, res := range results {
		for _, m := range res.Proxies {
			if m.Half == nil {
				continue
			}
			some = true
			h := m.Half
			columns := []string{res.Row.Name, orDash(h.RPS, 0), m.Proxy, orDash(h.P50, 0), orDash(h.P99, 0), orDash(h.P999, 0), orDash(h.CPU, 1)}
			fmt.Fprintln(t, strings.Join(columns, "\t")+"\t")
		}
	}
	if some {
		fmt.Fprintf(w, "\nAt half load: all proxies at the same rate, half of what %s does at most; latencies in µs from when a request was due\n\n", reference)
		t.Flush()
	}
}
