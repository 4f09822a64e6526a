package main

import (
	"context"
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
	applies     = 5               // how often the change is applied
	applyLoad   = 5 * time.Second // load before, and load around the applies
	applyPause  = 200 * time.Millisecond
	applyConns  = 4
	changedLine = "[upstreams.changed]\naddrs = [\"127.0.0.1:%d"
)

// applyFigures are what one changed upstream among 10,000 locations costs.
type applyFigures struct {
	Seconds   []float64 `json:"seconds"` // of `pingap reload --wait`, each
	P99Before float64   `json:"p99_before_us"`
	P99During float64   `json:"p99_during_us"`
	Errors    int64     `json:"errors"`
}

// measureApply loads an instance with 10,000 locations, first left alone, then while one upstream keeps changing.
func (b *bench) measureApply(ctx context.Context, p proxy) (applyFigures, error) {
	var f applyFigures
	in, err := b.startOne(ctx, p, group{variantLocations, 2})
	if err != nil {
		return f, err
	}
	defer in.stop()
	r := row{Conns: applyConns, Path: "/l%d/x", Vary: locations, Length: smallAnswer}
	o := b.o
	o.seconds = applyLoad
	load := func() (genResult, error) {
		return runGen(ctx, b.gen, genArgs(r, o, in.port, b.upstream, b.genCore, in.pids, false))
	}
	before, err := load()
	if err != nil {
		return f, err
	}
	type outcome struct {
		seconds []float64
		err     error
	}
	done := make(chan outcome, 1)
	go func() { // ends by itself after a few applies; awaited below
		s, err := b.applyAgainAndAgain(ctx, in)
		done <- outcome{s, err}
	}()
	during, err := load()
	applied := <-done
	if err == nil {
		err = applied.err
	}
	f = applyFigures{
		Seconds: applied.seconds, P99Before: before.P99, P99During: during.P99, Errors: before.Errors + during.Errors,
	}
	return f, err
}

func (b *bench) applyAgainAndAgain(ctx context.Context, in *instance) (seconds []float64, err error) {
	path := filepath.Join(in.dir, "pingap.toml")
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	line := fmt.Sprintf(changedLine, b.upstream)
	if !strings.Contains(string(text), line) {
		return nil, fmt.Errorf("%s has no upstream to change", path)
	}
	for i := range applies {
		time.Sleep(applyPause) // load between the applies, as there would be
		changed := strings.Replace(string(text), line, fmt.Sprintf("%s %d", line, i+2), 1)
		if err := os.WriteFile(path, []byte(changed), 0o644); err != nil {
			return seconds, err
		}
		begin := time.Now()
		cmd := exec.CommandContext(ctx, in.proxy.binary, "reload", "--wait", "--run-dir", filepath.Join(in.dir, "run"))
		if out, err := cmd.CombinedOutput(); err != nil {
			return seconds, fmt.Errorf("reload: %w\n%s", err, out)
		}
		seconds = append(seconds, time.Since(begin).Seconds())
	}
	return seconds, nil
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
	fmt.Fprintf(w, "\nOne changed upstream among 10,000 locations, under load on both cores: applied in %.2f s (median of %d, slowest %.2f s); "+
		"p99 %.0f µs before, %.0f µs meanwhile; %d errors\n",
		median(f.Seconds), len(f.Seconds), slices.Max(f.Seconds), f.P99Before, f.P99During, f.Errors)
	return &f
}
