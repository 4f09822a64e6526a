package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"pingap/control/summary"
	"pingap/ipc"
)

func statusVerb() verb {
	return verb{
		name: "status", summary: "Show configuration and processes.",
		help: `Usage: pingap status [flags]

Shows the live configuration, whether its source has changed since, the outcome
of the last change, and every process.
`,
		flags: []flagSpec{
			{long: "json", set: on(func(o *options) *bool { return &o.json }), help: "Print JSON. Times are in seconds, memory in bytes."},
			{long: "metrics", set: on(func(o *options) *bool { return &o.metrics }), help: "Print metrics of the processes in the text format of Prometheus, as for a textfile collector."},
		},
		timeout: 10 * time.Second,
		run:     runStatus,
	}
}

func runStatus(ctx context.Context, c *call) int {
	answer, err := c.request(ctx, ipc.StatusRequest{})
	if err != nil {
		return c.failed(err)
	}
	all, ok := answer.(*ipc.StatusAll)
	if !ok {
		return c.unexpected(answer)
	}
	st := status{summary.Of(all)}
	if c.metrics {
		if err := st.writeMetrics(c.stdout); err != nil {
			return c.failed(err)
		}
		return exitDone
	}
	if c.json {
		enc := json.NewEncoder(c.stdout)
		enc.SetIndent("", "  ")
		if err := enc.Encode(st.Status); err != nil {
			return c.failed(err)
		}
		return exitDone
	}
	if err := st.write(c.stdout); err != nil {
		return c.failed(err)
	}
	return exitDone
}

// status is a status for people.
type status struct{ summary.Status }

// write prints the form for people.
func (st status) write(w io.Writer) error {
	fmt.Fprintf(w, "pingap is %s, configuration version %d (%s)\n", st.State, st.Config.Version, short(st.Config.SHA))
	for _, d := range st.Degraded {
		fmt.Fprintf(w, "  degraded: %s\n", d)
	}
	for _, n := range st.Notes {
		fmt.Fprintf(w, "  note: %s\n", n)
	}
	if l := st.Config.LastApply; l != nil {
		outcome := "applied"
		if l.Error != "" {
			outcome = "refused: " + l.Error
		}
		fmt.Fprintf(w, "last change: %s by %s: %s\n", l.At.Local().Format(time.RFC3339), l.RequestedBy, outcome)
	}
	st.writeSource(w)
	for _, l := range st.Listeners {
		fmt.Fprintf(w, "listening: %s (%s)\n", l.Address, l.Server)
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "KIND\tPID\tSLOT\tGEN\tSTATE\tUPTIME\tCONNECTIONS\tREQUESTS\tMEMORY\tRESTARTS")
	for _, p := range st.Processes {
		cells := []string{p.Kind, num(p.PID), num(p.Slot), num(p.Generation), p.State, uptime(p.Uptime),
			num(p.Connections), num(p.Requests), mib(p.Memory), num(p.Restarts)}
		if p.Kind != ipc.RoleWorker {
			for _, i := range []int{2, 3, 6, 7} {
				cells[i] = "-"
			}
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	return t.Flush()
}

func (st status) writeSource(w io.Writer) {
	s := st.Config.Source
	switch {
	case s == nil:
		return
	case s.Error != "":
		fmt.Fprintf(w, "source: %s\n", s.Error)
	case s.Differs && s.Rollback != 0:
		fmt.Fprintf(w, "source: %s, not live since a rollback to version %d: pingap reload applies it\n", s.Location, s.Rollback)
	case s.Differs:
		fmt.Fprintf(w, "source: %s, changed since it was loaded: pingap reload applies it\n", s.Location)
	default:
		fmt.Fprintf(w, "source: %s\n", s.Location)
	}
	if s.Refused != "" {
		fmt.Fprintf(w, "last load: %s by %s: refused: %s\n", s.Loaded.Local().Format(time.RFC3339), s.By, s.Refused)
	}
}

func num[T int | int64 | uint64](n T) string { return fmt.Sprint(n) }

func uptime(seconds float64) string {
	return time.Duration(seconds * float64(time.Second)).Round(time.Second).String()
}

func mib(bytes int64) string {
	return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))
}
