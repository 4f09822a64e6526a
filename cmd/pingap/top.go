package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"pingap/cmd/pingap/internal/top"
	"pingap/control/recent"
)

func topVerb() verb {
	return verb{
		name: "top", summary: "Show what is going on: locations, upstreams, backends, workers.",
		help: `Usage: pingap top [locations | upstreams | backends | workers] [flags]

Shows requests, errors and latency of the last second, and processes, drawn anew
each second. Keys: 1 to 4 and Tab change the view, s the column that it is sorted
by, r the order, / filters by a text, Esc clears that, p pauses, h helps, q ends.

Where the output is no terminal, and with --once, it is printed once: with the
name of a view that alone, else all. Figures are those of all servers that are
counted: see basic.live_figures and prometheus_metrics.

With --json: at (Unix time in ms), interval_ms, totals, locations, upstreams with
their backends, processes. Rates are per second (rps, errors_per_s,
bytes_in_per_s, bytes_out_per_s), times in ms (p50_ms, p90_ms, p99_ms), memory in
bytes, cpu_percent of one core; null is what is not known.
`,
		flags: []flagSpec{
			{long: "once", set: on(func(o *options) *bool { return &o.once }), help: "Print once."},
			{long: "json", set: on(func(o *options) *bool { return &o.json }), help: "Print once, as JSON."},
			{long: "window", value: "TIME", set: text(func(o *options) *string { return &o.window }),
				help: "What is printed once is of so long a time, 1s to 10s. Default 1s."},
		},
		arguments: true,
		timeout:   30 * time.Second,
		run:       runTop,
	}
}

func runTop(ctx context.Context, c *call) int {
	view := ""
	if len(c.rest) > 0 {
		view = c.rest[0]
	}
	if len(c.rest) > 1 || view != "" && !slices.Contains(top.Views(), view) {
		return c.fail(usagef("top shows %s, found %q", strings.Join(top.Views(), ", "), c.rest))
	}
	tty, ok := c.stdout.(*os.File)
	if c.once || c.json || c.window != "" || !ok || !top.IsTerminal(tty) {
		return c.topOnce(ctx, view)
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := c.topLive(ctx, tty, view); err != nil {
		return c.failed(err)
	}
	return exitDone
}

// topOnce prints.
func (c *call) topOnce(ctx context.Context, view string) int {
	path := "/live"
	if c.window != "" {
		path += "?window=" + url.QueryEscape(c.window)
	}
	data, err := c.adminRequest(ctx, "GET", path, nil)
	var live recent.Live
	if err == nil {
		err = json.Unmarshal(data, &live)
	}
	switch {
	case err != nil:
	case c.json:
		enc := json.NewEncoder(c.stdout)
		enc.SetIndent("", "  ")
		err = enc.Encode(&live)
	default:
		err = top.Print(c.stdout, &live, view)
	}
	if err != nil {
		return c.failed(err)
	}
	return exitDone
}

// topLive draws until the user has seen enough, or nobody answers any more.
func (c *call) topLive(ctx context.Context, tty *os.File, view string) error {
	if _, err := c.adminRequest(ctx, "GET", "/live", nil); err != nil { // before the terminal is touched
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	lives, problems, resized := make(chan *recent.Live), make(chan string), make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	defer signal.Stop(resized)
	var failed error
	wg.Go(func() { // ends with ctx, which ends when it does
		defer cancel()
		failed = c.eventsAgain(ctx, "/live/stream", func(_ string, data []byte) error { return pass(ctx, lives, data) },
			func(err error) { tellProblem(ctx, problems, err) })
	})
	err := top.Run(ctx, top.Options{Tty: tty, Lives: lives, Problems: problems, Resized: resized, View: view})
	cancel()
	wg.Wait()
	return errors.Join(err, failed)
}

func pass(ctx context.Context, lives chan<- *recent.Live, data []byte) error {
	var l recent.Live
	if err := json.Unmarshal(data, &l); err != nil {
		return fmt.Errorf("live figures: %w", err)
	}
	select {
	case lives <- &l:
	case <-ctx.Done():
	}
	return nil
}

func tellProblem(ctx context.Context, problems chan<- string, err error) {
	select {
	case problems <- err.Error() + ", trying again":
	case <-ctx.Done():
	}
}
