// Package otlp reads servers.X.otlp_exporter: the URL of a collector of traces (OpenTelemetry protocol), whose query says how and what is sent
// there.
//
//	http://collector:4317?timeout=3s&sample=0.01&errors&compression=gzip
//
// It is part of the vocabulary of the configuration: the check and the worker read the same. It opens no connection. No error holds a
// value that may be secret.
package otlp
