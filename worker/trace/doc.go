// Package trace is the place of requests in traces, and what collectors are told of them: OpenTelemetry's protocol, by its SDK.
//
// # While a request is served
//
// A Tracer, of a server that has an otlp_exporter, reads what the client says of its trace (propagate.go: W3C traceparent and tracestate,
// and Jaeger's uber-trace-id), chooses ids and decides about the export. All of that is a plain value in the request's record (message.Trace):
// nothing is allocated, no lock is taken. The request that goes up gets a traceparent that names the span of its attempt.
//
// # At its end
//
// Only a request that is sampled, or failed where failures are wanted, is copied out of its record (entry.go) into the queue of the
// exporter, which never waits: what finds the queue full is dropped and counted. One goroutine of the exporter makes spans of what
// waits there (spans.go, attributes.go), with the ids and the times that the request had: one of kind server, and below it one of kind
// client for each backend that was tried. They are exported in batches (exporter.go, client.go), with retries in bounded time.
//
// # Who owns what
//
// Exporters are one for each URL in a worker; servers share them. Close of one lets it export what waits, in bounded time, beside whatever
// goes on; Wait of all is for the end of the worker. Mirrored requests, those in the background and health checks have no spans.
//
// It runs in workers. It sees no connections of clients and no configuration but the URL.
package trace
