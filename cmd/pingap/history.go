package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"pingap/ipc"
)

func historyVerb() verb {
	return verb{
		name: "history", summary: "Show the ledger: what was done, and what became of the connections.",
		help: `Usage: pingap history [flags]

Prints the last 100 operations, oldest first: applied configurations, rolls,
upgrades, restarts, crashes, ends of workers. For each: connections that ended
while old workers drained (of these, closed after an answer, closed while idle,
cut in the middle), connections taken by the successors, connections refused, and
the longest time without a worker that accepts. An operation whose old workers are
not finished is marked with the number of those.
`,
		flags:   []flagSpec{{long: "json", set: on(func(o *options) *bool { return &o.json }), help: "Print JSON."}},
		timeout: 10 * time.Second,
		run:     runHistory,
	}
}

func runHistory(ctx context.Context, c *call) int {
	answer, err := c.request(ctx, ipc.HistoryRequest{})
	if err != nil {
		return c.failed(err)
	}
	h, ok := answer.(*ipc.History)
	if !ok {
		return c.unexpected(answer)
	}
	if !c.json {
		printRecords(c.stdout, h.Records)
		return exitDone
	}
	enc := json.NewEncoder(c.stdout)
	enc.SetIndent("", "  ")
	if err := enc.Encode(h); err != nil {
		return c.fail(err)
	}
	return exitDone
}

func printRecords(out io.Writer, records []ipc.Record) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tAT\tKIND\tRESULT\tTOOK\tVERSION\tWORKERS\tREQUESTS\tCONNECTIONS\tAFTER ANSWER\tIDLE\tCUT\tMOVED\tREFUSED\tLONGEST WAIT\tBY")
	for _, r := range records {
		workers := fmt.Sprint(r.Workers)
		if r.Draining > 0 {
			workers += fmt.Sprintf(" (%d draining)", r.Draining)
		}
		version := fmt.Sprint(r.To)
		if r.From != r.To {
			version = fmt.Sprintf("%d to %d", r.From, r.To)
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%s\t%d\t%d\t%s\t%s\n", r.ID, r.At.Format(time.DateTime), r.Kind, r.Result,
			r.Took.Round(time.Millisecond), version, workers, r.Requests, r.Connections, r.AfterAnswer, r.Idle, cutText(&r), r.Moved, r.Refused,
			r.LongestWait.Round(time.Millisecond), oneLine(r.By, r.Reason))
	}
	w.Flush() // to a terminal or pipe: what it cannot take it would not take as an error message either
}

// cutText is a number and what it is made of.
func cutText(r *ipc.Record) string {
	var why []string
	for name, n := range r.CutWhy {
		why = append(why, fmt.Sprintf("%s %d", name, n))
	}
	if len(why) == 0 {
		return fmt.Sprint(r.Cut)
	}
	slices.Sort(why)
	return fmt.Sprintf("%d (%s)", r.Cut, strings.Join(why, ", "))
}

func oneLine(by, reason string) string {
	switch {
	case reason == "":
		return by
	case by == "":
		return reason
	}
	return by + ": " + reason
}
