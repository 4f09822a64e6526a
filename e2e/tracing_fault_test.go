package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"pingap/e2e/backends"
)

// A collector that is not there, hangs, is slow or refuses delays no request: what cannot be kept is dropped, counted and told.
func TestACollectorThatFailsDelaysNoRequest(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		do   func(c *backends.Collector)
	}{
		{"dead", func(c *backends.Collector) { c.Close() }},
		{"hanging", func(c *backends.Collector) { c.Hang(true) }},
		{"slow", func(c *backends.Collector) { c.Slow(300 * time.Millisecond) }},
		{"refusing", func(c *backends.Collector) { c.Refuse(http.StatusServiceUnavailable) }},
	} {
		for _, protocol := range []string{"grpc", "http"} {
			t.Run(tc.name+" "+protocol, func(t *testing.T) {
				b, c, addr := newBackend(t, "app"), newCollector(t), freePort(t)
				i := start(t, exporting(proxyConf(addr, b.addr), c, "max_queue_size=16&max_export_batch_size=8&max_export_timeout=2s&protocol="+protocol))
				tc.do(c)
				l := runLoad(t, addr, mix{clients: 4, pause: 2 * time.Millisecond, slow: 0, request: always(get("/load"))})
				l.progress(t, 2000)
				i.eventually("a word in the log", func() error {
					if !strings.Contains(i.printed(), "traces of requests dropped") {
						return fmt.Errorf("it is not there")
					}
					return nil
				})
				l.progress(t, 200)
				l.mustBeClean(t)
				if n := strings.Count(i.printed(), "traces of requests dropped"); n > 2 {
					t.Errorf("%d lines of two workers within a minute", n)
				}
				began := time.Now()
				if r := i.verb("stop"); r.code != 0 {
					t.Fatalf("stop: %s", r.all())
				}
				if took := time.Since(began); took > 15*time.Second {
					t.Errorf("the stop took %v", took)
				}
				if strings.Contains(i.printed(), "killed") {
					t.Errorf("a worker was killed: %s", i.printed())
				}
			})
		}
	}
}

// Without the delay of an exporter there is only one way for what it has: when it is closed.
const neverDue = "scheduled_delay=1h&"

func exportingLate(conf string, c *backends.Collector) string {
	return insert(conf, "servers.web", fmt.Sprintf("otlp_exporter = 'http://%s?%s'", c.Addr, neverDue))
}

func TestWhatWaitsIsExportedWhenTheExporterChangesRollsOrStops(t *testing.T) {
	t.Parallel()
	b, one, two, addr := newBackend(t, "app"), newCollector(t), newCollector(t), freePort(t)
	conf := proxyConf(addr, b.addr)
	i := start(t, exportingLate(conf, one))
	ask := func(n int) (trace string) {
		trace = fmt.Sprintf("%032x", n)
		mustGet(t, addr, "/", 200, "traceparent: 00-"+trace+"-"+clientSpan+"-01")
		return trace
	}
	first := ask(1)
	pids := i.status().pids()
	if r := i.change(exportingLate(conf, two)); r.code != 0 {
		t.Fatalf("reload: %s", r.all())
	}
	second := ask(2)
	i.spansOf(one, first, 2) // the collector before gets what it was to get, once the last site with it is over
	if fmt.Sprint(i.status().pids()) != fmt.Sprint(pids) {
		t.Error("the workers are others")
	}
	if len(two.Spans()) != 0 {
		t.Errorf("too early: %+v", two.Spans())
	}
	if r := i.verb("roll"); r.code != 0 {
		t.Fatalf("roll: %s", r.all())
	}
	i.spansOf(two, second, 2)
	third := ask(3)
	if r := i.verb("stop"); r.code != 0 {
		t.Fatalf("stop: %s", r.all())
	}
	i.spansOf(two, third, 2)
	for _, s := range one.Spans() {
		if s.Trace != first {
			t.Errorf("the first collector has %+v", s)
		}
	}
}

func TestABadExporterIsRefusedWithItsLine(t *testing.T) {
	t.Parallel()
	b, addr := newBackend(t, "app"), freePort(t)
	conf := proxyConf(addr, b.addr)
	i := start(t, conf)
	write(t, i.conf, insert(conf, "servers.web", "otlp_exporter = 'http://c?sample=7&headers=authorization:hidden'"))
	r := i.verb("reload")
	if r.code == 0 || !strings.Contains(r.all(), "servers.web.otlp_exporter: sample: expected a share of 0..1") || !strings.Contains(r.all(), "pingap.toml:3") {
		t.Errorf("%d: %s", r.code, r.all())
	}
	if r = i.change(insert(conf, "servers.web", "otlp_exporter = 'http://127.0.0.1:1?headers=authorization:hidden'")); r.code != 0 {
		t.Errorf("%d: %s", r.code, r.all())
	}
	if all := i.printed() + i.verb("config", "diff").all() + i.verb("config", "list").all(); strings.Contains(all, "hidden") {
		t.Errorf("a secret is shown: %s", all)
	}
}
