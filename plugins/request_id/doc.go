// Package requestid gives each request an id: on the request that goes upstream, on the response, and in log and
// trace. An id that the client brought is kept if it is a sane one.
//
// # Randomness
//
// Ids must not collide; they are no secrets and grant nothing. The random bits are those of the top-level
// functions of math/rand/v2: ChaCha8 in the runtime, seeded by the kernel, one state per thread, so that there
// is no lock and no system call per request, and processes started together do not repeat each other.
//
// It runs in workers and owns nothing.
package requestid
