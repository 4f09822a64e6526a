package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"pingap/bench/internal/heal"
	"pingap/bench/internal/plugs"
)

// options are the runner's flags.
type options struct {
	proxies  []string
	rows     string        // substrings of row names, comma separated; "" = all
	rounds   int           // how often each proxy is measured in each row
	seconds  time.Duration // counted load of one measurement
	warmup   time.Duration // load before it
	nginx    string        // "default" or "tuned"
	pingap   string        // a ready binary of this project instead of building one
	original string        // a binary of the Rust original
	json     string        // file for the figures; "" = none
	apply    bool          // also measure a change of the configuration under load
	heal     bool          // instead of the table: what health checks, rules and discovery cost
	plugins  bool          // instead of the table: what plugins cost
	keep     bool          // leave the temporary directory
	soak     time.Duration // instead of the table: mixed load and reloads on this build for so long
	reload   int           // instead of the table: what reloads cost nginx, HAProxy and this build, so many each
	// reloadPace is from one of these to the next.
	reloadPace time.Duration
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parseFlags(args []string, stderr io.Writer) (options, error) {
	var o options
	var proxies string
	var quick bool
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&proxies, "proxies", "pingap,nginx,haproxy,caddy,go,original", "which proxies; original only runs with BENCH_PINGAP, go only in front of an HTTP/2 upstream")
	fs.StringVar(&o.rows, "rows", "", "only rows whose name contains one of these, comma separated")
	fs.IntVar(&o.rounds, "rounds", 5, "measurements of each proxy in each row")
	fs.DurationVar(&o.seconds, "seconds", time.Second, "load that is counted in one measurement")
	fs.DurationVar(&o.warmup, "warmup", 250*time.Millisecond, "load before it that is not")
	fs.StringVar(&o.nginx, "nginx", "default", "nginx's buffers and log: default, or tuned (large proxy_buffers, buffered log)")
	fs.StringVar(&o.pingap, "pingap", "", "measure this binary instead of building the checkout")
	fs.StringVar(&o.json, "json", "bench.json", "file for all figures, empty for none")
	fs.BoolVar(&o.apply, "apply", false, "measure a change among 10,000 locations too (the whole table does)")
	fs.BoolVar(&o.heal, "heal", false, "no table: what health checks, rules of retries and discovery cost (the whole table has it too)")
	fs.BoolVar(&o.plugins, "plugins", false, "no table: what plugins cost, beside nginx or an instance without; with -rows only some (the whole table has it too)")
	fs.BoolVar(&o.keep, "keep", false, "keep the configurations and logs")
	fs.DurationVar(&o.soak, "soak", 0, "no table: mixed load and reloads on this build for so long; fails on errors and leaks")
	fs.IntVar(&o.reload, "reload", 0, "no table: requests lost by so many reloads of nginx, HAProxy and this build; fails if ours are not 0")
	fs.DurationVar(&o.reloadPace, "pace", 500*time.Millisecond, "from one of these reloads to the next")
	fs.BoolVar(&quick, "quick", false, "only plain requests over 64 connections on one thread")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if fs.NArg() > 0 || o.reload < 0 || o.reloadPace < 0 || o.rounds < 1 || o.seconds < 100*time.Millisecond || o.seconds > time.Minute || o.soak < 0 || o.soak > 24*time.Hour ||
		(o.nginx != "default" && o.nginx != "tuned") {
		fs.Usage()
		return o, flag.ErrHelp
	}
	if quick && o.rows == "" {
		o.rows = "0.2 KiB, 64 conns, 1 thread"
	}
	o.apply = o.apply || o.rows == ""
	o.proxies = strings.Split(proxies, ",")
	o.original = os.Getenv("BENCH_PINGAP")
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	var rows []row
	if !o.plugins {
		if rows, err = selectRows(o.rows); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp("", "pingap-bench-")
	if err != nil {
		return err
	}
	if !o.keep {
		defer os.RemoveAll(dir)
	}
	if o.soak > 0 {
		return soak(ctx, o, dir, stdout, stderr)
	}
	if o.reload > 0 {
		return compareReloads(ctx, o, dir, stdout, stderr)
	}
	if o.heal || o.plugins {
		o.proxies = []string{"pingap"}
	}
	b, err := newBench(ctx, o, dir, stderr)
	if err != nil {
		return err
	}
	if o.heal {
		b.printHeal(ctx, stdout)
		return ctx.Err()
	}
	if o.plugins {
		b.printPlugins(ctx, stdout, o.rows)
		return ctx.Err()
	}
	results, err := b.run(ctx, rows)
	if err != nil {
		return err
	}
	printTables(stdout, b.describe(), results)
	var apply *applyFigures
	if o.apply {
		apply = b.printApply(ctx, stdout)
	}
	var healing *heal.Figures
	var costs []plugs.Figure
	if o.rows == "" {
		healing, costs = b.printHeal(ctx, stdout), b.printPlugins(ctx, stdout, "")
	}
	if o.keep {
		fmt.Fprintln(stderr, "configurations and logs:", dir)
	}
	if o.json == "" {
		return nil
	}
	path, err := filepath.Abs(o.json)
	if err != nil {
		return err
	}
	fmt.Fprintln(stderr, "figures:", path)
	return writeJSON(path, b.describe(), results, apply, healing, costs)
}
