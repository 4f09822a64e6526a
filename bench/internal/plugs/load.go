package plugs

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
)

const (
	conns   = 64
	counted = "1" // seconds of load that are counted
	before  = "0.25"
	// asks is how often a side is asked before it must do what is measured: the first answers fill a cache.
	asks = 3
)

// answers are what gen counted. CPU is µs of a request, Cores the share of its core that the program had.
type answers struct {
	Errors   int64   `json:"errors"`
	Requests int64   `json:"requests"`
	CPU      float64 `json:"cpu_us"`
	Cores    float64 `json:"proxy_cores"`
}

// load runs gen once.
func (t Tools) load(ctx context.Context, in instance) (answers, error) {
	pids := make([]string, len(in.PIDs))
	for i, pid := range in.PIDs {
		pids[i] = strconv.Itoa(pid)
	}
	args := []string{"--port", strconv.Itoa(in.port), "--cpu", strconv.Itoa(t.LoadCore), "--conns", strconv.Itoa(conns), "--path", in.path, "--visit",
		"--seconds", counted, "--warmup", before, "--pids", strings.Join(pids, ",")}
	if in.length > 0 {
		args = append(args, "--length", strconv.Itoa(in.length))
	}
	if in.encoding != "" {
		args = append(args, "--encoding", in.encoding)
	}
	cmd := exec.CommandContext(ctx, t.Gen, args...)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		return answers{}, fmt.Errorf("gen: %w: %s", err, complaints.String())
	}
	var a answers
	if err := json.Unmarshal(out, &a); err != nil {
		return a, fmt.Errorf("gen printed %q: %w", out, err)
	}
	if a.Errors > 0 || a.Requests == 0 || a.CPU == 0 {
		return a, fmt.Errorf("%d errors, %d requests, %.1f µs a request", a.Errors, a.Requests, a.CPU)
	}
	return a, nil
}

// ready asks until the side does what is to be measured, and returns the bytes of the answer's body.
func (in instance) ready(ctx context.Context) (size int, err error) {
	for range asks {
		if size, err = in.get(ctx); err == nil {
			return size, nil
		}
	}
	return 0, err
}

// get asks once, as gen does.
func (in instance) get(ctx context.Context) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d%s", in.port, in.path), nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Accept-Encoding", in.encoding)
	req.Header.Set("Referer", "http://bench.local/start/page?from=menu")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return 0, err
	case resp.StatusCode != http.StatusOK:
		return 0, fmt.Errorf("status %d: %s", resp.StatusCode, body)
	case in.length > 0 && len(body) != in.length:
		return 0, fmt.Errorf("%d bytes, want %d", len(body), in.length)
	case in.shows != nil:
		return len(body), in.shows(resp.Header)
	}
	return len(body), nil
}
