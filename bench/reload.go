package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"pingap/bench/internal/install"
	"pingap/e2e/load"
)

const (
	reloadSettle = time.Second      // of load before the first reload and after the last one
	reloadAnswer = 2 * time.Second  // of a slow request
	reloadBody   = 3 * time.Second  // of a slow upload
	reloadLimit  = 30 * time.Second // for one reload
)

// reloading is a proxy with one way of telling it that something has changed.
type reloading struct {
	proxy
	title string
	// reload changes what has to be changed and returns when the proxy has taken it, or at once where it does not say.
	reload func(ctx context.Context, in *instance, n int) error
}

// reloaded is what came of one of them.
type reloaded struct {
	title, version string
	count          int
	report         *load.Report
	arrived        error // what the upstream has to complain about
}

// compareReloads puts the same load on each proxy while it is reloaded o.reload times, and prints what was lost. Losing
// anything is an error if it was ours.
func compareReloads(ctx context.Context, o options, dir string, stdout, stderr io.Writer) error {
	log := func(f string, a ...any) { fmt.Fprintf(stderr, f+"\n", a...) }
	wanted, err := reloadings(ctx, o, dir, log)
	if err != nil {
		return err
	}
	// nginx's workers are not root and write bodies to files below it.
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	var results []reloaded
	for n, r := range wanted {
		log("%s, %d times", r.title, o.reload)
		one, err := r.measure(ctx, o, filepath.Join(dir, strconv.Itoa(n)))
		if err != nil {
			printReloads(stdout, results)
			return fmt.Errorf("%s: %w", r.title, err)
		}
		results = append(results, one)
	}
	printReloads(stdout, results)
	return ours(results)
}

// reloadings are the proxies that are here, each with its way.
func reloadings(ctx context.Context, o options, dir string, log func(string, ...any)) ([]reloading, error) {
	if o.pingap == "" {
		if err := buildPingap(ctx, pingapBinary(o, dir)); err != nil {
			return nil, err
		}
	}
	var wanted []reloading
	for _, r := range []reloading{
		{proxy{name: "nginx", binary: "nginx", version: []string{"-v"}, command: nginxReloadCommand}, "nginx -s reload", nginxReload},
		{proxy{name: "haproxy", binary: "haproxy", version: []string{"-v"}, command: haproxyReloadCommand}, "HAProxy, SIGUSR2", haproxyReload},
		{proxy{name: "pingap", binary: pingapBinary(o, dir), version: []string{"-V"}, command: pingapReloadCommand}, "pingap reload", pingapApply},
		{proxy{name: "pingap", binary: pingapBinary(o, dir), version: []string{"-V"}, command: pingapReloadCommand}, "pingap roll", pingapRoll},
	} {
		path, err := install.Find(ctx, r.binary, log)
		if err != nil {
			log("no %s: %v", r.name, err)
			continue
		}
		r.binary = path
		wanted = append(wanted, r)
	}
	if len(wanted) == 0 {
		return nil, errors.New("no proxy is here")
	}
	return wanted, nil
}

// measure runs one proxy under load and reloads it.
func (r reloading) measure(ctx context.Context, o options, dir string) (reloaded, error) {
	done := reloaded{title: r.title, version: versionOf(ctx, r.proxy), count: o.reload}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return done, err
	}
	up, err := load.NewUpstream()
	if err != nil {
		return done, err
	}
	defer up.Close()
	port, err := freePort()
	if err != nil {
		return done, err
	}
	_, upstream, _ := net.SplitHostPort(up.Addr)
	number, err := strconv.Atoi(upstream)
	if err != nil {
		return done, err
	}
	in, err := start(ctx, r.proxy, setup{dir: dir, threads: 2, port: port, upstream: number}, allCores())
	if err != nil {
		return done, err
	}
	defer in.stop()
	l := load.Start(net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), reloadClients()...)
	err = r.keepReloading(ctx, in, o)
	done.report = l.Stop()
	done.arrived = up.Check(done.report)
	return done, err
}

