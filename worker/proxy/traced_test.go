//go:build !race

package proxy

import (
	"testing"

	"go.uber.org/zap"

	"pingap/worker/trace"
)

// tracedBy returns an option of a rig: its server is traced, to a collector that is not there.
func tracedBy(t testing.TB, query string) func(*Server) {
	x := trace.NewExporters(zap.NewNop(), "test")
	e, err := x.Open("http://127.0.0.1:1?" + query)
	must(t, err)
	t.Cleanup(func() {
		must(t, e.Close())
		x.Wait(0)
	})
	return func(s *Server) { s.Log, s.Tracer = &countingLog{}, e.Tracer("web", nil) }
}

func TestATracedRequestThatIsNotExportedAllocatesNothing(t *testing.T) {
	b := plainBackend(t)
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, server: tracedBy(t, "sample=0&errors&jaeger&baggage")})
	p := r.pinger(t)
	if n := testing.AllocsPerRun(2000, func() { p.ping(t) }); n != 0 {
		t.Errorf("%v allocations per request, want 0", n)
	}
}

// BenchmarkProxiedTraced is BenchmarkProxied with tracing.
func BenchmarkProxiedTraced(b *testing.B) {
	for _, query := range []string{"sample=0&errors", "sample=0.01&errors", "sample=1"} {
		b.Run(query, func(b *testing.B) {
			back := plainBackend(b)
			r := newRig(b, rigOptions{addrs: []string{back.addr()}, server: tracedBy(b, query)})
			p := r.pinger(b)
			b.ReportAllocs()
			for b.Loop() {
				p.ping(b)
			}
		})
	}
}
