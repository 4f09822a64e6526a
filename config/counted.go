package config

// maxCounted is how many totals servers without metrics may have together: each is a few hundred bytes of shared memory for each worker once it
// was counted in, and a change of ten thousand locations is not to take longer for it.
const maxCounted = 4096

// Counts says whether the requests of a server are counted, in an instance of so many servers, locations and upstreams: for its metrics, or, as long
// as there are not too many, for those who look at what is going on.
func (b *Basic) Counts(server *Server, servers, locations, upstreams int) bool {
	if server.PrometheusMetrics != "" {
		return true
	}
	return b.LiveFigures && servers*(2+upstreams)+locations <= maxCounted
}
