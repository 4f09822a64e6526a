package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"pingap/bench/internal/install"
	"pingap/bench/internal/judge"
)

const (
	judgeTime = time.Minute // bounds one measurement beyond its load
	// restTime is how long idle connections rest before memory is looked at: opening them takes seconds, and pingap gives memory back
	// at most every ten.
	restTime = 12 * time.Second
)

// measureOnce runs one measurement of a row.
func (b *bench) measureOnce(ctx context.Context, r row, in *instance) (genResult, error) {
	ctx, cancel := context.WithTimeout(ctx, b.o.warmup+b.o.seconds+judgeTime)
	defer cancel()
	switch r.Load {
	case loadGen:
		return runGen(ctx, b.gen, genArgs(r, b.o, in.port, b.upstream, b.genCore, in.pids, false))
	case loadHandshake, loadResumed, loadIdle, loadIdleH2:
		return b.peer(ctx, r, in)
	}
	return b.judge(ctx, r, in)
}

// pinned is a command on the load's core.
func (b *bench) pinned(ctx context.Context, name string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "taskset", append([]string{"-c", strconv.Itoa(b.genCore), name}, args...)...)
}

// peer runs a client of bench/internal/peer.
func (b *bench) peer(ctx context.Context, r row, in *instance) (genResult, error) {
	args := []string{"handshakes", "-conns", strconv.Itoa(r.Conns)}
	if r.Idle > 0 {
		args = []string{"idle", "-conns", strconv.Itoa(r.Idle), "-hold", restTime.String()}
	}
	args = append(args, "-addr", in.address(), "-length", strconv.Itoa(r.Length), "-pids", join(in.pids), "-seconds", b.o.seconds.String(),
		"-warmup", b.o.warmup.String(), fmt.Sprintf("-resume=%v", r.Load == loadResumed), fmt.Sprintf("-h2=%v", r.Load == loadIdleH2))
	var stderr strings.Builder
	cmd := b.pinned(ctx, b.peerPath, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return genResult{}, fmt.Errorf("peer: %w: %s", err, stderr.String())
	}
	var g struct {
		genResult
		First string `json:"first_error"`
	}
	if err := json.Unmarshal(out, &g); err != nil {
		return genResult{}, fmt.Errorf("peer printed %q: %w", out, err)
	}
	if g.Errors > 0 {
		return genResult{}, fmt.Errorf("%d errors, the first: %s", g.Errors, g.First)
	}
	return g.genResult, nil
}

// judge has a generator of others make the load.
func (b *bench) judge(ctx context.Context, r row, in *instance) (genResult, error) {
	run, name := judge.H2load, "h2load"
	if r.Load == loadGHZ {
		run, name = judge.GHZ, "ghz"
	}
	path, err := b.tool(name)
	if err != nil {
		return genResult{}, err
	}
	f, err := run(ctx, judge.Work{Program: path, Dir: b.dir, Core: b.genCore, PIDs: in.pids, Address: in.address(), Counted: b.o.seconds,
		Warmup: b.o.warmup, Path: r.Path, TLS: r.Load == loadH1 || r.Load == loadH2, H2: r.Load != loadH1, Conns: r.Conns, Streams: r.Streams,
		Length: r.Length, Body: r.Body, Total: r.Total})
	return genResult{Requests: f.Requests, Seconds: f.Seconds, RPS: f.RPS, CPU: f.CPU, ProxyCores: f.Cores,
		MiBPerSecond: f.RPS * float64(r.Length+r.Body) / (1 << 20)}, err
}

// tool is a program that make tools installs, in the checkout or as a package.
func (b *bench) tool(name string) (string, error) {
	for _, path := range []string{filepath.Join("bin", "tools", name), filepath.Join("..", "bin", "tools", name), name} {
		if found := install.LookPath(path); found != "" {
			return found, nil
		}
	}
	return "", fmt.Errorf("%s is not installed: make tools", name)
}
