package metrics

import (
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	collector1 "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"pingap/config"
)

// told waits until the log has a text.
func told(t *testing.T, log *lines, text string) {
	t.Helper()
	for deadline := time.Now().Add(patience); !strings.Contains(log.String(), text); {
		if time.Now().After(deadline) {
			t.Fatalf("the log lacks %q: %s", text, log)
		}
		await(t, log.come, "a line of the log")
	}
}

// secureSink is a gateway and collector with a certificate that the system does not trust. come gets the protocol of each push.
func secureSink(t *testing.T, come chan string) (addresses map[string]string, ca string) {
	t.Helper()
	web := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.RawQuery, "ca=") {
			t.Errorf("ca goes along: %s", r.URL)
		}
		come <- r.URL.Path
	}))
	t.Cleanup(web.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.Creds(credentials.NewServerTLSFromCert(&web.TLS.Certificates[0])))
	sink := &grpcSink{got: make(chan *collector1.ExportMetricsServiceRequest, 100), who: make(chan []string, 100)}
	collector1.RegisterMetricsServiceServer(server, sink)
	go server.Serve(l) // ends with Stop
	t.Cleanup(server.Stop)
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	go func() { // ends with the test
		for {
			select {
			case <-sink.got:
				come <- "grpc"
			case <-done:
				return
			}
		}
	}()
	ca = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	host := web.Listener.Addr().String()
	return map[string]string{"https://" + host + "/gateway": "/gateway", "otlp+https://" + host: "/v1/metrics", "otlp+grpcs://" + l.Addr().String(): "grpc"}, ca
}

func TestAGatewayWithACertificateOfItsOwnIsBelievedByItsCAOnly(t *testing.T) {
	come := make(chan string, 1000)
	addresses, ca := secureSink(t, come)
	for to, want := range addresses {
		t.Run(to, func(t *testing.T) {
			if want != "grpc" { // which says after a minute only that it gives up
				_, log := pushes(t, to+"?interval=1s") // the system knows no such CA
				told(t, log, "were not pushed")
			}
			if len(come) > 0 {
				t.Errorf("pushed to whoever it is: %s", <-come)
			}
			pushes(t, to+"?interval=1s&ca="+url.QueryEscape(ca))
			if got := await(t, come, "a push"); got != want {
				t.Errorf("pushed to %s", got)
			}
		})
		for len(come) > 0 {
			<-come
		}
	}
}

func TestWhatIsNoCAIsTold(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{empty: "no certificate in it", empty + "s": "no such file", "/dev/null": "expected a file"} {
		_, log := pushes(t, "otlp+https://127.0.0.1:1?ca="+path)
		told(t, log, want)
	}
}

func TestOnlySecretsAreHidden(t *testing.T) {
	for _, c := range []struct{ url, text, want string }{
		{"http://u:hush@h/", "connection refused", "connection refused"},
		{"http://u:hush@h/", "dial http://u:hush@h: refused, u", "dial http://[hidden]@h: refused, u"},
		{"http://u:hush@h/", "http://u@h, hushed", "http://[hidden]h, [hidden]ed"},
		{"http://u:hush@h/", "Basic dTpodXNo was not taken", "Basic [hidden] was not taken"},
		{"http://u%20s:a%2Fb@h/", "u%20s:a%2Fb, u s:a/b, a%2Fb", "[hidden], [hidden], [hidden]"},
		{"http://token@h/", "http://token@h", "http://[hidden]@h"},
		{"http://:hush@h/?key=whisper", "/?key=whisper: hush", "/?[hidden]: [hidden]"},
	} {
		push, err := (&config.Server{PrometheusMetrics: config.Secret(c.url)}).MetricsPush()
		if err != nil {
			t.Fatal(err)
		}
		if got := withoutSecrets(errors.New(c.text), push); got != c.want {
			t.Errorf("%s: %q became %q, want %q", c.url, c.text, got, c.want)
		}
	}
}
