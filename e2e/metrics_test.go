package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// scrape reads the page of metrics at an address.
func scrape(url string) (map[string]*dto.MetricFamily, error) {
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Get(url)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if r.StatusCode != 200 {
		return nil, fmt.Errorf("status %d: %s", r.StatusCode, body)
	}
	p := expfmt.NewTextParser(model.UTF8Validation)
	return p.TextToMetricFamilies(bytes.NewReader(body))
}

// counters are all numbers of a page that may only grow, by series.
func counters(page map[string]*dto.MetricFamily) map[string]float64 {
	all := map[string]float64{}
	for name, f := range page {
		for _, m := range f.Metric {
			series := name + labelsOf(m)
			if m.Counter != nil {
				all[series] = m.Counter.GetValue()
			}
			if h := m.Histogram; h != nil {
				all[series+" count"], all[series+" sum"] = float64(h.GetSampleCount()), h.GetSampleSum()
				for _, b := range h.Bucket {
					all[fmt.Sprintf("%s le %g", series, b.GetUpperBound())] = float64(b.GetCumulativeCount())
				}
			}
		}
	}
	return all
}

func labelsOf(m *dto.Metric) string {
	var text strings.Builder
	for _, l := range m.Label {
		fmt.Fprintf(&text, " %s=%q", l.GetName(), l.GetValue())
	}
	return text.String()
}

// scraper scrapes until it is stopped, and notes every number that went back.
type scraper struct {
	t       *testing.T
	stop    context.CancelFunc
	wg      sync.WaitGroup
	mu      sync.Mutex // guards all below
	pages   int
	failed  []error
	back    []string
	highest map[string]float64
}

