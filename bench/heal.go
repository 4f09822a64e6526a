package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What backends that heal may cost.
const (
	targetChecks = 3.0  // percent of a core for control, with checkUpstreams of checkBackends each, checked every 10 s
	targetRules  = 1.03 // CPU of a request with all rules on, relative to one without
)

const (
	healRounds   = 15 // of the comparison of rules: its target is near the noise of one round
	healBackends = 4
	stickyCookie = "where"
)

// healFigures are what health checks, rules and discovery cost.
type healFigures struct {
	Checks  *checkFigures  `json:"checks,omitempty"`
	Rules   *rulesFigures  `json:"rules,omitempty"`
	Changes *changeFigures `json:"changes,omitempty"`
}

// rulesFigures compare requests with health checks, breaker, ejection, sticky cookie and retry rules on, and without.
type rulesFigures struct {
	Without   float64 `json:"without_us"` // CPU of a request
	With      float64 `json:"with_us"`
	Ratio     float64 `json:"ratio"`       // median over rounds, clients that have their cookie
	NewCookie float64 `json:"ratio_fresh"` // the same of clients that are given a cookie each time
}

// printHeal measures and prints; what fails is said and does not spoil the rest.
func (b *bench) printHeal(ctx context.Context, w io.Writer) *healFigures {
	i := slices.IndexFunc(b.proxies, func(p proxy) bool { return p.name == "pingap" })
	if i < 0 {
		return nil
	}
	var f healFigures
	p := b.proxies[i]
	fmt.Fprintln(w)
	if c, err := b.measureChecks(ctx, p); err != nil {
		fmt.Fprintf(w, "FAILED: health checks: %v\n", err)
	} else {
		f.Checks = &c
		fmt.Fprintf(w, "%d upstreams of %d backends, a TCP check of each every 10 s: %.0f checks a second, control takes %.2f %% of a core (at most %.0f %%: %s)\n",
			checkUpstreams, checkBackends, c.PerSecond, c.Percent, targetChecks, verdict(c.Percent <= targetChecks))
	}
	if r, err := b.measureRules(ctx, p); err != nil {
		fmt.Fprintf(w, "FAILED: rules: %v\n", err)
	} else {
		f.Rules = &r
		fmt.Fprintf(w, "Health checks, breaker, ejection, sticky cookie and retry rules on: %.1f µs a request, %.1f without, ratio %.3f (at most %.2f: %s); "+
			"%.3f where each answer sets a cookie\n", r.With, r.Without, r.Ratio, targetRules, verdict(r.Ratio <= targetRules), r.NewCookie)
	}
	if c, err := b.measureChanges(ctx, p); err != nil {
		fmt.Fprintf(w, "FAILED: changes by discovery: %v\n", err)
	} else {
		f.Changes = &c
		fmt.Fprintf(w, "%.0f backends changed a second by discovery, for %.0f s, at %d requests a second: %d failed, memory %s, %d configuration versions made (none of each: %s)\n",
			c.PerSecond, c.Seconds, c.Rate, c.Failed, c.memory(), c.Versions, verdict(c.Failed == 0 && c.Versions == 0))
	}
	return &f
}

func verdict(reached bool) string {
	if reached {
		return "reached"
	}
	return "missed"
}

// healRules is what the upstream has beside its backends.
const healRules = `health_check = "http://bench.local/health?check_frequency=10s"
enable_backend_stats = true
circuit_break_max_consecutive_failures = 1000
circuit_break_max_failure_percent = 50
eject_consecutive_failures = 100
retry_status = "502,503,504"
sticky = "cookie:` + stickyCookie + `"
`

// measureRules loads two instances by turns.
func (b *bench) measureRules(ctx context.Context, p proxy) (rulesFigures, error) {
	ports := make([]int, healBackends)
	for i := range ports {
		var err error
		if ports[i], err = freePort(); err != nil {
			return rulesFigures{}, err
		}
	}
	var running []*instance
	for _, c := range []struct{ name, upstream, location string }{{"plain", "", ""}, {"rules", healRules, "max_retries = 2\n"}} {
		in, err := b.startHeal(ctx, p, "heal-"+c.name, strconv.Itoa(b.genCore+1), func(s setup) string { return healConfig(s, ports, c.upstream, c.location) })
		if err != nil {
			return rulesFigures{}, err
		}
		defer in.stop()
		running = append(running, in)
	}
	return b.compareRules(ctx, running[0], running[1], ports)
}

