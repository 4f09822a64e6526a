package heal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pingap/e2e/backends"
)

const (
	changeStay   = 4  // containers that stay
	changeGo     = 60 // and that come and go
	changePace   = 10 * time.Millisecond
	changeTime   = 20 * time.Second
	changeWarmup = 5 * time.Second // of the same, before anything is looked at
	changeLoad   = 0.5             // of what the instance bears
	// What a process may have more at the end before it counts as growth.
	changeSlack = 16 << 10 // KiB
)

// Changes are what many changes by discovery cost.
type Changes struct {
	PerSecond float64        `json:"changes_per_second"`
	Seconds   float64        `json:"seconds"`
	Rate      int            `json:"rate"`
	Failed    int64          `json:"failed_requests"`
	Versions  int            `json:"versions_made"`
	Before    map[string]int `json:"kib_before"` // by process
	After     map[string]int `json:"kib_after"`
}

func (c Changes) String() string {
	var memory []string
	flat := true
	for name, kib := range c.After {
		memory = append(memory, fmt.Sprintf("%s %d -> %d KiB", name, c.Before[name], kib))
		flat = flat && kib <= c.Before[name]+changeSlack
	}
	slices.Sort(memory)
	return fmt.Sprintf("%.0f backends changed a second by discovery, for %.0f s, at %d requests a second: %d failed, %d configuration versions made; %s (nothing of each: %s)",
		c.PerSecond, c.Seconds, c.Rate, c.Failed, c.Versions, strings.Join(memory, ", "), verdict(flat && c.Failed == 0 && c.Versions == 0))
}

// engine is a Docker engine with containers that are ports of gen.
type engine struct {
	*backends.Engine
	ports   []int
	changes int
	running map[int]string
}

// measureChanges has containers come and go under load.
func (t Tools) measureChanges(ctx context.Context) (Changes, error) {
	up, ports, err := t.backends(ctx, changeStay+changeGo)
	if err != nil {
		return Changes{}, err
	}
	defer up.Stop()
	socket := filepath.Join(t.Dir, "docker.sock")
	e := &engine{Engine: backends.NewEngine(socket), ports: ports, running: map[int]string{}}
	if err := e.Up(); err != nil {
		return Changes{}, err
	}
	defer e.Down()
	if err := os.Chmod(socket, 0o666); err != nil { // control is another user
		return Changes{}, err
	}
	for n := range changeStay {
		e.run(n, fmt.Sprintf("stays-%d", n))
	}
	in, err := t.start(ctx, "changes", func(port int, log string) string {
		return configTo(port, log, "addrs = [\"app=bench\"]\ndiscovery = \"docker\"\nupdate_frequency = \"5m\"", "")
	}, "DOCKER_HOST=unix://"+socket)
	if err != nil {
		return Changes{}, err
	}
	defer in.Stop()
	return t.whileChanging(ctx, in, e)
}

// whileChanging loads the instance while containers change.
func (t Tools) whileChanging(ctx context.Context, in instance, e *engine) (Changes, error) {
	full, err := t.Load(ctx, Load{Port: in.port, PIDs: in.PIDs, Time: time.Second})
	if err != nil {
		return Changes{}, err
	}
	if full.Errors > 0 {
		return Changes{}, fmt.Errorf("%d errors before anything changed", full.Errors)
	}
	c := Changes{Rate: max(1, int(changeLoad*full.RPS)), Seconds: changeTime.Seconds()}
	over := make(chan struct{})
	ended := make(chan struct{})
	go func() { // ends with over
		defer close(ended)
		e.keepChanging(over)
	}()
	stop := func() {
		close(over)
		<-ended
	}
	warm, err := t.Load(ctx, Load{Port: in.port, PIDs: in.PIDs, Rate: c.Rate, Time: changeWarmup})
	if err != nil {
		stop()
		return c, err
	}
	version, err1 := in.version(ctx, t.Pingap)
	c.Before = in.memory()
	a, err2 := t.Load(ctx, Load{Port: in.port, PIDs: in.PIDs, Rate: c.Rate, Time: changeTime})
	stop()
	now, err3 := in.version(ctx, t.Pingap)
	c.Failed, c.Versions, c.After = warm.Errors+a.Errors, now-version, in.memory()
	c.PerSecond = float64(e.changes) / (changeTime + changeWarmup).Seconds()
	in.EmptyLogs()
	return c, errors.Join(err1, err2, err3)
}

// keepChanging starts and stops containers.
func (e *engine) keepChanging(over <-chan struct{}) {
	tick := time.NewTicker(changePace)
	defer tick.Stop()
	for ; ; e.changes++ {
		select {
		case <-over:
			return
		case <-tick.C:
		}
		slot := changeStay + e.changes%changeGo
		if id, ok := e.running[slot]; ok {
			e.Stop(id)
			e.Lose(id)
			delete(e.running, slot)
			continue
		}
		e.running[slot] = fmt.Sprintf("comes-%d", e.changes)
		e.run(slot, e.running[slot])
	}
}

func (e *engine) run(slot int, id string) {
	e.Run(backends.Container{ID: id, Names: []string{"/" + id}, Labels: map[string]string{"app": "bench"},
		Ports:           []backends.Port{{PrivatePort: e.ports[slot], Type: "tcp"}},
		NetworkSettings: backends.Settings{Networks: map[string]backends.Network{"bridge": {IPAddress: "127.0.0.1"}}}})
}

// version is the number of the live configuration.
func (in instance) version(ctx context.Context, pingap string) (int, error) {
	out, err := exec.CommandContext(ctx, pingap, "status", "--json", "--run-dir", in.runDir()).Output()
	if err != nil {
		return 0, fmt.Errorf("status: %w", err)
	}
	var st struct {
		Config struct {
			Version int `json:"version"`
		} `json:"config"`
	}
	err = json.Unmarshal(out, &st)
	return st.Config.Version, err
}

// memory is the resident memory of each process, in KiB.
func (in instance) memory() map[string]int {
	all := map[string]int{}
	for _, pid := range in.PIDs {
		name, err1 := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		status, err2 := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		_, rest, found := strings.Cut(string(status), "\nVmRSS:")
		if errors.Join(err1, err2) != nil || !found {
			continue // a process that has ended
		}
		kind := "supervisor"
		if title, ok := bytes.CutPrefix(name, []byte("pingap: ")); ok {
			kind, _, _ = strings.Cut(strings.ReplaceAll(string(title), "\x00", " "), " ")
		}
		var kib int
		_, _ = fmt.Sscan(rest, &kib) // the kernel writes a number there
		all[kind] += kib
	}
	return all
}
