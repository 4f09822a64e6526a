package plugs

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"pingap/bench/internal/heal"
	"pingap/e2e/backends"
)

// Tools are what the bench lends, and a program more.
type Tools struct {
	heal.Tools
	Nginx string
	// Collector is the address of a collector of traces, which runs while rows are measured.
	Collector string
	Rows      string // parts of names, comma separated; empty for all
	Log       func(string, ...any)
}

// Figure is what came of a row.
type Figure struct {
	Name   string  `json:"name"`
	Ours   float64 `json:"ours_us"`   // CPU of a request, all processes
	Theirs float64 `json:"theirs_us"` // of nginx, or of this build without the plugins
	Ratio  float64 `json:"ratio"`     // the median of those of the rounds
	Goal   float64 `json:"goal,omitempty"`
	// Cores are what ours had of its core: below 0.97 it waited for others.
	Cores float64 `json:"cores"`
	// Bytes are those of an answer's body on the wire; different levels of two encoders make different ones.
	Bytes       int    `json:"bytes"`
	TheirBytes  int    `json:"their_bytes"`
	Failed      string `json:"failed,omitempty"`
	againstSelf bool
}

// Print measures all rows and prints them; one that fails is said and does not spoil the rest.
func Print(ctx context.Context, t Tools, w io.Writer) []Figure {
	var figures []Figure
	collector, err := backends.NewCollector("")
	if err != nil {
		fmt.Fprintln(w, "no collector of traces:", err)
		return nil
	}
	defer collector.Close()
	t.Collector = collector.Addr
	for _, r := range rows() {
		if !wanted(r.name, t.Rows) || ctx.Err() != nil {
			continue
		}
		f, err := t.measure(ctx, r)
		f.Name, f.Goal, f.againstSelf = r.name, r.goal, r.theirs.program == pingap
		if err != nil {
			f.Failed = err.Error()
		}
		t.Log("%s", f)
		figures = append(figures, f)
	}
	fmt.Fprint(w, "\nPlugins: CPU µs per request, ratio to nginx or to this build without them (median of the ratios of the rounds)\n\n")
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range figures {
		fmt.Fprintln(table, strings.Join(f.columns(), "\t"))
	}
	table.Flush()
	return figures
}

// wanted says whether one of the parts is in a name. All are if there is none.
func wanted(name, parts string) bool {
	for part := range strings.SplitSeq(parts, ",") {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

// columns are name, figures, and what they should be.
func (f Figure) columns() []string {
	if f.Failed != "" {
		return []string{f.Name, "FAILED: " + f.Failed}
	}
	other, goal := "nginx", "-"
	if f.againstSelf {
		other = "without"
	}
	if f.Goal > 0 {
		goal = fmt.Sprintf("at most %.2f: %s", f.Goal, map[bool]string{true: "reached", false: "missed"}[f.Ratio <= f.Goal])
	}
	mark := ""
	if f.Cores < 0.97 {
		mark = "*"
	}
	sizes := fmt.Sprintf("%d B", f.Bytes)
	if f.Bytes != f.TheirBytes {
		sizes += fmt.Sprintf(", %s %d B", other, f.TheirBytes)
	}
	return []string{f.Name, fmt.Sprintf("%.2f%s", f.Ours, mark), fmt.Sprintf("%s %.2f", other, f.Theirs), fmt.Sprintf("ratio %.3f", f.Ratio), goal, sizes}
}

// String is the line that tells of progress.
func (f Figure) String() string { return strings.Join(f.columns(), "  ") }

// measure starts both sides of a row and loads them by turns.
func (t Tools) measure(ctx context.Context, r row) (Figure, error) {
	var f Figure
	upstream, stop, err := t.upstream(ctx)
	if err != nil {
		return f, err
	}
	defer stop()
	ours, err := t.start(ctx, r, r.ours, "ours", upstream)
	if err != nil {
		return f, err
	}
	defer ours.Stop()
	theirs, err := t.start(ctx, r, r.theirs, "theirs", upstream)
	if err != nil {
		return f, err
	}
	defer theirs.Stop()
	if f.Bytes, err = ours.ready(ctx); err != nil {
		return f, fmt.Errorf("ours: %w", err)
	}
	if f.TheirBytes, err = theirs.ready(ctx); err != nil {
		return f, fmt.Errorf("theirs: %w", err)
	}
	if err := t.compare(ctx, r, ours, theirs, &f); err != nil {
		return f, err
	}
	// What was measured is what was meant, to the end.
	if _, err := ours.ready(ctx); err != nil {
		return f, fmt.Errorf("ours after the load: %w", err)
	}
	return f, nil
}

// compare loads the two by turns and fills in the medians.
func (t Tools) compare(ctx context.Context, r row, ours, theirs instance, f *Figure) error {
	var our, their, ratio, cores []float64
	for range max(r.rounds, t.Rounds) {
		a, err := t.load(ctx, ours)
		if err != nil {
			return fmt.Errorf("ours: %w", err)
		}
		b, err := t.load(ctx, theirs)
		if err != nil {
			return fmt.Errorf("theirs: %w", err)
		}
		our, their, cores = append(our, a.CPU), append(their, b.CPU), append(cores, a.Cores)
		ratio = append(ratio, a.CPU/b.CPU)
		ours.EmptyLogs()
		theirs.EmptyLogs()
	}
	f.Ours, f.Theirs, f.Ratio, f.Cores = t.Median(our), t.Median(their), t.Median(ratio), t.Median(cores)
	return nil
}

// folder makes the directory of one side of a row. Workers of another user get at their files.
func (t Tools) folder(name string) (string, error) {
	dir := filepath.Join(t.Dir, "plugs-"+name)
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	return dir, os.Chmod(t.Dir, 0o755)
}
