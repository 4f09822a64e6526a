// Package backends is where a proxy can find backends: a name server and a docker engine, for tests that change what they say, and have
// them fail; and where it can send its traces: a collector that hangs or refuses as told. All are real servers, on a port of 127.0.0.1 or on a
// unix socket. They know nothing of pingap.
//
// DNS speaks by github.com/miekg/dns, so that it is not our own reading of the protocol that ours is tested with. Engine speaks the documented
// subset of the engine's API, lists with filters and the stream of events, from containers that exist only there.
//
// They run inside a test or a tool, own their goroutines until it ends, and print nothing.
package backends
