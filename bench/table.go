package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"pingap/bench/internal/heal"
	"pingap/bench/internal/plugs"
)

// description is what a reader of the figures must know about the run.
type description struct {
	Time     time.Time         `json:"time"`
	Go       string            `json:"go"`
	Kernel   string            `json:"kernel"`
	CPUs     int               `json:"cpus"`
	Versions map[string]string `json:"versions"`
	Rounds   int               `json:"rounds"`
	Seconds  float64           `json:"seconds"`
	Nginx    string            `json:"nginx"`
}

func (b *bench) describe() description {
	d := description{
		Time: time.Now().UTC().Truncate(time.Second), Go: runtime.Version(), CPUs: runtime.NumCPU(),
		Versions: map[string]string{}, Rounds: b.o.rounds, Seconds: b.o.seconds.Seconds(), Nginx: b.o.nginx,
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		d.Kernel = strings.TrimSpace(string(text))
	}
	for _, p := range b.proxies {
		out, _ := exec.Command(p.binary, p.version...).CombinedOutput()
		first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		d.Versions[p.name] = first
	}
	return d
}

// oneLine is the progress line of a row.
func oneLine(res result) string {
	var parts []string
	for _, m := range res.Proxies {
		if !m.Absent {
			parts = append(parts, m.Proxy+" "+cell(res.Row, m))
		}
	}
	return strings.Join(parts, " | ")
}

// cell is a proxy's figure in the ratio table.
func cell(r row, m measured) string {
	switch {
	case m.Absent:
		return "-"
	case m.Failed != "":
		return "FAILED"
	case r.Conns == 0:
		return fmt.Sprintf("%.0f B", m.Median.BytesPerIdle)
	}
	mark := ""
	if r.Threads == 1 && m.Median.ProxyCores < saturated {
		mark = "*"
	}
	text := fmt.Sprintf("%.1f µs%s", m.Median.CPU, mark)
	if r.Total > 0 {
		text = fmt.Sprintf("%.0f MiB/s", m.Median.MiBPerSecond)
	}
	if m.Ratio > 0 && m.Proxy != r.reference() {
		text = fmt.Sprintf("%.2f (%s)", m.Ratio, text)
	}
	return text
}

func printTables(w io.Writer, d description, results []result) {
	fmt.Fprintf(w, "\n%s, Linux %s, %d CPUs, %s; %d rounds of %.1f s; nginx: %s\n", d.Go, d.Kernel, d.CPUs,
		d.Time.Format(time.RFC3339), d.Rounds, d.Seconds, d.Nginx)
	for name, version := range d.Versions {
		fmt.Fprintf(w, "  %-9s %s\n", name, version)
	}
	fmt.Fprintf(w, "\nCPU µs per request, ratio to nginx (median of the ratios of the rounds); * = the proxy did not fill its core\n\n")
	printRatios(w, results)
	fmt.Fprintf(w, "\nDetails: req/s per core is 1 s / CPU per request; latencies in µs; memory after the load\n\n")
	printDetails(w, results)
	printHalf(w, results)
	printFailures(w, results)
}

func printRatios(w io.Writer, results []result) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(results) > 0 {
		fmt.Fprint(t, "work")
		for _, m := range results[0].Proxies {
			fmt.Fprint(t, "\t", m.Proxy)
		}
		fmt.Fprintln(t)
	}
	for _, res := range results {
		fmt.Fprint(t, res.Row.Name)
		for _, m := range res.Proxies {
			fmt.Fprint(t, "\t", cell(res.Row, m))
		}
		fmt.Fprintln(t)
	}
	t.Flush()
}

func printDetails(w io.Writer, results []result) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "work\tproxy\tCPU µs\tratio\treq/s/core\treq/s\tcores\tgen\tp50\tp99\tp99.9\tMiB/s\tsyscalls\tRSS MiB\tB/idle\t")
	for _, res := range results {
		for _, m := range res.Proxies {
			if m.Absent {
				continue
			}
			v := m.Median
			perCore, idle := 0.0, 0.0
			if v.CPU > 0 {
				perCore = 1e6 / v.CPU
			}
			if res.Row.Conns == 0 {
				idle = v.BytesPerIdle
			}
			columns := []string{
				res.Row.Name, m.Proxy, orDash(v.CPU, 1), orDash(m.Ratio, 2), orDash(perCore, 0), orDash(v.RPS, 0),
				orDash(v.ProxyCores, 2), orDash(v.GenCore, 2), orDash(v.P50, 0), orDash(v.P99, 0), orDash(v.P999, 0),
				orDash(v.MiBPerSecond, 1), orDash(m.Calls, 1), orDash(float64(v.RSSAfter)/1024, 1), orDash(idle, 0),
			}
			fmt.Fprintln(t, strings.Join(columns, "\t")+"\t")
		}
	}
	t.Flush()
}

func orDash(v float64, digits int) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("%.*f", digits, v)
}

func printFailures(w io.Writer, results []result) {
	for _, res := range results {
		for _, m := range res.Proxies {
			if m.Failed != "" && !m.Absent {
				fmt.Fprintf(w, "\nFAILED: %s, %s: %s\n", res.Row.Name, m.Proxy, m.Failed)
			}
		}
	}
}

func writeJSON(path string, d description, results []result, apply *applyFigures, healing *heal.Figures, costs []plugs.Figure) error {
	text, err := json.MarshalIndent(struct {
		description
		Results []result       `json:"results"`
		Apply   *applyFigures  `json:"apply,omitempty"`
		Heal    *heal.Figures  `json:"heal,omitempty"`
		Plugins []plugs.Figure `json:"plugins,omitempty"`
	}{d, results, apply, healing, costs}, "", "  ")
	if err != nil {
		return err
	}
	tmp := path + ".new"
	if err := os.WriteFile(tmp, append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