// reloadClients are all kinds, and some that ask again at once from a few milliseconds away.
func reloadClients() []load.Mix {
	return append(load.Usual(4, reloadAnswer, reloadBody), load.Mix{Kind: load.Busy, Clients: 8, Distance: 3 * time.Millisecond})
}

func (r reloading) keepReloading(ctx context.Context, in *instance, o options) error {
	if err := pause(ctx, reloadSettle); err != nil {
		return err
	}
	for n := range o.reload {
		began := time.Now()
		once, cancel := context.WithTimeout(ctx, reloadLimit)
		err := r.reload(once, in, n)
		cancel()
		if err != nil {
			return fmt.Errorf("reload %d: %w", n+1, err)
		}
		if err := pause(ctx, o.reloadPace-time.Since(began)); err != nil {
			return err
		}
	}
	return pause(ctx, reloadSettle)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// ours says what we have lost.
func ours(results []reloaded) error {
	var errs []error
	for _, r := range results {
		if !strings.HasPrefix(r.title, "pingap") {
			continue
		}
		if err := errors.Join(r.report.Err(), r.arrived); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w\n%s", r.title, err, r.report))
		}
		if n := r.ended(); n > 0 {
			errs = append(errs, fmt.Errorf("%s: %d tunnels and streams were ended\n%s", r.title, n, r.report))
		}
	}
	return errors.Join(errs...)
}

// ended are tunnels and event streams that the proxy ended, in whichever way.
func (r *reloaded) ended() uint64 {
	return r.report.Kinds[load.WebSocket].Reopened + r.report.Kinds[load.Events].Reopened
}

// printReloads prints a column for each proxy.
func printReloads(w io.Writer, results []reloaded) {
	row := func(name string, value func(r *reloaded) string) {
		fmt.Fprintf(w, "%-34s", name)
		for i := range results {
			fmt.Fprintf(w, "%20s", value(&results[i]))
		}
		fmt.Fprintln(w)
	}
	count := func(n uint64) string { return strconv.FormatUint(n, 10) }
	row("", func(r *reloaded) string { return r.title })
	row("version", func(r *reloaded) string { return r.version })
	row("reloads", func(r *reloaded) string { return strconv.Itoa(r.count) })
	row("requests", func(r *reloaded) string { t := r.report.Total(); return count(t.Started) })
	row("FAILED", func(r *reloaded) string { t := r.report.Total(); return count(t.Failed()) })
	for o := load.Refused; o <= load.WrongBody; o++ {
		row("  "+o.String(), func(r *reloaded) string { t := r.report.Total(); return count(t.Ended[o]) })
	}
	for k := load.Busy; k < load.Loris; k++ {
		row("  of "+k.String(), func(r *reloaded) string {
			return fmt.Sprintf("%d of %d", r.report.Kinds[k].Failed(), r.report.Kinds[k].Started)
		})
	}
	row("tunnels and streams ended politely", func(r *reloaded) string { return count(r.ended()) })
	row("idle connections closed", func(r *reloaded) string {
		return count(r.report.Kinds[load.Busy].Reopened + r.report.Kinds[load.Idle].Reopened)
	})
	quick := func(r *reloaded) load.Tally { return r.report.Sum(load.Busy, load.Idle, load.Fresh) }
	row("p99 of quick requests", func(r *reloaded) string {
		t := quick(r)
		return t.Extra.Percentile(99).Round(10 * time.Microsecond).String()
	})
	row("longest quick request", func(r *reloaded) string { t := quick(r); return t.Extra.Max.Round(10 * time.Microsecond).String() })
	row("longest time without an answer", func(r *reloaded) string { return r.report.Gap.Round(10 * time.Microsecond).String() })
	for _, r := range results {
		if r.arrived != nil {
			fmt.Fprintf(w, "%s: %v\n", r.title, r.arrived)
		}
		for _, f := range r.report.Failures[:min(3, len(r.report.Failures))] {
			fmt.Fprintf(w, "%s, for example: %s\n", r.title, f)
		}
	}
}
