// Package tally counts what a worker does, for the metrics of its servers: when a request begins and ends, an attempt at a backend is over, or a
// handshake was made, it says which words of the arena change (arena/tally says what these mean). It belongs to the engine; control reads.
//
// Handles are built with a site, for servers that have metrics. All their methods take nil, which counts nothing, so that other servers pay a
// comparison. None allocates, locks or waits: counting is some thirty additions to memory that only this process writes.
//
// What matches no location is in no figure of a location, nor in their total. Requests that pingap makes by itself (mirrors, health checks) are not in
// the figures of locations; what it sends to a backend to refresh a stored response is in those of the upstream.
package tally
