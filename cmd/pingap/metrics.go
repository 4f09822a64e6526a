package main

import (
	"fmt"
	"io"
	"strings"

	"pingap/control/summary"
)

// writeMetrics prints figures of the processes in the text exposition format of Prometheus, version 0.0.4.
func (st *status) writeMetrics(w io.Writer) error {
	var b strings.Builder
	family := func(name, kind, help string) {
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
	}
	single := func(name, kind, help string, value any) {
		family(name, kind, help)
		fmt.Fprintf(&b, "%s %v\n", name, value)
	}
	draining := map[int]bool{}
	for _, p := range st.Processes {
		if p.Kind == "worker" && p.State == "draining" {
			draining[p.Generation] = true
		}
	}
	single("pingap_config_version", "gauge", "Number of the live configuration.", st.Config.Version)
	single("pingap_degraded", "gauge", "Reasons why the instance is degraded.", len(st.Degraded))
	single("pingap_draining_generations", "gauge", "Generations of workers that finish what they have begun.", len(draining))
	single("pingap_hurried_workers_total", "counter", "Workers that had to drain faster, as there were too many generations or too little memory.", st.Hurried)
	each := func(name, kind, help string, value func(p *summary.Process) any) {
		family(name, kind, help)
		for i := range st.Processes {
			p := &st.Processes[i]
			fmt.Fprintf(&b, "%s{kind=%q,slot=\"%d\",generation=\"%d\",state=%q,pid=\"%d\"} %v\n", name, p.Kind, p.Slot, p.Generation, p.State, p.PID, value(p))
		}
	}
	each("pingap_process_connections", "gauge", "Open connections with clients.", func(p *summary.Process) any { return p.Connections })
	each("pingap_process_requests_total", "counter", "Requests since the process started.", func(p *summary.Process) any { return p.Requests })
	each("pingap_process_resident_memory_bytes", "gauge", "Resident memory.", func(p *summary.Process) any { return p.Memory })
	each("pingap_process_log_lines_dropped_total", "counter", "Log lines lost since the process started.", func(p *summary.Process) any { return p.LogDropped })
	_, err := io.WriteString(w, b.String())
	return err
}
