package metrics

import (
	"strconv"

	dto "github.com/prometheus/client_model/go"

	"pingap/ipc"
)

// breakerStates are the values of a breaker's gauge.
const (
	breakerClosed = iota
	breakerOpen
	breakerHalfOpen
)

// backends adds what is known of backends, for those upstreams whose configuration counts it.
func (e *Exporter) backends(p *page) {
	for _, u := range e.Upstreams() {
		var processing int64
		known := false
		for i := range u.Backends {
			b := &u.Backends[i]
			if b.InFlight >= 0 {
				known, processing = true, processing+b.InFlight
			}
			if !b.Absent.IsZero() {
				continue
			}
			labels := func() []*dto.LabelPair {
				return []*dto.LabelPair{p.label("backend", b.Address), p.common, p.label("upstream", u.Name)}
			}
			healthy := 0.0
			if b.Health == "healthy" || b.Health == "unchecked" {
				healthy = 1
			}
			p.gauge("pingap_upstream_backend_healthy", "Whether a backend may get requests as far as its health check says: 1 or 0.", healthy, labels()...)
			if b.Windowed {
				p.gauge("pingap_upstream_backend_requests", "Requests to a backend in the window of its statistics.", float64(b.WindowRequests), labels()...)
				rate := 0.0
				if b.WindowRequests > 0 {
					rate = 100 * float64(b.WindowFailures) / float64(b.WindowRequests)
				}
				p.gauge("pingap_upstream_backend_failure_rate", "Percent of the requests in the window that failed.", rate, labels()...)
			}
			if b.Breaker != "" {
				p.gauge("pingap_upstream_backend_circuit_state", "State of a backend's breaker: 0 closed, 1 open, 2 half-open.", breakerState(b.Breaker), labels()...)
			}
		}
		if known {
			p.gauge("pingap_upstream_connections_current", "Requests in process at the backends of an upstream, over all servers.", float64(processing),
				p.common, p.label("upstream", u.Name))
		}
	}
}

func breakerState(text string) float64 {
	switch text {
	case "open":
		return breakerOpen
	case "half-open":
		return breakerHalfOpen
	}
	return breakerClosed
}

// instance adds what is of the instance as a whole. Without an answer of the supervisor that is what control knows by itself.
func (e *Exporter) instance(p *page, all *ipc.StatusAll) {
	p.gauge("pingap_build_info", "1; the label is the version.", 1, p.label("version", e.Version))
	for _, c := range e.Certificates() {
		p.gauge("pingap_certificate_expiry_timestamp_seconds", "When a certificate of the configuration ends, in Unix time.",
			float64(c.NotAfter.Unix()), p.label("certificate", c.Name))
	}
	if e.Events != nil {
		events(p, e.Events())
	}
	sockets(p)
	up := 0.0
	if all != nil {
		up = 1
		e.processes(p, all)
		configuration(p, all)
		operations(p, all)
	}
	p.gauge("pingap_supervisor_answers", "Whether the supervisor told of processes and configuration for this page: 1 or 0.", up)
}

// events adds what became of events. They are no counters: control may be started again, and counts anew.
func events(p *page, e Events) {
	p.gauge("pingap_events_waiting", "Events that wait to be told to the webhook, or are being told.", float64(e.Waiting))
	for _, of := range []struct {
		result string
		n      uint64
	}{{"sent", e.Sent}, {"retried", e.Retried}, {"failed", e.Failed}, {"dropped", e.Dropped}} {
		p.gauge("pingap_events", "Events for the webhook since control started: sent, attempts beyond the first, given up, and dropped as too many waited.", float64(of.n),
			p.label("result", of.result))
	}
}

// configuration adds what is live, and how the last change ended.
func configuration(p *page, all *ipc.StatusAll) {
	p.gauge("pingap_config_version", "Number of the live configuration.", float64(all.Version))
	p.gauge("pingap_degraded", "Reasons why the instance is degraded.", float64(len(all.Degraded)))
	if a := all.LastApply; a != nil {
		success := 0.0
		if a.Error == "" {
			success = 1
		}
		p.gauge("pingap_config_last_apply_success", "Whether the last proposed configuration became live: 1 or 0.", success)
		p.gauge("pingap_config_last_apply_timestamp_seconds", "When that was, in Unix time.", float64(a.At.UnixMilli())/1000)
	}
	if s := all.Source; s != nil {
		refused := 0.0
		if s.Refused != "" {
			refused = 1
		}
		p.gauge("pingap_config_source_refused", "Whether the source of the configuration was refused when it was loaded last: 1 or 0.", refused)
	}
}

