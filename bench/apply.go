package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	applyRounds  = 7           // loads alone and loads with applies, taking turns, so that a busy machine is busy for both
	applyLoad    = time.Second // each of them
	applyPause   = 20 * time.Millisecond
	applyConns   = 64
	capacityLoad = time.Second // saturating, to learn what half a load is
	halfLoad     = 0.5
	targetFactor = 2 // the target: p99 meanwhile below so many times p99 before
	changedLine  = "[upstreams.changed]\naddrs = [\"127.0.0.1:%d"
)

// applyFigures are what one changed upstream among 10,000 locations costs. Percentiles are medians over the rounds.
type applyFigures struct {
	Seconds   []float64 `json:"seconds"` // of `pingap reload --wait`, each
	Rate      int       `json:"rate"`    // requests per second before and meanwhile
	P50Before float64   `json:"p50_before_us"`
	P50During float64   `json:"p50_during_us"`
	P99Before float64   `json:"p99_before_us"`
	P99During float64   `json:"p99_during_us"`
	Failed    int64     `json:"failed_requests"`
}

// applying measures applies on one instance.
type applying struct {
	*bench
	in      *instance
	rate    int
	seconds []float64 // of each apply
	errors  int64
}

// measureApply loads an instance with 10,000 locations at half of what it can bear, by turns left alone and while one
// upstream changes again and again. A closed loop that saturates would show how the scheduler shares cores, not pingap.
func (b *bench) measureApply(ctx context.Context, p proxy) (applyFigures, error) {
	in, err := b.startOne(ctx, p, group{variantLocations, 2})
	if err != nil {
		return applyFigures{}, err
	}
	defer in.stop()
	a := &applying{bench: b, in: in}
	capacity, err := a.load(ctx, capacityLoad)
	if err != nil {
		return applyFigures{}, err
	}
	a.rate = max(1, int(halfLoad*capacity.RPS))
	var before, during []genResult
	for range applyRounds {
		alone, err := a.load(ctx, applyLoad)
		if err != nil {
			return applyFigures{}, err
		}
		changed, err := a.loadWhileApplying(ctx)
		if err != nil {
			return applyFigures{}, err
		}
		before, during = append(before, alone), append(during, changed)
	}
	was, is := medianResult(before), medianResult(during)
	return applyFigures{Seconds: a.seconds, Rate: a.rate, Failed: a.errors,
		P50Before: was.P50, P50During: is.P50, P99Before: was.P99, P99During: is.P99}, nil
}

// load is one load, at a.rate where that is set.
func (a *applying) load(ctx context.Context, d time.Duration) (genResult, error) {
	r := row{Conns: applyConns, Path: "/l%d/x", Vary: locations, Length: smallAnswer, Rate: a.rate}
	o := a.o
	o.seconds = d
	g, err := runGen(ctx, a.gen, genArgs(r, o, a.in.port, a.upstream, a.genCore, a.in.pids, false))
	a.errors += g.Errors
	return g, err
}

// loadWhileApplying is one load with an apply running at any time but for short pauses.
func (a *applying) loadWhileApplying(ctx context.Context) (genResult, error) {
	over := make(chan struct{})
	applied := make(chan error, 1)
	go func() { applied <- a.keepApplying(ctx, over) }() // ends with over, after the apply that is running
	g, err := a.load(ctx, applyLoad)
	close(over)
	return g, errors.Join(err, <-applied)
}

// keepApplying changes one upstream, again and again until over.
func (a *applying) keepApplying(ctx context.Context, over chan struct{}) error {
	path := filepath.Join(a.in.dir, "pingap.toml")
	for {
		if err := a.change(path); err != nil {
			return err
		}
		begin := time.Now()
		cmd := exec.CommandContext(ctx, a.in.proxy.binary, "reload", "--wait", "--run-dir", filepath.Join(a.in.dir, "run"))
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("reload: %w\n%s", err, out)
		}
		a.seconds = append(a.seconds, time.Since(begin).Seconds())
		select {
		case <-over:
			return nil
		case <-time.After(applyPause):
		}
	}
}

// change gives the backend of the upstream that changes another weight.
func (a *applying) change(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(text), fmt.Sprintf(changedLine, a.upstream))
	_, after, ended := strings.Cut(rest, `"`)
	if !found || !ended {
		return fmt.Errorf("%s has no upstream to change", path)
	}
	line := fmt.Sprintf(changedLine+` %d"`, a.upstream, len(a.seconds)+2)
	return os.WriteFile(path, []byte(before+line+after), 0o644)
}

// printApply measures and prints; what fails is said and does not spoil the table.
func (b *bench) printApply(ctx context.Context, w io.Writer) *applyFigures {
	i := slices.IndexFunc(b.proxies, func(p proxy) bool { return p.name == "pingap" })
	if i < 0 {
		return nil
	}
	f, err := b.measureApply(ctx, b.proxies[i])
	if err != nil {
		fmt.Fprintf(w, "\nFAILED: apply among 10,000 locations: %v\n", err)
		return nil
	}
	verdict := "reached"
	if f.P99During >= targetFactor*f.P99Before {
		verdict = "missed"
	}
	fmt.Fprintf(w, "\nOne changed upstream among 10,000 locations, at %d requests per second (half of what it bears on both cores): "+
		"applied in %.2f s (median of %d, slowest %.2f s); p99 %.0f µs before, %.0f µs meanwhile (below %d times: %s), "+
		"p50 %.0f and %.0f µs; %d failed requests\n",
		f.Rate, median(f.Seconds), len(f.Seconds), slices.Max(f.Seconds), f.P99Before, f.P99During, targetFactor, verdict,
		f.P50Before, f.P50During, f.Failed)
	return &f
}
