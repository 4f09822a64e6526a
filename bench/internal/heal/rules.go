package heal

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	ruleRounds   = 15 // at least: the target is near the noise of one round
	ruleLoad     = time.Second
	ruleBackends = 4
	stickyCookie = "where"
)

// Rules compare requests with health checks, breaker, ejection, sticky cookie and retry rules on, and without. Ratios are medians over rounds.
type Rules struct {
	Without   float64 `json:"without_us"` // CPU of a request
	With      float64 `json:"with_us"`
	Ratio     float64 `json:"ratio"`       // of clients that have their cookie
	NewCookie float64 `json:"ratio_fresh"` // of clients that are given a cookie each time
}

// allRules is what the upstream has beside its backends.
const allRules = `health_check = "http://bench.local/health?check_frequency=10s"
enable_backend_stats = true
circuit_break_max_consecutive_failures = 1000
circuit_break_max_failure_percent = 50
eject_consecutive_failures = 100
retry_status = "502,503,504"
sticky = "cookie:` + stickyCookie + `"
`

// measureRules loads two instances by turns.
func (t Tools) measureRules(ctx context.Context) (Rules, error) {
	up, ports, err := t.backends(ctx, ruleBackends)
	if err != nil {
		return Rules{}, err
	}
	defer up.Stop()
	plain, err := t.start(ctx, "plain", func(port int, log string) string { return config(port, log, ports, "", "") })
	if err != nil {
		return Rules{}, err
	}
	defer plain.Stop()
	rules, err := t.start(ctx, "rules", func(port int, log string) string { return config(port, log, ports, allRules, "max_retries = 2\n") })
	if err != nil {
		return Rules{}, err
	}
	defer rules.Stop()
	cookie, err := cookieOf(ctx, rules)
	if err != nil {
		return Rules{}, err
	}
	return t.compare(ctx, plain, rules, cookie)
}

func (t Tools) compare(ctx context.Context, plain, rules instance, cookie string) (Rules, error) {
	var without, with, ratio, freshRatio []float64
	for range max(ruleRounds, t.Rounds) {
		var cpu [3]float64
		for i, m := range []struct {
			in     instance
			cookie string
		}{{plain, cookie}, {rules, cookie}, {rules, ""}} {
			a, err := t.Load(ctx, Load{Port: m.in.port, PIDs: m.in.PIDs, Cookie: m.cookie, Time: ruleLoad})
			if err == nil && (a.Errors > 0 || a.CPU == 0) {
				err = fmt.Errorf("%d errors, %.1f µs a request", a.Errors, a.CPU)
			}
			if err != nil {
				return Rules{}, err
			}
			cpu[i] = a.CPU
			m.in.EmptyLogs()
		}
		without, with = append(without, cpu[0]), append(with, cpu[1])
		ratio, freshRatio = append(ratio, cpu[1]/cpu[0]), append(freshRatio, cpu[2]/cpu[0])
	}
	return Rules{Without: t.Median(without), With: t.Median(with), Ratio: t.Median(ratio), NewCookie: t.Median(freshRatio)}, nil
}

// cookieOf is the cookie that the instance gives a client.
func cookieOf(ctx context.Context, in instance) (string, error) {
	r, err := in.get(ctx, "/small")
	if err != nil {
		return "", err
	}
	for _, c := range r.Cookies() {
		if c.Name == stickyCookie {
			return c.Name + "=" + c.Value, nil
		}
	}
	return "", fmt.Errorf("no cookie was set, status %d", r.StatusCode)
}

// backends are n ports of gen without load, as health checks need them: there all the time.
func (t Tools) backends(ctx context.Context, n int) (up Running, ports []int, err error) {
	dir := filepath.Join(t.Dir, "backends")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return up, nil, err
	}
	for range 5 { // somebody may have taken one of many ports in the meantime
		if ports, err = t.ports(n); err != nil {
			return up, nil, err
		}
		up, err = t.Start(ctx, Program{Name: "gen as upstream", Binary: t.Gen, Dir: dir, Port: ports[len(ports)-1], Core: t.LoadCore,
			Args: []string{"--upstream", join(ports), "--seconds", "600"}})
		if err == nil {
			return up, ports, nil
		}
	}
	return up, nil, err
}

func join(numbers []int) string {
	texts := make([]string, len(numbers))
	for i, n := range numbers {
		texts[i] = strconv.Itoa(n)
	}
	return strings.Join(texts, ",")
}

// config is everything to backends at ports, with keys of the upstream and of the location.
func config(port int, log string, ports []int, upstream, location string) string {
	var addrs []string
	for _, port := range ports {
		addrs = append(addrs, fmt.Sprintf("%q", "127.0.0.1:"+strconv.Itoa(port)))
	}
	return configTo(port, log, "addrs = ["+strings.Join(addrs, ", ")+"]\n"+upstream, location)
}

// configTo is everything to an upstream.
func configTo(port int, log, upstream, location string) string {
	return fmt.Sprintf("[upstreams.gen]\n%s\n[locations.all]\npath = \"/\"\nupstream = \"gen\"\nplugins = [\"pingap:requestId\"]\n%s\n"+
		"[servers.web]\naddr = \"127.0.0.1:%d\"\naccess_log = \"%s?rolling=never combined\"\nkeepalive_requests = 0\nlocations = [\"all\"]\n",
		upstream, location, port, log)
}
