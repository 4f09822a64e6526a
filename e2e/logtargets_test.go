package e2e

import (
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// otlpSink is a collector of log lines, over HTTP or gRPC.
type otlpSink struct {
	collector.UnimplementedLogsServiceServer
	url   string
	mu    sync.Mutex     // guards all below
	lines map[string]int // "scope severity line", how often
}

func newOTLPSink(t *testing.T, byGRPC bool) *otlpSink {
	s := &otlpSink{lines: map[string]int{}}
	if !byGRPC {
		server := httptest.NewServer(s)
		t.Cleanup(server.Close)
		s.url = "otlp+" + server.URL
		return s
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.url = "otlp+grpc://" + l.Addr().String()
	server := grpc.NewServer()
	collector.RegisterLogsServiceServer(server, s)
	go server.Serve(l) // ends with Stop
	t.Cleanup(server.Stop)
	return s
}

// Export implements the service over gRPC.
func (s *otlpSink) Export(_ context.Context, m *collector.ExportLogsServiceRequest) (*collector.ExportLogsServiceResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range m.ResourceLogs {
		for _, scope := range r.ScopeLogs {
			for _, l := range scope.LogRecords {
				s.lines[fmt.Sprintf("%s %s %s", scope.Scope.Name, l.SeverityText, l.Body.GetStringValue())]++
			}
		}
	}
	return &collector.ExportLogsServiceResponse{}, nil
}

// ServeHTTP implements it over HTTP.
func (s *otlpSink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var m collector.ExportLogsServiceRequest
	data, err := io.ReadAll(r.Body)
	if err != nil || proto.Unmarshal(data, &m) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	_, _ = s.Export(r.Context(), &m)
}

func (s *otlpSink) count(line string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lines[line]
}

// some returns how many lines match.
func (s *otlpSink) some(pattern string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for line, k := range s.lines {
		if regexp.MustCompile(pattern).MatchString(line) {
			n += k
		}
	}
	return n
}

// Access log and application log of control and workers go to a collector; every request has its line there.
func TestLogsGoToACollector(t *testing.T) {
	t.Parallel()
	for _, byGRPC := range []bool{false, true} {
		t.Run(fmt.Sprintf("grpc %v", byGRPC), func(t *testing.T) {
			sink, addr := newOTLPSink(t, byGRPC), freePort(t)
			i := start(t, insert(mockConf(addr, "x"), "servers.web", fmt.Sprintf("access_log = %q", sink.url+" {uri} {status}")), "--log", sink.url)
			const n = 500
			for k := range n {
				mustGet(t, addr, fmt.Sprintf("/%d", k), 200)
			}
			i.eventually("all lines", func() error { return atLeast(int64(sink.some(`^pingap\.access INFO /\d+ 200$`)), n) })
			write(t, i.conf, "broken")
			i.verb("reload")
			i.eventually("lines of control", func() error { return atLeast(int64(sink.some(`^pingap\.application .* component=control`)), 1) })
			if r := i.verb("stop"); r.code != 0 {
				t.Fatalf("stop: %s", r.all())
			}
			for k := range n {
				if c := sink.count(fmt.Sprintf("pingap.access INFO /%d 200", k)); c != 1 {
					t.Errorf("request %d has %d lines", k, c)
				}
			}
			if sink.some(`component=worker`) == 0 || sink.some(`component=supervisor`) != 0 || !strings.Contains(i.printed(), "component=supervisor") {
				t.Error("a process logs elsewhere")
			}
		})
	}
}

// A collector that is not there, or that answers nothing, stops no request; what it does not take is counted and said.
func TestADeadCollectorCostsNoRequest(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	for name, url := range map[string]string{
		"refused": "otlp+grpc://" + freePort(t), "silent": "otlp+http://" + silent.Addr().String(),
	} {
		t.Run(name, func(t *testing.T) {
			addr := freePort(t)
			i := start(t, insert(mockConf(addr, "x"), "servers.web", fmt.Sprintf("access_log = %q", url+"?timeout=1s&channel_buffer=50 {uri} {status}")))
			l := runLoad(t, addr, usualMix(2)...)
			l.progress(t, 2000)
			i.eventually("lost lines", func() error {
				lost := uint64(0)
				for _, w := range i.status().workers() {
					lost += w.LogDropped
				}
				return atLeast(int64(lost), 1000)
			})
			l.mustBeClean(t)
			i.eventually("word of it", func() error {
				if !strings.Contains(i.printed(), "dropping lines component=worker") {
					return fmt.Errorf("printed %q", tail(i.printed(), 500))
				}
				return nil
			})
		})
	}
}

// Lines reach a syslog daemon, over UDP and a unix socket, in both formats.
func TestAccessLogsReachSyslog(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ network, format, want string }{
		"3164 unix": {"unixgram", "3164", `^<134>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d edge\[\d+\]: /said 200$`},
		"5424 unix": {"unixgram", "5424", `^<134>1 \d{4}-\d\d-\d\dT\S+ \S+ edge \d+ - - /said 200$`},
		"3164 udp":  {"udp", "3164", `^<134>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ edge\[\d+\]: /said 200$`},
		"5424 udp":  {"udp", "5424", `^<134>1 \d{4}-\d\d-\d\dT\S+ \S+ edge \d+ - - /said 200$`},
	} {
		t.Run(name, func(t *testing.T) {
			address, scheme := "127.0.0.1:0", "syslog+udp://"
			if c.network == "unixgram" {
				address, scheme = workDir(t)+"/log", "syslog://"
			}
			daemon, err := net.ListenPacket(c.network, address)
			if err != nil {
				t.Fatal(err)
			}
			defer daemon.Close()
			addr := freePort(t)
			url := scheme + daemon.LocalAddr().String() + "?process=edge&facility=local0&format=" + c.format
			start(t, insert(mockConf(addr, "x"), "servers.web", fmt.Sprintf("access_log = %q", url+" {uri} {status}")))
			mustGet(t, addr, "/said", 200)
			if err := daemon.SetReadDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			buffer := make([]byte, 64<<10)
			n, _, err := daemon.ReadFrom(buffer)
			if got := string(buffer[:n]); err != nil || !regexp.MustCompile(c.want).MatchString(got) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// One request of so many has a line, and each that failed; a change is hot.
func TestAccessLogIsASample(t *testing.T) {
	t.Parallel()
	b := newBackend(t, "app")
	addr, log := freePort(t), workDir(t)+"/access.log"
	conf := func(keys string) string {
		text := insert(proxyConf(addr, b.addr), "servers.web", fmt.Sprintf("access_log = %q\nlocations = [\"bad\", \"all\"]\n%s", log+"?rolling=never {path} {status}", keys))
		return strings.Replace(text, "\nlocations = [\"all\"]", "", 1) +
			fmt.Sprintf("[locations.bad]\npath = \"/bad\"\nupstream = \"none\"\n[upstreams.none]\naddrs = [%q]\n", freePort(t))
	}
	i := start(t, conf("access_log_sample = 0.1"))
	l := runLoad(t, addr, usualMix(2)...)
	const bad = 50
	for range bad {
		mustGet(t, addr, "/bad", 503)
	}
	l.progress(t, 5000)
	l.mustBeClean(t)
	done := float64(l.done.Load())
	if r := i.verb("reopen"); r.code != 0 { // brings out what is buffered
		t.Fatalf("reopen: %s", r.all())
	}
	lines := strings.Split(strings.TrimSuffix(read(t, log), "\n"), "\n")
	if n := strings.Count(read(t, log), "/bad 503\n"); n != bad {
		t.Errorf("%d lines of %d requests that failed", n, bad)
	}
	if got, want := float64(len(lines)-bad), done/10; math.Abs(got-want) > 8*math.Sqrt(want) {
		t.Errorf("%v lines of %v requests", got, done)
	}
	i.change(conf(`access_log_status = ["404", "5xx"]`))
	mustGet(t, addr, "/fine", 200)
	mustGet(t, addr, "/bad", 503)
	i.eventually("the line", func() error { return atLeast(int64(strings.Count(read(t, log), "/bad 503\n")), bad+1) })
	i.change(conf(`access_log_min_time = "1h"`))
	mustGet(t, addr, "/quick", 200)
	i.change(conf(""))
	mustGet(t, addr, "/last", 200)
	i.eventually("the last line", func() error {
		if text := read(t, log); !strings.Contains(text, "/last 200\n") {
			return fmt.Errorf("%q", tail(text, 100))
		}
		return nil
	})
	if r := i.verb("stop"); r.code != 0 {
		t.Fatalf("stop: %s", r.all())
	}
	if text := read(t, log); strings.Contains(text, "/fine") || strings.Contains(text, "/quick") {
		t.Error("a request is logged that is none of those")
	}
}
