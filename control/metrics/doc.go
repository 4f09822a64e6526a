// Package metrics makes of totals, records and what control knows the metrics that operators see: for whoever asks (Exporter.ServeHTTP), for
// a Pushgateway, and for collectors of OpenTelemetry (Pusher).
//
// It runs in control. It only reads: the arena is not written, no worker is asked, and a scrape waits for nobody but the supervisor's status.
// Labels come from the configuration that is live, and from the lists of backends; no request adds any.
//
// What is said of a server has the label server. What is said of the instance (processes, configuration, certificates) has none, and is the
// same on the pages of all servers.
package metrics
