package metrics

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	collector1 "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	otlp "go.opentelemetry.io/proto/otlp/metrics/v1"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"pingap/arena/tally"
)

// patience bounds every wait; it is never reached in a good run.
const patience = 20 * time.Second

// lines is a log that a test reads.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
	come chan struct{}
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.come <- struct{}{}:
	default:
	}
	return l.text.Write(p)
}

func (l *lines) Sync() error { return nil }

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// pushes runs a pusher until the test ends.
func pushes(t *testing.T, to string) (*rig, *lines) {
	t.Helper()
	r := newRig(t, to, "a")
	r.block(tally.LocationBlock, "a").Add(tally.Requests, 5)
	r.block(tally.LocationBlock, "a").Observe(tally.ResponseTime, 3e6)
	log := &lines{come: make(chan struct{}, 1)}
	p := &Pusher{Exporter: &r.Exporter, Log: zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), log, zap.DebugLevel))}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	p.Set(ctx, &wg, r.configure(to, "a"))
	p.Set(ctx, &wg, r.configure(to, "a")) // the same: it goes on
	t.Cleanup(func() { cancel(); wg.Wait() })
	return r, log
}

func await[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

func TestAPushIsProtobufWithUserAndPasswordAtTheURLOfThisHost(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	type pushed struct {
		method, path, kind string
		user, password     string
		families           []string
	}
	got := make(chan pushed, 100)
	gate := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := pushed{method: r.Method, path: r.URL.Path, kind: r.Header.Get("Content-Type")}
		p.user, p.password, _ = r.BasicAuth()
		d := expfmt.NewDecoder(r.Body, expfmt.ResponseFormat(r.Header))
		for {
			var f dto.MetricFamily
			if d.Decode(&f) != nil {
				break
			}
			p.families = append(p.families, f.GetName())
		}
		got <- p
	}))
	defer gate.Close()
	pushes(t, "http://me:hush@"+gate.Listener.Addr().String()+"/metrics/job/x/instance/$HOSTNAME?interval=1s")
	p := await(t, got, "a push")
	if p.method != "POST" || p.path != "/metrics/job/x/instance/"+host || p.user != "me" || p.password != "hush" || !strings.HasPrefix(p.kind, "application/vnd.google.protobuf") {
		t.Errorf("%+v", p)
	}
	if !slices.Contains(p.families, "pingap_http_requests_total") || !slices.Contains(p.families, "pingap_config_version") {
		t.Errorf("families %v", p.families)
	}
	await(t, got, "the next push")
}

func TestAPushThatFailsIsToldOnceAndWhenItWorksAgain(t *testing.T) {
	var mu sync.Mutex
	broken := true
	seen := make(chan bool, 100)
	gate := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if broken {
			http.Error(w, "hush, me is not known", http.StatusUnauthorized)
		}
		seen <- broken
	}))
	defer gate.Close()
	_, log := pushes(t, "http://me:hush@"+gate.Listener.Addr().String()+"/?token=hush&interval=1s")
	await(t, seen, "the first push")
	await(t, seen, "the second push")
	mu.Lock()
	broken = false
	mu.Unlock()
	for await(t, seen, "a push that works") {
	}
	for deadline := time.Now().Add(patience); !strings.Contains(log.String(), "pushed again"); {
		if time.Now().After(deadline) {
			t.Fatal("it is not told that it works again")
		}
		await(t, log.come, "a line of the log")
	}
	text := log.String()
	if n := strings.Count(text, "were not pushed"); n != 1 || !strings.Contains(text, "status 401") {
		t.Errorf("told %d times: %s", n, text)
	}
	if strings.Contains(text, "hush") {
		t.Errorf("a secret in the log: %s", text)
	}
}

func TestErrorsOfPushesHideSecrets(t *testing.T) {
	_, log := pushes(t, "http://me:hush@127.0.0.1:1/metrics?token=whisper&interval=1s")
	for deadline := time.Now().Add(patience); !strings.Contains(log.String(), "were not pushed"); {
		if time.Now().After(deadline) {
			t.Fatal("nothing in the log")
		}
		await(t, log.come, "a line of the log")
	}
	if text := log.String(); strings.Contains(text, "hush") || strings.Contains(text, "whisper") || !strings.Contains(text, "connection refused") {
		t.Error(text)
	}
}

// found looks at what a collector got: the requests of location a, and the count of its histogram.
func found(resources []*otlp.ResourceMetrics) (requests float64, times uint64) {
	for _, m := range resources[0].ScopeMetrics[0].Metrics {
		switch m.Name {
		case "pingap_http_requests_total":
			for _, p := range m.GetSum().DataPoints {
				if m.GetSum().IsMonotonic && p.Attributes[0].Value.GetStringValue() == "a" {
					requests = p.GetAsDouble()
				}
			}
		case "pingap_http_response_time":
			for _, p := range m.GetHistogram().DataPoints {
				if p.Attributes[0].Value.GetStringValue() == "a" && len(p.BucketCounts) == len(p.ExplicitBounds)+1 {
					times = p.Count
				}
			}
		}
	}
	return requests, times
}

func TestACollectorGetsThePageOverHTTP(t *testing.T) {
	got := make(chan *collector1.ExportMetricsServiceRequest, 100)
	sink := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var m collector1.ExportMetricsServiceRequest
		user, password, _ := r.BasicAuth()
		if err := proto.Unmarshal(body, &m); err != nil || r.URL.Path != "/v1/metrics" || user != "me" || password != "hush" {
			t.Errorf("%s %s:%s %v", r.URL.Path, user, password, err)
		}
		got <- &m
		answer, _ := proto.Marshal(&collector1.ExportMetricsServiceResponse{})
		w.Header().Set("Content-Type", "application/x-protobuf")
		w.Write(answer)
	}))
	defer sink.Close()
	pushes(t, "otlp+http://me:hush@"+sink.Listener.Addr().String()+"?interval=1s")
	if requests, times := found(await(t, got, "an export").ResourceMetrics); requests != 5 || times != 1 {
		t.Errorf("%v requests, %d times", requests, times)
	}
}

// grpcSink is a collector.
type grpcSink struct {
	collector1.UnimplementedMetricsServiceServer
	got chan *collector1.ExportMetricsServiceRequest
	who chan []string
}

func (s *grpcSink) Export(ctx context.Context, m *collector1.ExportMetricsServiceRequest) (*collector1.ExportMetricsServiceResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	s.who <- md.Get("authorization")
	s.got <- m
	return &collector1.ExportMetricsServiceResponse{}, nil
}

func TestACollectorGetsThePageOverGRPC(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	sink := &grpcSink{got: make(chan *collector1.ExportMetricsServiceRequest, 100), who: make(chan []string, 100)}
	server := grpc.NewServer()
	collector1.RegisterMetricsServiceServer(server, sink)
	go server.Serve(l) // ends with Stop
	defer server.Stop()
	pushes(t, "otlp+grpc://me:hush@"+l.Addr().String()+"?interval=1s")
	if who := await(t, sink.who, "an export"); len(who) != 1 || !strings.HasPrefix(who[0], "Basic ") {
		t.Errorf("authorization %q", who)
	}
	if requests, times := found(await(t, sink.got, "an export").ResourceMetrics); requests != 5 || times != 1 {
		t.Errorf("%v requests, %d times", requests, times)
	}
}
