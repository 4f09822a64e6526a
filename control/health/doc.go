// Package health checks backends: it connects to them or asks them, and says which are healthy, once per host. It runs in control.
//
// It owns the sockets of its checks, and the counts behind a state. It does not know where backends come from, what else is known of them, or
// who is told: a callback gets the results.
//
// # Sockets
//
// Connecting (tcp) and plain HTTP, which is what nearly all upstreams have, must cost next to nothing: ten thousand backends are usual. One goroutine
// has all sockets of these checks in one epoll set, starts what is due and looks for what has happened once a tick, so that a wake-up
// serves many checks. There is no goroutine, dialer or timer for each. https and grpc have a goroutine while they are under way.
//
//	              due                connected             sent               answer whole
//	resting ─────────────> connecting ─────────> sending ───────> reading ─────────────────> judged, resting
//	   │                       │ tcp: judged                                  (reuse: the connection is kept)
//	   └─> in line, while too many checks are under way
//
// # When
//
// A backend that is new is checked at once, a few ms after its neighbours; then every check_frequency at a place in the interval of its own, with some
// jitter: the backends of an upstream one after the other, or with parallel at the same time. A check that takes long does not hold up others:
// what has timed out before gets no more than three quarters of the sockets.
//
// # States
//
//	health_initial  healthy:        healthy until `failure` checks in a row failed
//	                first_result:   what the first check says
//	                first_success:  not healthy until `success` checks in a row succeeded
//	later           healthy <-> unhealthy by `success` and `failure` in a row
//
// A check that could not be made because this process lacks descriptors, memory or ports says nothing about the backend.
//
// # TLS
//
// https does not verify the certificate, grpc verifies it against ca where the upstream has one and verifies at all: a check tells whether a backend
// serves. client_cert is shown in both.
package health
