package proxy

import (
	"testing"

	"pingap/message"
)

// BenchmarkRequestThatIsNotForMetrics is what a server with a page of metrics costs its other requests.
func BenchmarkRequestThatIsNotForMetrics(b *testing.B) {
	var r message.Request
	r.SetTarget([]byte("/metrico?a=b"))
	m := &Metrics{Path: "/metrics"}
	b.ReportAllocs()
	found := 0
	for b.Loop() {
		if string(r.Path) == m.Path {
			found++
		}
	}
	if found > 0 {
		b.Fatal("it is for metrics")
	}
}