func startScraper(t *testing.T, url string) *scraper {
	ctx, cancel := context.WithCancel(t.Context())
	s := &scraper{t: t, stop: cancel, highest: map[string]float64{}}
	s.wg.Go(func() { // ends with ctx
		for ctx.Err() == nil {
			page, err := scrape(url)
			s.note(page, err)
			select {
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	})
	t.Cleanup(s.end)
	return s
}

func (s *scraper) note(page map[string]*dto.MetricFamily, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.failed = append(s.failed, err)
		return
	}
	s.pages++
	for series, value := range counters(page) {
		if last, known := s.highest[series]; known && value < last {
			s.back = append(s.back, fmt.Sprintf("%s: %g after %g", series, value, last))
		}
		s.highest[series] = value
	}
}

func (s *scraper) end() {
	s.stop()
	s.wg.Wait()
}

// wentOn waits for some more pages.
func (s *scraper) wentOn(n int) {
	s.t.Helper()
	s.mu.Lock()
	want := s.pages + n
	s.mu.Unlock()
	err := within(patience, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.pages < want {
			return fmt.Errorf("%d pages, %d failed", s.pages, len(s.failed))
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// mustNeverGoBack ends it and looks at what it has noted.
func (s *scraper) mustNeverGoBack() {
	s.t.Helper()
	s.end()
	s.t.Logf("%d pages, %d failed", s.pages, len(s.failed))
	for _, text := range s.back[:min(len(s.back), 10)] {
		s.t.Errorf("a counter goes back: %s", text)
	}
	if s.pages == 0 || len(s.failed) > s.pages/2 {
		s.t.Errorf("%d pages, and failed %v", s.pages, s.failed[:min(len(s.failed), 5)])
	}
}

func withMetrics(addr, up string) string {
	return strings.Replace(proxyConf(addr, up), "addr = ", "prometheus_metrics = \"/metrics\"\naddr = ", 1)
}

// requestsOf is a total of the page.
func requestsOf(t *testing.T, addr, location string) float64 {
	t.Helper()
	page, err := scrape("http://" + addr + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	for series, value := range counters(page) {
		if strings.HasPrefix(series, "pingap_http_requests_total") && strings.Contains(series, fmt.Sprintf(" location=%q", location)) {
			return value
		}
	}
	t.Fatalf("no requests of location %q in %d families", location, len(page))
	return 0
}

// Load: clients that count. Fault: rolls, a reload, upgrades, a killed control process. Expected: the sum is what clients have counted, and no
// number has gone back.
func TestMetricsAreWhatClientsCountedOverRollsAndUpgrades(t *testing.T) {
	t.Parallel()
	b, addr := newBackend(t, "app"), freePort(t)
	i := start(t, withMetrics(addr, b.addr))
	i.later = true
	s := startScraper(t, "http://"+addr+"/metrics")
	l := runLoad(t, addr, usualMix(4)...)
	l.progress(t, 200)
	s.wentOn(3)
	for n := range 2 {
		i.roll()
		l.progress(t, 100)
		i.mustVerb("upgrade", "--wait")
		i.waitRunning()
		l.progress(t, 100)
		signalPID(t, i.status().of("control")[0].PID, syscall.SIGKILL)
		s.wentOn(5)
		l.progress(t, 100)
		t.Logf("round %d: %d requests", n, l.done.Load())
	}
	l.mustBeClean(t)
	s.mustNeverGoBack()
	i.eventually("the totals of the ledger", func() error {
		page, err := scrape("http://" + addr + "/metrics")
		all := counters(page)
		// Two workers in each of two rolls, before upgrades, and deaths of control.
		if drained, ended := all["pingap_drained_workers_total"], all["pingap_drained_connections_total"]; err != nil || drained < 4 || ended == 0 {
			return fmt.Errorf("%g workers and %g connections have drained, %v", drained, ended, err)
		}
		if n := all["pingap_cut_requests_total"]; n != 0 {
			return fmt.Errorf("%g requests were cut", n)
		}
		return nil
	})
	sent := float64(l.done.Load())
	i.eventually("the sum", func() error {
		if all := requestsOf(t, addr, ""); all != sent {
			return fmt.Errorf("%g requests in metrics, clients counted %g", all, sent)
		}
		return nil
	})
}

// Load: clients that count. Fault: workers are killed. Expected: no number goes back, and what is missing are at most the requests in flight.
func TestMetricsNeverGoBackWhenWorkersAreKilled(t *testing.T) {
	t.Parallel()
	b, addr := newBackend(t, "app"), freePort(t)
	i := start(t, withMetrics(addr, b.addr))
	s := startScraper(t, "http://"+addr+"/metrics")
	const clients, kills = 8, 4
	l := runLoad(t, addr, mix{clients: clients, pause: time.Millisecond, request: always(get("/load"))})
	l.progress(t, 200)
	for n := range kills {
		victim := i.status().workers()[n%2]
		signalPID(t, victim.PID, syscall.SIGKILL)
		i.eventually("a successor", func() error { return i.restarted(victim, "killed") })
		l.progress(t, 100)
		s.wentOn(3)
	}
	l.stop()
	s.mustNeverGoBack()
	good, bad := float64(l.done.Load()), float64(len(l.failuresSoFar()))
	if all := requestsOf(t, addr, ""); all < good-clients*kills || all > good+bad {
		t.Errorf("%g requests in metrics; clients counted %g that were answered and %g that were not", all, good, bad)
	}
}

func TestOnlyAllowedClientsSeeMetrics(t *testing.T) {
	t.Parallel()
	b, addr := newBackend(t, "app"), freePort(t)
	conf := strings.Replace(withMetrics(addr, b.addr), "prometheus_metrics = ", "prometheus_metrics_allow = [\"192.0.2.0/24\"]\nprometheus_metrics = ", 1)
	i := start(t, conf)
	if _, err := scrape("http://" + addr + "/metrics"); err == nil || !strings.Contains(err.Error(), "status 403") {
		t.Errorf("not on the list: %v", err)
	}
	write(t, i.conf, strings.Replace(conf, "192.0.2.0/24", "127.0.0.0/8", 1))
	i.mustVerb("reload", "--wait")
	if _, err := scrape("http://" + addr + "/metrics"); err != nil {
		t.Errorf("on the list: %v", err)
	}
}

// promtool judges a page of the real thing.
func TestPromtoolTakesThePageOfMetrics(t *testing.T) {
	t.Parallel()
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed")
	}
	b, addr := newBackend(t, "app"), freePort(t)
	start(t, withMetrics(addr, b.addr))
	r, err := http.Get("http://" + addr + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	cmd := exec.CommandContext(t.Context(), promtool, "check", "metrics")
	cmd.Stdin = r.Body
	out, _ := cmd.CombinedOutput()
	// These names are older than the rules for names.
	known := []string{"pingap_fd_count", "pingap_tcp_count", "pingap_tcp6_count", "pingap_http_received_bytes", "pingap_http_sent_bytes", "pingap_http_responses_codes",
		"pingap_connection_reuses", "pingap_upstream_reuses"}
	for line := range strings.Lines(string(out)) {
		if name, _, _ := strings.Cut(line, " "); !slices.Contains(known, name) || !strings.Contains(line, "suffix") {
			t.Errorf("promtool: %s", line)
		}
	}
}

// A Pushgateway that nobody here wrote takes what is pushed, and shows it.
func TestAPushgatewayTakesWhatIsPushed(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("prometheus-pushgateway")
	if err != nil {
		t.Skip("prometheus-pushgateway is not installed")
	}
	gate := freePort(t)
	cmd := exec.Command(program, "--web.listen-address="+gate)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	ended := make(chan struct{})
	if err := startPinned(cmd, ended); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	b, addr := newBackend(t, "app"), freePort(t)
	conf := strings.Replace(withMetrics(addr, b.addr), `"/metrics"`, fmt.Sprintf(`"http://me:hush@%s/metrics/job/pingap/instance/$HOSTNAME?interval=1s"`, gate), 1)
	i := start(t, conf)
	l := runLoad(t, addr, mix{clients: 2, pause: time.Millisecond, request: always(get("/load"))})
	l.progress(t, 100)
	l.mustBeClean(t)
	sent := float64(l.done.Load())
	i.eventually("the gateway has it", func() error {
		page, err := scrape("http://" + gate + "/metrics")
		if err != nil {
			return err
		}
		for series, value := range counters(page) {
			if strings.HasPrefix(series, "pingap_http_requests_total") && strings.Contains(series, ` location=""`) && strings.Contains(series, ` job="pingap"`) && value == sent {
				return nil
			}
		}
		return fmt.Errorf("no %g requests in %d families", sent, len(page))
	})
	if strings.Contains(i.printed(), "hush") {
		t.Error("the password is in the log")
	}
	if t.Failed() {
		t.Log(out.String())
	}
}
