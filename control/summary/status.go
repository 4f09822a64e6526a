package summary

import (
	"fmt"
	"time"

	"pingap/config"
	"pingap/ipc"
)

// Status is the JSON form of the answer. Names are kept, new ones may be added.
type Status struct {
	State     string     `json:"state"`
	Degraded  []string   `json:"degraded"`
	Notes     []string   `json:"notes"` // nothing is broken, but this should be known
	Build     string     `json:"build"`
	Settled   bool       `json:"settled"` // nothing is under way
	Epoch     uint32     `json:"epoch"`   // supervisors of this instance before this one
	Hurried   int        `json:"hurried"` // workers that had to drain faster
	Config    Config     `json:"config"`
	Processes []Process  `json:"processes"`
	Listeners []Listener `json:"listeners"`
	Logs      []string   `json:"logs"`
}

// Config is what is said of the configuration.
type Config struct {
	Version   uint64      `json:"version"`
	SHA       string      `json:"sha"`
	Source    *ipc.Source `json:"source"`     // null when control is another version
	LastApply *Apply      `json:"last_apply"` // of the supervisor; null before the first
	// Versions were applied since control started, oldest first.
	Versions []Version `json:"versions"`
}

// Version was applied since control started.
type Version struct {
	Version uint64    `json:"version"`
	SHA     string    `json:"sha"`
	At      time.Time `json:"at"`
	By      string    `json:"by"`
	Changes []Change  `json:"changes"` // the first of them
}

// Change is an object that a version changed.
type Change struct {
	Object string `json:"object"`
	Class  string `json:"class"` // same, hot, listeners or roll
}

// Apply is how the last proposal ended.
type Apply struct {
	At          time.Time `json:"at"`
	SHA         string    `json:"sha"`
	RequestedBy string    `json:"requested_by"`
	Error       string    `json:"error,omitempty"`
}

// Process is one of the instance.
type Process struct {
	Kind        string  `json:"kind"`
	PID         int     `json:"pid"`
	Slot        int     `json:"slot"`
	Generation  int     `json:"generation"`
	State       string  `json:"state"`
	Uptime      float64 `json:"uptime"`      // seconds
	Connections int64   `json:"connections"` // open now
	Requests    uint64  `json:"requests"`    // since start
	Memory      int64   `json:"memory"`      // resident bytes
	Restarts    int     `json:"restarts"`
	LastExit    string  `json:"last_exit,omitempty"`
	Build       string  `json:"build,omitempty"`
	SHA         string  `json:"sha,omitempty"`
	LogDropped  uint64  `json:"log_dropped"` // log lines lost since start
}

// Listener is a socket that is open.
type Listener struct {
	ID      string `json:"id"`
	Network string `json:"network"`
	Address string `json:"address"`
	Server  string `json:"server"`
}

// Of makes it of what the supervisor and control say.
func Of(a *ipc.StatusAll) Status {
	st := Status{State: a.State, Degraded: orEmpty(a.Degraded), Notes: orEmpty(a.Notes), Build: a.Build, Settled: a.Settled, Epoch: a.Epoch, Hurried: a.Hurried,
		Logs:   orEmpty(a.Logs),
		Config: Config{Version: a.Version, SHA: a.SHA, Source: a.Source, Versions: newVersions(a.Versions)}}
	if l := a.LastApply; l != nil {
		st.Config.LastApply = &Apply{At: l.At, SHA: l.SHA, RequestedBy: l.RequestedBy, Error: l.Error}
	}
	for _, p := range a.Processes {
		line := newProcess(p)
		st.Processes = append(st.Processes, line)
		if line.LogDropped > 0 {
			st.Notes = append(st.Notes, fmt.Sprintf("%s has lost %d log lines since its start", line.name(), line.LogDropped))
		}
	}
	for _, l := range a.Listeners {
		st.Listeners = append(st.Listeners, Listener{l.ID, l.Network, l.Address, l.Server})
	}
	st.Processes, st.Listeners = orEmpty(st.Processes), orEmpty(st.Listeners)
	return st
}

func newVersions(list []ipc.AppliedVersion) []Version {
	lines := []Version{}
	for _, v := range list {
		line := Version{Version: v.Version, SHA: v.SHA, At: v.At, By: v.By, Changes: []Change{}}
		for _, c := range v.Changes {
			line.Changes = append(line.Changes, Change{c.Object, config.Class(c.Class).String()})
		}
		lines = append(lines, line)
	}
	return lines
}

func newProcess(p ipc.Process) Process {
	line := Process{Kind: p.Kind, PID: p.PID, Slot: p.Slot, Generation: p.Generation, State: p.State,
		Uptime: p.Uptime.Round(time.Millisecond).Seconds(), Restarts: p.Restarts, LastExit: p.LastExit, Build: p.Build}
	if s := p.Status; s != nil {
		for _, n := range s.Connections {
			line.Connections += n
		}
		line.Requests, line.Memory, line.SHA, line.LogDropped = s.Requests, s.RSS, s.SHA, s.LogDropped
	}
	return line
}

// name tells the process apart from others in a sentence.
func (p Process) name() string {
	if p.Kind == ipc.RoleWorker {
		return fmt.Sprintf("%s %d (pid %d)", p.Kind, p.Slot, p.PID)
	}
	return fmt.Sprintf("%s (pid %d)", p.Kind, p.PID)
}

// orEmpty makes JSON show [] where there is nothing.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
