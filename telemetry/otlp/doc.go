// Package otlp sends log lines to an OpenTelemetry collector, by OTLP over gRPC or HTTP. It is used by one goroutine, keeps no queue of
// its own and starts nothing before the first line: package telemetry has the queue, and counts what is lost.
//
// A batch that the collector cannot take now is tried again, with growing pauses, until its time is up; one that it will never take is
// lost at once.
package otlp
