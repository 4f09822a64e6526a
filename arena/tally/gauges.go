package tally

// Gauge is a figure of what is under way: the value of a counter of the arena, of which each process has a share that goes with it.
type Gauge struct {
	Name, Help string
	Kind       Kind
	what       string
}

// Of is the name of the counter (arena.Counter) for a key. In a process that only reads it is not there until somebody has counted.
func (g *Gauge) Of(k Key) string { return "metrics/" + g.what + "\x00" + k.Server + "\x00" + k.Name }

// The gauges, by their place in Gauges.
const (
	RequestsCurrent = iota
	UpstreamConnections
	CacheReading
	CacheWriting
)

var gauges = [...]Gauge{
	RequestsCurrent: {"pingap_http_requests_current", "Requests in process; location \"\" is all of them.", LocationBlock, "current"},
	// Connections belong to an upstream, whichever server they serve: the key's server is empty.
	UpstreamConnections: {"pingap_upstream_connections", "Open connections to backends, over all servers.", UpstreamBlock, "connections"},
	CacheReading:        {"pingap_cache_reading", "Stored responses that are being read from files.", HostBlock, "cache_reading"},
	CacheWriting:        {"pingap_cache_writing", "Responses that are being written to files.", HostBlock, "cache_writing"},
}

// Gauges are all of them. Requests to a backend that are in process are in its record (arena.Held), and are no counters. Nobody may change them.
func Gauges() []Gauge { return gauges[:] }
