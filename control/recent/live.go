package recent

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"time"

	"pingap/control/endpoints"
	"pingap/ipc"
)

// maxShown is how many locations and upstreams an answer has, the busiest ones.
const maxShown = 1000

// Figure is a number that may not be known: null in JSON, and NaN.
type Figure float64

// MarshalJSON writes at most three decimals.
func (f Figure) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(f)) || math.IsInf(float64(f), 0) {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, math.Round(float64(f)*1000)/1000, 'f', -1, 64), nil
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (f *Figure) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*f = Figure(math.NaN())
		return nil
	}
	return json.Unmarshal(text, (*float64)(f))
}

// Live is what is going on. Rates are those of the last second, or of the window that was asked for; times are in milliseconds.
type Live struct {
	At        int64      `json:"at"` // Unix, ms
	Interval  int64      `json:"interval_ms"`
	Totals    Totals     `json:"totals"`
	Locations []Location `json:"locations"` // by name
	Upstreams []Upstream `json:"upstreams"` // by name
	Processes []Process  `json:"processes"`
	// More are those that are left out: the less busy ones beyond the first thousand.
	MoreLocations int `json:"more_locations,omitempty"`
	MoreUpstreams int `json:"more_upstreams,omitempty"`
}

// Rates are what totals and locations have.
type Rates struct {
	RPS        Figure `json:"rps"`
	Errors     Figure `json:"errors_per_s"` // answers with 5xx, and requests without one
	P50        Figure `json:"p50_ms"`
	P90        Figure `json:"p90_ms"`
	P99        Figure `json:"p99_ms"`
	Processing int64  `json:"processing"`
}

// Totals are of the instance.
type Totals struct {
	Rates
	BytesIn     Figure   `json:"bytes_in_per_s"` // of bodies
	BytesOut    Figure   `json:"bytes_out_per_s"`
	Connections int64    `json:"connections"`
	Accepted    uint64   `json:"accepted"` // connections, by the processes that are there
	Status      Statuses `json:"status"`   // answers per second
}

// Statuses are answers by class.
type Statuses struct {
	Success     Figure `json:"2xx"`
	Redirect    Figure `json:"3xx"`
	ClientError Figure `json:"4xx"`
	ServerError Figure `json:"5xx"`
}

// Location is one, over all servers that have it.
type Location struct {
	Name string `json:"name"`
	Rates
	BytesOut Figure `json:"bytes_out_per_s"`
}

// Upstream is one, over all servers. Its times are those until the heads of answers.
type Upstream struct {
	Name        string    `json:"name"`
	RPS         Figure    `json:"rps"`
	Errors      Figure    `json:"errors_per_s"` // attempts that failed through the backend's fault
	P50         Figure    `json:"p50_ms"`
	P90         Figure    `json:"p90_ms"`
	P99         Figure    `json:"p99_ms"`
	Connections int64     `json:"connections"` // open ones
	Healthy     int       `json:"healthy"`
	Total       int       `json:"total"`
	Backends    []Backend `json:"backends"`
}

// Backend is one of an upstream.
type Backend struct {
	Addr      string     `json:"addr"`
	Healthy   bool       `json:"healthy"` // as far as checks say
	State     string     `json:"state"`   // up, drain, down, open, half-open, ejected or absent
	Since     *time.Time `json:"since"`   // when its health changed; null where no check has said anything
	LastError string     `json:"last_error"`
	InFlight  *int64     `json:"in_flight"` // null where that is not known
}

// Process is one of the instance.
type Process struct {
	PID         int    `json:"pid"`
	Kind        string `json:"kind"`
	Slot        int    `json:"slot"`
	Generation  int    `json:"generation"`
	State       string `json:"state"`
	CPU         Figure `json:"cpu_percent"` // of one core
	Memory      int64  `json:"memory"`      // resident bytes
	Connections int64  `json:"connections"`
	Requests    uint64 `json:"requests"` // since its start
	Uptime      int64  `json:"uptime_ms"`
}

