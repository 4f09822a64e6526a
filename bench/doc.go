// Command bench measures this build beside nginx, HAProxy, Caddy and, where given, the Rust original of pingap:
// the same work, the same load, rounds interleaved, so that a busy machine is busy for all of them.
//
// What counts is CPU time per request of the proxy's processes (all of them, from /proc/PID/task/*/schedstat),
// because it survives a noisy machine; its ratio to nginx is the median of the ratios of the single rounds.
// Requests per second only mean something where the proxy filled its core; rows where it did not are marked.
//
// The load and the upstream are one C program with one thread (gen/), on a core of its own. The runner starts every
// proxy from a configuration it writes into a temporary directory, on loopback ports, and stops what it started.
// It is a tool for people, runs outside of pingap's processes, and is imported by nothing.
package main
