package heal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	checkUpstreams = 1000
	checkBackends  = 10
	checkSettle    = 12 * time.Second // one round of checks, and what a start costs
	checkTime      = 20 * time.Second // two rounds
)

// Checks are what active health checks cost.
type Checks struct {
	PerSecond float64 `json:"checks_per_second"`
	Percent   float64 `json:"control_percent_of_a_core"`
}

// measureChecks has many backends checked, all of them in another process.
func (t Tools) measureChecks(ctx context.Context) (Checks, error) {
	var f Checks
	ports, err := t.ports(checkBackends)
	if err != nil {
		return f, err
	}
	var addrs []string
	for _, port := range ports {
		addrs = append(addrs, "127.0.0.1:"+strconv.Itoa(port))
	}
	dir := filepath.Join(t.Dir, "sink")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return f, err
	}
	sink, err := t.Start(ctx, Program{Name: "sink", Binary: t.Peer, Args: []string{"sink", "-addr", strings.Join(addrs, ",")}, Dir: dir,
		Port: ports[len(ports)-1], Core: t.LoadCore})
	if err != nil {
		return f, err
	}
	defer sink.Stop()
	in, err := t.start(ctx, "checks", func(port int, _ string) string { return checksConfig(port, addrs) })
	if err != nil {
		return f, err
	}
	defer in.Stop()
	if err := rest(ctx, checkSettle); err != nil {
		return f, err
	}
	return countChecks(ctx, in)
}

// countChecks looks at control for a while.
func countChecks(ctx context.Context, in instance) (Checks, error) {
	var f Checks
	pid := kindOf(in, "control")
	if pid == 0 {
		return f, errors.New("there is no control")
	}
	began := time.Now()
	cpu, err1 := cpuTime(pid)
	checks, err2 := connectionsOpened()
	if err := errors.Join(err1, err2, rest(ctx, checkTime)); err != nil {
		return f, err
	}
	cpuNow, err1 := cpuTime(pid)
	checksNow, err2 := connectionsOpened()
	took := time.Since(began).Seconds()
	f = Checks{PerSecond: float64(checksNow-checks) / took, Percent: (cpuNow - cpu).Seconds() / took * 100}
	if f.PerSecond == 0 {
		err1 = errors.Join(err1, errors.New("no check has come"))
	}
	return f, errors.Join(err1, err2)
}

// checksConfig is many upstreams, and a location for each.
func checksConfig(port int, addrs []string) string {
	var b strings.Builder
	var names []string
	for n := range checkUpstreams {
		name := fmt.Sprintf("u%04d", n)
		names = append(names, strconv.Quote(name))
		fmt.Fprintf(&b, "[upstreams.%s]\naddrs = [\"%s\"]\nhealth_check = \"tcp://bench.local?check_frequency=10s\"\n\n[locations.%s]\npath = \"/%s\"\nupstream = %q\n\n",
			name, strings.Join(addrs, `", "`), name, name, name)
	}
	fmt.Fprintf(&b, "[servers.web]\naddr = \"127.0.0.1:%d\"\nlocations = [%s]\n", port, strings.Join(names, ", "))
	return b.String()
}

// kindOf is the process of an instance that has a name, 0 if there is none.
func kindOf(in instance, name string) int {
	for _, pid := range in.PIDs {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // it may have ended
		if strings.HasPrefix(string(text), "pingap: "+name) {
			return pid
		}
	}
	return 0
}

// cpuTime is what a process has used so far.
func cpuTime(pid int) (time.Duration, error) {
	paths, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	var sum time.Duration
	for _, path := range paths {
		text, readErr := os.ReadFile(path)
		if readErr != nil {
			continue // a thread that has ended
		}
		first, _, _ := strings.Cut(string(text), " ")
		ns, parseErr := strconv.ParseInt(first, 10, 64)
		err = errors.Join(err, parseErr)
		sum += time.Duration(ns)
	}
	return sum, err
}

// connectionsOpened is how many connections were begun on this machine so far. A check is over before a listener could accept it, so that no backend can count
// them.
func connectionsOpened() (int64, error) {
	text, err := os.ReadFile("/proc/net/snmp")
	if err != nil {
		return 0, err
	}
	var names []string
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != "Tcp:" {
			continue
		}
		if names == nil {
			names = fields
			continue
		}
		if i := slices.Index(names, "ActiveOpens"); i > 0 && i < len(fields) {
			return strconv.ParseInt(fields[i], 10, 64)
		}
	}
	return 0, errors.New("the kernel does not count connections")
}
