package heal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// What it may cost.
const (
	targetChecks = 3.0  // percent of a core for control, with checkUpstreams of checkBackends each, checked every 10 s
	targetRules  = 1.03 // CPU of a request with all rules on, relative to one without
)

// Tools are what the bench lends.
type Tools struct {
	Dir               string // for configurations and logs
	Pingap, Gen, Peer string // programs
	LoadCore          int    // of the load and of backends; pingap has the next one
	Rounds            int    // the least of a comparison
	Start             func(ctx context.Context, p Program) (Running, error)
	Load              func(ctx context.Context, l Load) (Answers, error)
	FreePort          func() (int, error)
	Median            func([]float64) float64
}

// Program is one to start.
type Program struct {
	Name, Binary string
	Args         []string
	Env          []string // beside that of the bench
	Dir          string   // exists
	Port         int      // on which it accepts when it is ready
	Core         int
}

// Running is one that was started.
type Running struct {
	PIDs      []int // all its processes
	Stop      func()
	EmptyLogs func()
}

// Load is requests for /small over 64 connections to an instance.
type Load struct {
	Port   int
	PIDs   []int
	Cookie string
	Rate   int // requests a second, 0 as fast as answers come
	Time   time.Duration
}

// Answers are what came of it. CPU is µs of a request.
type Answers struct {
	Errors   int64
	CPU, RPS float64
}

// Figures are all that is measured; nil is what failed.
type Figures struct {
	Checks  *Checks  `json:"checks,omitempty"`
	Rules   *Rules   `json:"rules,omitempty"`
	Changes *Changes `json:"changes,omitempty"`
}

// Print measures and prints; what fails is said and does not spoil the rest.
func Print(ctx context.Context, t Tools, w io.Writer) *Figures {
	var f Figures
	fmt.Fprintln(w)
	if c, err := t.measureChecks(ctx); err != nil {
		fmt.Fprintf(w, "FAILED: health checks: %v\n", err)
	} else {
		f.Checks = &c
		fmt.Fprintf(w, "%d upstreams of %d backends, a TCP check of each every 10 s: %.0f checks a second, control takes %.2f %% of a core (at most %.0f %%: %s)\n",
			checkUpstreams, checkBackends, c.PerSecond, c.Percent, targetChecks, verdict(c.Percent <= targetChecks))
	}
	if r, err := t.measureRules(ctx); err != nil {
		fmt.Fprintf(w, "FAILED: rules: %v\n", err)
	} else {
		f.Rules = &r
		fmt.Fprintf(w, "Health checks, breaker, ejection, sticky cookie and retry rules on: %.1f µs a request, %.1f without, ratio %.3f (at most %.2f: %s); "+
			"%.3f where each answer sets a cookie\n", r.With, r.Without, r.Ratio, targetRules, verdict(r.Ratio <= targetRules), r.NewCookie)
	}
	if c, err := t.measureChanges(ctx); err != nil {
		fmt.Fprintf(w, "FAILED: changes by discovery: %v\n", err)
	} else {
		f.Changes = &c
		fmt.Fprintln(w, c)
	}
	return &f
}

func verdict(reached bool) string {
	if reached {
		return "reached"
	}
	return "missed"
}

// instance is pingap, running.
type instance struct {
	Running
	dir  string
	port int
}

// start runs pingap with a configuration, which is told the port.
func (t Tools) start(ctx context.Context, name string, config func(port int, log string) string, env ...string) (instance, error) {
	port, err := t.FreePort()
	if err != nil {
		return instance{}, err
	}
	in := instance{dir: filepath.Join(t.Dir, "heal-"+name), port: port}
	if err := os.MkdirAll(in.dir, 0o755); err != nil {
		return in, err
	}
	if err := os.Chmod(t.Dir, 0o755); err != nil { // workers run as another user
		return in, err
	}
	path := filepath.Join(in.dir, "pingap.toml")
	if err := os.WriteFile(path, []byte(config(port, filepath.Join(in.dir, "access.log"))), 0o644); err != nil {
		return in, err
	}
	in.Running, err = t.Start(ctx, Program{Name: "pingap", Binary: t.Pingap, Dir: in.dir, Port: port, Core: t.LoadCore + 1, Env: env,
		Args: []string{"-c", path, "--run-dir", in.runDir(), "--state-dir", filepath.Join(in.dir, "state"), "--workers", "1", "--threads", "1"}})
	return in, err
}

func (in instance) runDir() string { return filepath.Join(in.dir, "run") }

// get asks for something once.
func (in instance) get(ctx context.Context, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort("127.0.0.1", strconv.Itoa(in.port))+path, nil)
	if err != nil {
		return nil, err
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	return r, r.Body.Close()
}

// ports are free ones.
func (t Tools) ports(n int) ([]int, error) {
	list := make([]int, n)
	var failed error
	for i := range list {
		var err error
		list[i], err = t.FreePort()
		failed = errors.Join(failed, err)
	}
	return list, failed
}

// rest waits, or until ctx ends.
func rest(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
