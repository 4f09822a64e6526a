// Package tally is what the blocks of the arena mean: totals of requests, connections and upstreams, which workers count and
// control shows as metrics. It owns names, labels, units and buckets of these metrics, and where in a block each of their words is.
//
// A block belongs to a key: a server with one of its locations, an upstream of a server, or the server itself. Each process has words of its own in it and
// only adds to these; what a metric says is their sum over all columns. Columns are never zeroed, and go on with the next process that
// has them, so no sum ever goes back: not when a worker is killed, rolled or upgraded. Reading takes part in nothing that serves.
package tally
