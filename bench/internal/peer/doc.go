// Command peer is what gen (bench/gen) is for plain HTTP/1.1, for the rows that need TLS, HTTP/2 or gRPC and have no generator of others:
// clients that make a handshake for each request, idle connections and the memory they cost, an upstream for gRPC, one that
// only accepts connections, for health checks, and Go's own reverse proxy
// with an HTTP/2 transport, to compare with.
//
// The runner starts it, pinned to a core, for one measurement. It prints one JSON object, or serves until SIGTERM. It runs outside of
// pingap's processes and is imported by nothing.
package main
