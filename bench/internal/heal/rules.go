package heal

import (
	"context"
	"errors"
	"fmt"
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
	ports, err := t.ports(ruleBackends)
	if err != nil {
		return Rules{}, err
	}
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
	cookie, err := t.cookie(ctx, rules, ports)
	if err != nil {
		return Rules{}, err
	}
	return t.compare(ctx, plain, rules, ports, cookie)
}

func (t Tools) compare(ctx context.Context, plain, rules instance, ports []int, cookie string) (Rules, error) {
	var without, with, fresh, ratio, freshRatio []float64
	for round := range max(ruleRounds, t.Rounds) + 1 {
		var cpu [3]float64
		for i, m := range []struct {
			in     instance
			cookie string
		}{{plain, cookie}, {rules, cookie}, {rules, ""}} {
			a, err := t.Load(ctx, Load{Port: m.in.port, PIDs: m.in.PIDs, Backends: ports, Cookie: m.cookie, Time: ruleLoad})
			if err == nil && (a.Errors > 0 && round > 0 || a.CPU == 0) {
				err = fmt.Errorf("%d errors, %.1f µs a request", a.Errors, a.CPU)
			}
			if err != nil {
				return Rules{}, err
			}
			cpu[i] = a.CPU
			m.in.EmptyLogs()
		}
		if round == 0 {
			continue // backends only answer while there is load: their checks find them now
		}
		without, with, fresh = append(without, cpu[0]), append(with, cpu[1]), append(fresh, cpu[2])
		ratio, freshRatio = append(ratio, cpu[1]/cpu[0]), append(freshRatio, cpu[2]/cpu[0])
	}
	return Rules{Without: t.Median(without), With: t.Median(with), Ratio: t.Median(ratio), NewCookie: t.Median(freshRatio)}, nil
}

// cookie is the one that the instance gives a client.
func (t Tools) cookie(ctx context.Context, in instance, ports []int) (string, error) {
	up, err := t.backends(ctx, in.dir, ports)
	if err != nil {
		return "", err
	}
	defer up.Stop()
	for range 20 { // a check may have found the backends missing
		r, err := in.get(ctx, "/small")
		if err != nil {
			return "", err
		}
		for _, c := range r.Cookies() {
			if c.Name == stickyCookie {
				return c.Name + "=" + c.Value, nil
			}
		}
		if err := rest(ctx, time.Second); err != nil {
			return "", err
		}
	}
	return "", errors.New("no cookie was set")
}

// backends are gen without load.
func (t Tools) backends(ctx context.Context, dir string, ports []int) (Running, error) {
	return t.Start(ctx, Program{Name: "gen as upstream", Binary: t.Gen, Dir: dir, Port: ports[0], Core: t.LoadCore,
		Args: []string{"--upstream", join(ports), "--seconds", "600"}})
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
