package stats

import (
	"cmp"
	"encoding/json"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"pingap/message"
	"pingap/plugins"
)

// Factory declares the plugin.
func Factory() plugins.Factory {
	return plugins.Factory{
		Category: "stats",
		Summary:  "Answers one path with figures of the worker as JSON.",
		Steps:    []plugins.Step{plugins.Request, plugins.ProxyUpstream},
		Plain:    true,
		Params: []plugins.Param{
			{Name: "path", Type: plugins.String, Required: true, Help: "Path that is answered; compared whole, without the query."},
		},
		New: build,
	}
}

// stats is an instance.
type stats struct {
	path    string
	figures func() plugins.Figures // nil where nobody counts
	counts  *counts
	gauge   *gauge
}

func build(p *plugins.Parameters) (plugins.Plugin, error) {
	path, err := p.Path("path")
	if err != nil {
		return nil, err
	}
	services := p.Services()
	s := &stats{
		path:   path,
		counts: services.Keep("stats/"+p.Name(), func() any { return newCounts() }).(*counts),
		gauge:  services.Keep("stats", func() any { return &gauge{root: "/proc"} }).(*gauge),
	}
	if services != nil {
		s.figures = services.Figures
	}
	return s, nil
}

// Decide answers the path. Of everything else it counts that it was there.
func (s *stats) Decide(e *plugins.Exchange) plugins.Decision {
	l := s.counts.of(e.Location)
	if !e.Shadow {
		l.begin()
		e.AtEnd(l)
	}
	if string(e.Request.NormalPath()) != s.path {
		return plugins.Continue
	}
	body, err := json.Marshal(s.report(e, l))
	if err != nil { // numbers and texts: a bug
		panic("stats: " + err.Error())
	}
	a := &plugins.Answer{Status: 200, Body: append(body, '\n')}
	a.AddField("Content-Type", "application/json; charset=utf-8")
	return plugins.Respond(a, "stats")
}

// report is the answer. Names and types are those of the original, but for the first five.
type report struct {
	Scope         string `json:"scope"` // what processing and accepted are of
	PID           int    `json:"pid"`
	Location      string `json:"location"`
	ConfigVersion uint64 `json:"config_version"`
	GoVersion     string `json:"go_version"`

	Processing         int64  `json:"processing"`
	Accepted           uint64 `json:"accepted"`
	LocationProcessing int64  `json:"location_processing"`
	LocationAccepted   uint64 `json:"location_accepted"`
	Hostname           string `json:"hostname"`
	Version            string `json:"version"`
	RustcVersion       string `json:"rustc_version"` // there for dashboards: it is the version of Go
	StartTime          int64  `json:"start_time"`    // Unix time in seconds
	Uptime             string `json:"uptime"`
	MemoryMB           int64  `json:"memory_mb"`
	Memory             string `json:"memory"`
	TotalMemory        string `json:"total_memory"`
	UsedMemory         string `json:"used_memory"`
	Arch               string `json:"arch"`
	CPUs               int    `json:"cpus"`
	PhysicalCPUs       int    `json:"physical_cpus"`
	Threads            int    `json:"threads"`
	FDCount            int    `json:"fd_count"`
	TCPCount           int    `json:"tcp_count"`
	TCP6Count          int    `json:"tcp6_count"`
}

func (s *stats) report(e *plugins.Exchange, l *location) report {
	f := plugins.Figures{Processing: e.Processing} // of the server at least
	if s.figures != nil {
		f = s.figures()
	}
	m := s.gauge.read()
	up := time.Duration(message.Now()).Truncate(time.Second)
	return report{
		Scope: "worker", PID: os.Getpid(), Location: e.Location, ConfigVersion: e.ConfigVersion, GoVersion: runtime.Version(),
		Processing: f.Processing, Accepted: f.Accepted,
		LocationProcessing: l.processing.Load(), LocationAccepted: l.accepted.Load(),
		Hostname: m.hostname, Version: f.Version, RustcVersion: runtime.Version(),
		StartTime: time.Now().Add(-up).Unix(), Uptime: human(up),
		MemoryMB: m.memory >> 20, Memory: sizeText(m.memory), TotalMemory: sizeText(m.total), UsedMemory: sizeText(m.used),
		Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), PhysicalCPUs: cmp.Or(m.cores, runtime.NumCPU()),
		Threads: m.threads, FDCount: m.files, TCPCount: m.connections, TCP6Count: m.connect6,
	}
}

// human writes a duration of whole seconds as configurations do: "2days 3h 5m 1s".
func human(d time.Duration) string {
	if d < time.Second {
		return "0s"
	}
	var parts []string
	for _, unit := range []struct {
		name string
		size time.Duration
	}{{"day", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}} {
		n := d / unit.size
		d -= n * unit.size
		switch {
		case n == 0:
		case unit.name == "day" && n > 1:
			parts = append(parts, strconv.FormatInt(int64(n), 10)+"days")
		default:
			parts = append(parts, strconv.FormatInt(int64(n), 10)+unit.name)
		}
	}
	return strings.Join(parts, " ")
}

// sizeText writes a number of bytes in the largest unit of 1024 that leaves a whole one: "38.2 MiB".
func sizeText(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	value, unit := float64(n), 0
	for value >= 1024 && unit < len(units)-1 {
		value, unit = value/1024, unit+1
	}
	if unit == 0 {
		return strconv.FormatInt(n, 10) + " B"
	}
	return strconv.FormatFloat(value, 'f', 1, 64) + " " + units[unit]
}
