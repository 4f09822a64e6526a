package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// genResult is what gen prints: one measurement.
type genResult struct {
	Errors         int64   `json:"errors"`
	BadStatus      int64   `json:"bad_status"`
	FirstBadStatus int     `json:"first_bad_status"`
	BadLength      int64   `json:"bad_length"`
	Broken         int64   `json:"broken"`
	Closed         int64   `json:"closed"`
	IdleLost       int64   `json:"idle_lost"`
	Requests       int64   `json:"requests"`
	Seconds        float64 `json:"seconds"`
	RPS            float64 `json:"rps"`
	MiBPerSecond   float64 `json:"mib_per_s"`
	CPU            float64 `json:"cpu_us"`      // µs of the proxy's processes per request
	ProxyCores     float64 `json:"proxy_cores"` // 1 = a whole core
	GenCore        float64 `json:"gen_core"`
	Syscalls       float64 `json:"syscalls"` // per request, only in a counting run
	P50            float64 `json:"p50_us"`
	P99            float64 `json:"p99_us"`
	P999           float64 `json:"p999_us"`
	RequestIDs     int64   `json:"upstream_request_ids"`
	RSSBefore      int64   `json:"rss_before_kib"`
	RSSAfter       int64   `json:"rss_after_kib"`
	BytesPerIdle   float64 `json:"bytes_per_idle"`
}

// errNoPerf is gen's exit status 4: this kernel or user may not count system calls.
var errNoPerf = errors.New("system calls cannot be counted here")

const genNoPerfStatus = 4

// buildGen compiles the generator into dir.
func buildGen(ctx context.Context, dir string) (string, error) {
	sources, err := filepath.Glob(filepath.Join("bench", "gen", "*.c"))
	if err != nil || len(sources) == 0 {
		if sources, _ = filepath.Glob(filepath.Join("gen", "*.c")); len(sources) == 0 {
			return "", errors.New("bench/gen/*.c not found: run from the top of the project")
		}
	}
	out := filepath.Join(dir, "gen")
	args := append([]string{"-O2", "-Wall", "-Wextra", "-Werror", "-o", out}, sources...)
	if text, err := exec.CommandContext(ctx, "cc", args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("compile the generator: %w\n%s", err, text)
	}
	return out, nil
}

// genArgs is gen's command line for a row against the proxy at port.
func genArgs(r row, o options, port, upstream, core int, pids []int, calls bool) []string {
	args := []string{
		"--port", strconv.Itoa(port), "--upstream", strconv.Itoa(upstream), "--cpu", strconv.Itoa(core),
		"--conns", strconv.Itoa(r.Conns), "--path", r.Path, "--length", strconv.Itoa(r.Length),
		"--seconds", seconds(o.seconds), "--warmup", seconds(o.warmup), "--pids", join(pids),
	}
	if r.Vary > 0 {
		args = append(args, "--vary", strconv.Itoa(r.Vary))
	}
	if r.Rate > 0 {
		args = append(args, "--rate", strconv.Itoa(r.Rate))
	}
	if r.Cookie != "" {
		args = append(args, "--cookie", r.Cookie)
	}
	if r.Body > 0 {
		args = append(args, "--body", strconv.Itoa(r.Body))
	}
	if r.Idle > 0 {
		args = append(args, "--idle", strconv.Itoa(r.Idle), "--hold", "5")
	}
	if r.Close {
		args = append(args, "--close")
	}
	if calls {
		args = append(args, "--syscalls")
	}
	return args
}

func seconds(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', 3, 64)
}

func join(numbers []int) string {
	texts := make([]string, len(numbers))
	for i, n := range numbers {
		texts[i] = strconv.Itoa(n)
	}
	return strings.Join(texts, ",")
}

// runGen runs one measurement. gen ends by itself, at the latest by its own alarm.
func runGen(ctx context.Context, gen string, args []string) (genResult, error) {
	var res genResult
	cmd := exec.CommandContext(ctx, gen, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == genNoPerfStatus {
		return res, errNoPerf
	}
	if err != nil {
		return res, fmt.Errorf("gen %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	if err := json.Unmarshal(out, &res); err != nil {
		return res, fmt.Errorf("gen printed %q: %w", out, err)
	}
	return res, nil
}
