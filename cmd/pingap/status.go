package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"pingap/config"
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
	st := newStatus(all)
	if c.metrics {
		if err := st.writeMetrics(c.stdout); err != nil {
			return c.failed(err)
		}
		return exitDone
	}
	if c.json {
		enc := json.NewEncoder(c.stdout)
		enc.SetIndent("", "  ")
		if err := enc.Encode(st); err != nil {
			return c.failed(err)
		}
		return exitDone
	}
	if err := st.write(c.stdout); err != nil {
		return c.failed(err)
	}
	return exitDone
}

// status is the JSON form of the answer. Names are kept, new ones may be added.
type status struct {
	State     string         `json:"state"`
	Degraded  []string       `json:"degraded"`
	Notes     []string       `json:"notes"` // nothing is broken, but this should be known
	Build     string         `json:"build"`
	Settled   bool           `json:"settled"` // nothing is under way
	Epoch     uint32         `json:"epoch"`   // supervisors of this instance before this one
	Hurried   int            `json:"hurried"` // workers that had to drain faster
	Config    configStatus   `json:"config"`
	Processes []processLine  `json:"processes"`
	Listeners []listenerLine `json:"listeners"`
	Logs      []string       `json:"logs"`
}

type configStatus struct {
	Version   uint64       `json:"version"`
	SHA       string       `json:"sha"`
	Source    *ipc.Source  `json:"source"`     // null when control is another version
	LastApply *applyStatus `json:"last_apply"` // of the supervisor; null before the first
	// Versions were applied since control started, oldest first.
	Versions []versionLine `json:"versions"`
}

type versionLine struct {
	Version uint64       `json:"version"`
	SHA     string       `json:"sha"`
	At      time.Time    `json:"at"`
	By      string       `json:"by"`
	Changes []changeLine `json:"changes"` // the first of them
}

type changeLine struct {
	Object string `json:"object"`
	Class  string `json:"class"` // same, hot, listeners or roll
}

type applyStatus struct {
	At          time.Time `json:"at"`
	SHA         string    `json:"sha"`
	RequestedBy string    `json:"requested_by"`
	Error       string    `json:"error,omitempty"`
}

type processLine struct {
	Kind        string  `json:"kind"`
	PID         int     `json:"pid"`
	Slot        int     `json:"slot"`
	Generation  int     `json:"generation"`
	State       string  `json:"state"`
	Uptime      float64 `json:"uptime"`      // seconds
	Connections int64   `json:"connections"` // open now
	Requests    uint64  `json:"requests"`    // since start
	Memory      int64   `json:"memory"`      // resident bytes
	Restarts    int     `json:"restarts"`
	LastExit    string  `json:"last_exit,omitempty"`
	Build       string  `json:"build,omitempty"`
	SHA         string  `json:"sha,omitempty"`
	LogDropped  uint64  `json:"log_dropped"` // log lines lost since start
}

type listenerLine struct {
	ID      string `json:"id"`
	Network string `json:"network"`
	Address string `json:"address"`
	Server  string `json:"server"`
}

func newStatus(a *ipc.StatusAll) status {
	st := status{State: a.State, Degraded: orEmpty(a.Degraded), Notes: orEmpty(a.Notes), Build: a.Build, Settled: a.Settled, Epoch: a.Epoch, Hurried: a.Hurried,
		Logs:   orEmpty(a.Logs),
		Config: configStatus{Version: a.Version, SHA: a.SHA, Source: a.Source, Versions: newVersions(a.Versions)}}
	if l := a.LastApply; l != nil {
		st.Config.LastApply = &applyStatus{At: l.At, SHA: l.SHA, RequestedBy: l.RequestedBy, Error: l.Error}
	}
	for _, p := range a.Processes {
		line := newProcessLine(p)
		st.Processes = append(st.Processes, line)
		if line.LogDropped > 0 {
			st.Notes = append(st.Notes, fmt.Sprintf("%s has lost %d log lines since its start", line.name(), line.LogDropped))
		}
	}
	for _, l := range a.Listeners {
		st.Listeners = append(st.Listeners, listenerLine{l.ID, l.Network, l.Address, l.Server})
	}
	st.Processes, st.Listeners = orEmpty(st.Processes), orEmpty(st.Listeners)
	return st
}

func newVersions(list []ipc.AppliedVersion) []versionLine {
	lines := []versionLine{}
	for _, v := range list {
		line := versionLine{Version: v.Version, SHA: v.SHA, At: v.At, By: v.By, Changes: []changeLine{}}
		for _, c := range v.Changes {
			line.Changes = append(line.Changes, changeLine{c.Object, config.Class(c.Class).String()})
		}
		lines = append(lines, line)
	}
	return lines
}

func newProcessLine(p ipc.Process) processLine {
	line := processLine{Kind: p.Kind, PID: p.PID, Slot: p.Slot, Generation: p.Generation, State: p.State,
		Uptime: p.Uptime.Round(time.Millisecond).Seconds(), Restarts: p.Restarts, LastExit: p.LastExit, Build: p.Build}
	if s := p.Status; s != nil {
		for _, n := range s.Connections {
			line.Connections += n
		}
		line.Requests, line.Memory, line.SHA, line.LogDropped = s.Requests, s.RSS, s.SHA, s.LogDropped
	}
	return line
}

// name tells the process apart from others in a sentence.
func (p processLine) name() string {
	if p.Kind == ipc.RoleWorker {
		return fmt.Sprintf("%s %d (pid %d)", p.Kind, p.Slot, p.PID)
	}
	return fmt.Sprintf("%s (pid %d)", p.Kind, p.PID)
}

// orEmpty makes JSON show [] where there is nothing.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

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