// operations adds what the ledger says of all operations, and of the last one.
func operations(p *page, all *ipc.StatusAll) {
	if t := all.Ledger; t != nil {
		p.counter("pingap_drained_workers_total", "Workers that have drained, or died, since the instance began.", float64(t.Workers))
		p.counter("pingap_drained_requests_total", "Requests that ended while their worker drained.", float64(t.Finished))
		p.counter("pingap_drained_connections_total", "Connections that ended while their worker drained.", float64(t.Drained))
		p.counter("pingap_moved_connections_total", "Connections that the successors had accepted when a roll was over.", float64(t.Moved))
		p.counter("pingap_cut_requests_total", "Requests that an operation, or the death of a worker, ended in the middle.", float64(t.Cut))
		p.counter("pingap_refused_connections_total", "Connections that found nobody to take them, as the kernel counts for all listeners of the machine.", float64(t.Refused))
	}
	r := all.LastRecord
	if r == nil {
		return
	}
	p.counter("pingap_operations_total", "Operations in the ledger of this instance: starts, changes, rolls, upgrades, deaths of workers.", float64(r.ID))
	last := func(name, help string, value float64) {
		p.gauge("pingap_last_operation_"+name, help, value, p.label("kind", r.Kind))
	}
	last("timestamp_seconds", "When the last operation began, in Unix time.", float64(r.At.UnixMilli())/1000)
	last("cut_connections", "Connections that the last operation ended in the middle of a request.", float64(r.Cut))
	last("refused_connections", "Connections that found nobody to take them during the last operation.", float64(r.Refused))
	last("draining_workers", "Workers that still finish what they had begun before the last operation.", float64(r.Draining))
}

// processes adds what each process is like. A slot has the process that serves and those that still drain.
func (e *Exporter) processes(p *page, all *ipc.StatusAll) {
	slots := map[[2]string]*slot{}
	var order [][2]string
	memory, fds := int64(0), 0
	for i := range all.Processes {
		proc := &all.Processes[i]
		key := [2]string{proc.Kind, strconv.Itoa(proc.Slot)}
		s := slots[key]
		if s == nil {
			s = &slot{}
			slots[key] = s
			order = append(order, key)
		}
		s.add(proc)
		if proc.Status != nil {
			memory += proc.Status.RSS
			fds += descriptors(proc)
		}
	}
	p.gauge("pingap_memory", "Resident memory of all processes in MiB.", float64(memory)/(1<<20), p.common)
	p.gauge("pingap_fd_count", "Open descriptors of all processes.", float64(fds), p.common)
	p.gauge("pingap_hurried_workers", "Workers of this supervisor that had to drain faster, as there were too many generations or too little memory.", float64(all.Hurried))
	for _, key := range order {
		slots[key].show(p, key)
	}
}

// slot is the place of a process and of those that were in it before.
type slot struct {
	now      *ipc.Process // of the newest generation that does not drain; else the newest
	draining int
	memory   int64
	dropped  uint64
}

func (s *slot) add(proc *ipc.Process) {
	drains := proc.State == ipc.StateDraining
	if drains {
		s.draining++
	}
	if proc.Status != nil {
		s.memory += proc.Status.RSS
		s.dropped += proc.Status.LogDropped
	}
	if s.now == nil || s.now.State == ipc.StateDraining && !drains || proc.Generation > s.now.Generation && !drains {
		s.now = proc
	}
}

func (s *slot) show(p *page, key [2]string) {
	labels := func(more ...*dto.LabelPair) []*dto.LabelPair {
		return append(more, p.label("role", key[0]), p.label("slot", key[1]))
	}
	p.gauge("pingap_process_state", "1; the label is the state of the process in a slot.", 1, labels(p.label("state", s.now.State))...)
	p.gauge("pingap_process_generation", "Generation of the process in a slot.", float64(s.now.Generation), labels()...)
	p.gauge("pingap_process_restarts", "How often the process of a slot died and was started again; of control since the supervisor started.", float64(s.now.Restarts), labels()...)
	p.gauge("pingap_process_draining", "Processes of earlier generations in a slot that finish what they have begun.", float64(s.draining), labels()...)
	p.gauge("pingap_process_memory_bytes", "Resident memory of the processes of a slot, those that drain included.", float64(s.memory), labels()...)
	p.gauge("pingap_process_log_lines_dropped", "Log lines that the processes of a slot have lost since they started.", float64(s.dropped), labels()...)
	if st := s.now.Status; st != nil && st.Goroutines > 0 {
		p.gauge("pingap_process_goroutines", "Goroutines of the process in a slot.", float64(st.Goroutines), labels()...)
	}
}