func (b *bench) compareRules(ctx context.Context, plain, rules *instance, ports []int) (rulesFigures, error) {
	load := func(in *instance, cookie string) (genResult, error) {
		r := row{Conns: 64, Path: "/small", Length: smallAnswer, Cookie: cookie}
		args := genArgs(r, b.o, in.port, b.upstream, b.genCore, in.pids, false)
		g, err := runGen(ctx, b.gen, append(args, "--upstream", join(ports)))
		if err == nil && g.Errors > 0 {
			err = fmt.Errorf("%d errors (status %d)", g.Errors, g.FirstBadStatus)
		}
		return g, err
	}
	if _, err := load(rules, ""); err != nil { // backends answer now
		return rulesFigures{}, err
	}
	cookie, err := b.cookie(ctx, rules, ports)
	if err != nil {
		return rulesFigures{}, err
	}
	var without, with, fresh []genResult
	for range max(healRounds, b.o.rounds) {
		for _, m := range []struct {
			in     *instance
			cookie string
			into   *[]genResult
		}{{plain, cookie, &without}, {rules, cookie, &with}, {rules, "", &fresh}} {
			g, err := load(m.in, m.cookie)
			if err != nil {
				return rulesFigures{}, err
			}
			*m.into = append(*m.into, g)
		}
		plain.emptyLogs()
		rules.emptyLogs()
	}
	cpu := func(g genResult) float64 { return g.CPU }
	return rulesFigures{Without: medianResult(without).CPU, With: medianResult(with).CPU, Ratio: medianRatio(with, without, cpu),
		NewCookie: medianRatio(fresh, without, cpu)}, nil
}

// cookie is the one that the instance gives a client.
func (b *bench) cookie(ctx context.Context, in *instance, ports []int) (string, error) {
	up, err := start(ctx, proxy{name: "gen as upstream", binary: b.gen, command: func(setup) ([]string, []string, error) {
		return []string{"--upstream", join(ports), "--seconds", "600"}, nil, nil
	}}, setup{dir: in.dir, port: ports[0]}, strconv.Itoa(b.genCore))
	if err != nil {
		return "", err
	}
	defer up.stop()
	r, err := http.Get("http://" + in.address() + "/small")
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	for _, c := range r.Cookies() {
		if c.Name == stickyCookie {
			return c.Name + "=" + c.Value, nil
		}
	}
	return "", errors.New("no cookie was set")
}

// startHeal starts this build on a configuration.
func (b *bench) startHeal(ctx context.Context, p proxy, name, cores string, config func(setup) string) (*instance, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s := setup{dir: filepath.Join(b.dir, name), threads: 1, port: port}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return nil, err
	}
	if err := os.Chmod(b.dir, 0o755); err != nil { // workers run as another user
		return nil, err
	}
	p.command = func(s setup) (args, env []string, err error) {
		path, err := s.write("pingap.toml", config(s))
		return []string{"-c", path, "--run-dir", s.path("run"), "--state-dir", s.path("state"), "--workers", "1", "--threads", "1"}, nil, err
	}
	return start(ctx, p, s, cores)
}

// healConfig is everything to backends at ports, with keys of the upstream and of the location.
func healConfig(s setup, ports []int, upstream, location string) string {
	var addrs []string
	for _, port := range ports {
		addrs = append(addrs, fmt.Sprintf("%q", "127.0.0.1:"+strconv.Itoa(port)))
	}
	return fmt.Sprintf("[upstreams.gen]\naddrs = [%s]\n%s\n[locations.all]\npath = \"/\"\nupstream = \"gen\"\nplugins = [\"pingap:requestId\"]\n%s\n"+
		"[servers.web]\naddr = \"127.0.0.1:%d\"\naccess_log = \"%s?rolling=never combined\"\nkeepalive_requests = 0\nlocations = [\"all\"]\n",
		strings.Join(addrs, ", "), upstream, location, s.port, s.path("access.log"))
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
