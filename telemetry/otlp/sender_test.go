package otlp

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// sink is a collector that refuses some messages first.
type sink struct {
	collector.UnimplementedLogsServiceServer
	mu      sync.Mutex // guards all below
	refuse  int        // messages to refuse, for now
	never   bool       // refuse for good
	reject  int64      // of each message
	got     []string
	service string
	asked   int
}

// take notes the lines of a message.
func (s *sink) take(m *collector.ExportLogsServiceRequest) (*collector.ExportLogsServiceResponse, codes.Code) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if s.never {
		return nil, codes.InvalidArgument
	}
	if s.refuse > 0 {
		s.refuse--
		return nil, codes.Unavailable
	}
	for _, r := range m.ResourceLogs {
		s.service = r.Resource.Attributes[0].Value.GetStringValue()
		for _, scope := range r.ScopeLogs {
			for _, l := range scope.LogRecords {
				s.got = append(s.got, scope.Scope.Name+" "+l.SeverityText+" "+l.Body.GetStringValue())
			}
		}
	}
	return &collector.ExportLogsServiceResponse{PartialSuccess: &collector.ExportLogsPartialSuccess{RejectedLogRecords: s.reject}}, codes.OK
}

// Export implements the service over gRPC.
func (s *sink) Export(_ context.Context, m *collector.ExportLogsServiceRequest) (*collector.ExportLogsServiceResponse, error) {
	answer, code := s.take(m)
	return answer, status.Error(code, "refused")
}

// ServeHTTP implements it over HTTP.
func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(body)
		if err != nil {
			w.WriteHeader(400)
			return
		}
		body = z
	}
	data, err := io.ReadAll(body)
	var m collector.ExportLogsServiceRequest
	if err != nil || r.URL.Path != "/v1/logs" || r.Header.Get("Content-Type") != "application/x-protobuf" || proto.Unmarshal(data, &m) != nil {
		w.WriteHeader(404)
		return
	}
	answer, code := s.take(&m)
	switch code {
	case codes.Unavailable:
		w.WriteHeader(503)
	case codes.InvalidArgument:
		w.WriteHeader(400)
	default:
		data, _ = proto.Marshal(answer)
		_, _ = w.Write(data)
	}
}

// each runs a test for each protocol, with and without compression.
func each(t *testing.T, test func(t *testing.T, to *sink, s *Sender)) {
	for _, o := range []Options{{}, {GRPC: true}, {Gzip: true}, {GRPC: true, Gzip: true}} {
		t.Run(fmt.Sprintf("grpc %v, gzip %v", o.GRPC, o.Gzip), func(t *testing.T) {
			to := &sink{}
			o.Host, o.Path, o.Timeout, o.Service, o.Scope = listen(t, o.GRPC, to), "/v1/logs", 10*time.Second, "edge", "access"
			s, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			test(t, to, s)
		})
	}
}

func listen(t *testing.T, byGRPC bool, to *sink) string {
	if !byGRPC {
		server := httptest.NewServer(to)
		t.Cleanup(server.Close)
		return strings.TrimPrefix(server.URL, "http://")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	collector.RegisterLogsServiceServer(server, to)
	go server.Serve(l) // ends with Stop
	t.Cleanup(server.Stop)
	return l.Addr().String()
}

func soon() time.Time { return time.Now().Add(10 * time.Second) }

func TestLinesArrive(t *testing.T) {
	each(t, func(t *testing.T, to *sink, s *Sender) {
		for n := range 3 {
			s.Add(time.Now(), Info, fmt.Appendf(nil, "line %d \xff", n))
			s.Add(time.Now(), Error, []byte("bad"))
			if lost, err := s.Send(soon()); lost != 0 || err != nil {
				t.Fatalf("%d lost, %v", lost, err)
			}
		}
		want := []string{"pingap.access INFO line 0 \uFFFD", "pingap.access ERROR bad", "pingap.access INFO line 1 \uFFFD", "pingap.access ERROR bad",
			"pingap.access INFO line 2 \uFFFD", "pingap.access ERROR bad"}
		if !slices.Equal(to.got, want) || to.service != "edge" {
			t.Errorf("%q from %s", to.got, to.service)
		}
	})
}

func TestWhatIsRefusedForNowIsSentAgain(t *testing.T) {
	each(t, func(t *testing.T, to *sink, s *Sender) {
		to.refuse = 2
		s.Add(time.Now(), Info, []byte("a"))
		if lost, err := s.Send(soon()); lost != 0 || err != nil || len(to.got) != 1 || to.asked != 3 {
			t.Errorf("%d lost, %v, asked %d", lost, err, to.asked)
		}
	})
}

func TestWhatIsRefusedForGoodIsLost(t *testing.T) {
	each(t, func(t *testing.T, to *sink, s *Sender) {
		to.never = true
		s.Add(time.Now(), Info, []byte("a"))
		s.Add(time.Now(), Info, []byte("b"))
		if lost, err := s.Send(soon()); lost != 2 || err == nil || to.asked != 1 {
			t.Errorf("%d lost, %v, asked %d", lost, err, to.asked)
		}
		to.never, to.reject = false, 1
		s.Add(time.Now(), Info, []byte("c"))
		s.Add(time.Now(), Info, []byte("d"))
		if lost, err := s.Send(soon()); lost != 1 || err == nil {
			t.Errorf("%d rejected, %v", lost, err)
		}
	})
}

func TestACollectorThatIsNotThereIsGivenUp(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, byGRPC := range []bool{false, true} {
		s, err := New(Options{GRPC: byGRPC, Host: l.Addr().String(), Path: "/", Service: "a"})
		if err != nil {
			t.Fatal(err)
		}
		s.Add(time.Now(), Info, []byte("a"))
		if lost, err := s.Send(time.Now().Add(300 * time.Millisecond)); lost != 1 || err == nil {
			t.Errorf("grpc %v: %d lost, %v", byGRPC, lost, err)
		}
		s.Add(time.Now(), Info, []byte("b"))
		s.Hurry(100 * time.Millisecond)
		began := time.Now()
		if lost, err := s.Send(time.Now().Add(time.Hour)); lost != 1 || err == nil || time.Since(began) > 20*time.Second {
			t.Errorf("grpc %v: %d lost, %v in spite of hurry", byGRPC, lost, err)
		}
		s.Close()
	}
}