// Live makes one of the last so many samples.
func (s *Sampler) Live(samples int) *Live {
	backends := s.Upstreams()
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &Live{At: s.lastLocked().UnixMilli(), Interval: int64(max(samples, 1)) * period.Milliseconds(), Locations: []Location{}, Upstreams: []Upstream{}, Processes: []Process{}}
	d, span := s.total.within(s.n, samples)
	l.Totals = Totals{Rates: ratesOf(&d, span, s.total.current), BytesIn: perSecond(d.in, span), BytesOut: perSecond(d.out, span),
		Status: Statuses{perSecond(d.class[1], span), perSecond(d.class[2], span), perSecond(d.class[3], span), perSecond(d.class[4], span)}}
	shown := busiest(s.locations)
	l.MoreLocations = len(s.locations) - len(shown)
	for _, o := range shown {
		d, span := o.within(s.n, samples)
		l.Locations = append(l.Locations, Location{Name: o.name, Rates: ratesOf(&d, span, o.current), BytesOut: perSecond(d.out, span)})
	}
	by := map[string]*endpoints.Upstream{}
	for i := range backends {
		by[backends[i].Name] = &backends[i]
	}
	shown = busiest(s.upstreams)
	l.MoreUpstreams = len(s.upstreams) - len(shown)
	for _, o := range shown {
		d, span := o.within(s.n, samples)
		l.Upstreams = append(l.Upstreams, upstreamOf(o, &d, span, by[o.name]))
	}
	s.addProcessesLocked(l)
	return l
}

// lastLocked is when the last sample was made; before the first it is now.
func (s *Sampler) lastLocked() time.Time {
	if s.n == 0 {
		return time.Now()
	}
	return s.at
}

// busiest are the first maxShown of objects, in their order.
func busiest(all []*object) []*object {
	if len(all) <= maxShown {
		return all
	}
	list := slices.Clone(all)
	slices.SortFunc(list, func(a, b *object) int { return cmp.Or(cmp.Compare(b.load, a.load), cmp.Compare(a.name, b.name)) })
	list = list[:maxShown]
	slices.SortFunc(list, func(a, b *object) int { return cmp.Compare(a.name, b.name) })
	return list
}

func perSecond(n int64, span float64) Figure {
	if span <= 0 {
		return Figure(math.NaN())
	}
	return Figure(float64(n) / span)
}

func ratesOf(d *sums, span float64, current int64) Rates {
	p := d.percentiles(.5, .9, .99)
	return Rates{RPS: perSecond(d.requests, span), Errors: perSecond(d.failed, span), P50: Figure(p[0]), P90: Figure(p[1]), P99: Figure(p[2]), Processing: current}
}

func upstreamOf(o *object, d *sums, span float64, known *endpoints.Upstream) Upstream {
	r := ratesOf(d, span, o.current)
	u := Upstream{Name: o.name, RPS: r.RPS, Errors: r.Errors, P50: r.P50, P90: r.P90, P99: r.P99, Connections: o.current, Backends: []Backend{}}
	if known == nil {
		return u
	}
	for i := range known.Backends {
		b := backendOf(&known.Backends[i])
		u.Backends = append(u.Backends, b)
		if b.State == "absent" {
			continue
		}
		u.Total++
		if b.Healthy {
			u.Healthy++
		}
	}
	return u
}

func backendOf(b *endpoints.Backend) Backend {
	out := Backend{Addr: b.Address, Healthy: b.Health == "healthy" || b.Health == "unchecked", State: b.Admin}
	switch {
	case !b.Absent.IsZero():
		out.State = "absent"
	case b.Admin != "up":
	case b.EjectedFor > 0:
		out.State = "ejected"
	case b.Breaker == "open" || b.Breaker == "half-open":
		out.State = b.Breaker
	}
	if !b.Checked.IsZero() {
		at := b.Checked
		out.Since = &at
	}
	if !out.Healthy {
		out.LastError = b.Reason
	}
	if n := b.InFlight; n >= 0 {
		out.InFlight = &n
	}
	return out
}

// addProcessesLocked adds the processes that the supervisor named last and that are still there.
func (s *Sampler) addProcessesLocked(l *Live) {
	heard := s.heard.Load()
	if heard == nil {
		return
	}
	for i := range heard.all.Processes {
		p := &heard.all.Processes[i]
		line := Process{PID: p.PID, Kind: p.Kind, Slot: p.Slot, Generation: p.Generation, State: p.State, CPU: Figure(math.NaN()), Connections: open(p),
			Uptime: (p.Uptime + time.Since(heard.at)).Milliseconds()}
		if p.Status != nil {
			line.Memory, line.Requests = p.Status.RSS, p.Status.Requests
			if p.Kind == ipc.RoleWorker {
				l.Totals.Connections += line.Connections
				l.Totals.Accepted += p.Status.Accepted
			}
		}
		if u := s.usages[p.PID]; u != nil {
			line.Memory = u.last.memory
			if u.known {
				line.CPU = Figure(u.percent)
			}
		}
		l.Processes = append(l.Processes, line)
	}
}
