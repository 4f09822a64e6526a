package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"pingap/bench/internal/processes"
)

const (
	soakLoad   = 3 * time.Second // of one kind of work
	soakReload = time.Second     // between two changes of the configuration
	// What may be more at the end than after the first lap before it counts as a leak.
	soakMemoryFactor = 1.5
	soakMemorySlack  = 32 << 10 // KiB
	soakFiles        = 64
	soakThreads      = 8
)

// usage is what a long run must not let grow.
type usage struct {
	kib, files, threads int
}

// soak puts every kind of work on one instance in turns, while its configuration keeps changing, for o.soak.
func soak(ctx context.Context, o options, dir string, stdout, stderr io.Writer) error {
	o.proxies, o.seconds = []string{"pingap"}, soakLoad
	b, err := newBench(ctx, o, dir, stderr)
	if err != nil {
		return err
	}
	in, err := b.startOne(ctx, b.proxies[0], group{variantPlain, 2})
	if err != nil {
		return err
	}
	defer in.stop()

	reloads := make(chan error, 1)
	reloadCtx, stopReloads := context.WithCancel(ctx)
	count := 0
	go func() { reloads <- keepReloading(reloadCtx, in, &count) }() // ends with stopReloads, at once on a failure

	first, last, requests, err := b.laps(ctx, in, reloads, stdout)
	stopReloads()
	if reloadErr := <-reloads; err == nil {
		err = reloadErr
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%d requests, %d reloads without an error; memory %d -> %d KiB, descriptors %d -> %d, threads %d -> %d\n",
		requests, count, first.kib, last.kib, first.files, last.files, first.threads, last.threads)
	return first.compare(last)
}

// laps runs all kinds of work until the time is over or something fails. It always puts back what it takes from reloads.
func (b *bench) laps(ctx context.Context, in *instance, reloads chan error, stdout io.Writer) (first, last usage, requests int64, err error) {
	end := time.Now().Add(b.o.soak)
	for lap := 1; ; lap++ {
		for _, r := range soakRows() {
			g, err := runGen(ctx, b.gen, genArgs(r, b.o, in.port, b.upstream, b.genCore, processes.Tree(in.cmd.Process.Pid), false))
			if err == nil && g.Errors > 0 {
				err = fmt.Errorf("%d errors (status %d)", g.Errors, g.FirstBadStatus)
			}
			if err != nil {
				return first, last, requests, fmt.Errorf("lap %d, %s: %w\n%s", lap, r.Name, err, tail(in.log))
			}
			requests += g.Requests
			select {
			case failed := <-reloads:
				reloads <- nil
				return first, last, requests, failed
			default:
			}
		}
		if last, err = measureUsage(processes.Tree(in.cmd.Process.Pid)); err != nil {
			return first, last, requests, err
		}
		in.emptyLogs()
		if lap == 1 {
			first = last
		}
		fmt.Fprintf(stdout, "lap %d: %d requests, %d KiB, %d descriptors, %d threads\n", lap, requests, last.kib, last.files, last.threads)
		if time.Now().After(end) {
			return first, last, requests, nil
		}
	}
}

// soakRows is every kind of work once, at full and at little load.
func soakRows() []row {
	rows := []row{
		{Name: "connection per request", Conns: 32, Path: "/small", Length: smallAnswer, Close: true},
		{Name: "chunked answers", Conns: 32, Path: "/chunked", Length: mediumAnswer},
		{Name: "idle and busy", Conns: 200, Idle: 1000, Path: "/small", Length: smallAnswer},
	}
	for _, w := range works() {
		if w.variant == variantPlain {
			rows = append(rows, w.row(64, 2), w.row(4, 2))
		}
	}
	return rows
}

// keepReloading changes the upstream's weight and applies it, again and again.
func keepReloading(ctx context.Context, in *instance, count *int) error {
	tick := time.NewTicker(soakReload)
	defer tick.Stop()
	path := filepath.Join(in.dir, "pingap.toml")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		changed := strings.Replace(string(text), `"]`, fmt.Sprintf(` %d"]`, 1+*count%9), 1)
		if err := os.WriteFile(path+".new", []byte(changed), 0o644); err != nil {
			return err
		}
		if err := os.Rename(path+".new", path); err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, in.proxy.binary, "reload", "--wait", "--run-dir", filepath.Join(in.dir, "run"))
		out, err := cmd.CombinedOutput()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reload %d: %w\n%s", *count+1, err, out)
		}
		*count++
	}
}

// measureUsage sums over processes.
func measureUsage(pids []int) (usage, error) {
	var u usage
	for _, pid := range pids {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if os.IsNotExist(err) {
			continue // a short-lived child
		}
		if err != nil {
			return u, err
		}
		u.kib += statusNumber(string(status), "VmRSS:")
		u.threads += statusNumber(string(status), "Threads:")
		files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		if err != nil && !os.IsNotExist(err) {
			return u, err
		}
		u.files += len(files)
	}
	return u, nil
}

// statusNumber is the number behind a name in /proc/PID/status; 0 when it is not there.
func statusNumber(status, name string) int {
	_, rest, _ := strings.Cut("\n"+status, "\n"+name)
	var n int
	_, _ = fmt.Sscan(rest, &n)
	return n
}

// compare reports what has grown from u to last beyond what is usual.
func (u usage) compare(last usage) error {
	switch {
	case float64(last.kib) > float64(u.kib)*soakMemoryFactor+soakMemorySlack:
		return fmt.Errorf("memory grew from %d to %d KiB", u.kib, last.kib)
	case last.files > u.files+soakFiles:
		return fmt.Errorf("descriptors grew from %d to %d", u.files, last.files)
	case last.threads > u.threads+soakThreads:
		return fmt.Errorf("threads grew from %d to %d", u.threads, last.threads)
	}
	return nil
}
