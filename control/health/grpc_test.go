package health

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pingap/config"
)

// reply is what a backend answers to a gRPC call.
type reply struct {
	status  int
	kind    string // Content-Type
	message string
	trailer map[string]string
	only    bool // trailers in the head, and nothing else
	wait    bool // forever, behind the head
}

const (
	serving    = "\x00\x00\x00\x00\x02\x08\x01"
	notServing = "\x00\x00\x00\x00\x02\x08\x02"
	call       = "\x00\x00\x00\x00\x09\x0a\x07pkg.Svc"
)

func (p reply) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	bad := r.Method != http.MethodPost || r.URL.Path != healthMethod || r.Header.Get("Te") != "trailers" || r.Header.Get("Content-Type") != "application/grpc" ||
		r.Host != "api.test:50051" || r.UserAgent() != "pingap/1.2 (health check)" || string(body) != call || r.ProtoMajor != 2
	if bad {
		p.trailer = map[string]string{"Grpc-Status": "3", "Grpc-Message": "what is that"}
	}
	w.Header().Set("Content-Type", p.kind)
	if p.only {
		for k, v := range p.trailer {
			w.Header().Set(k, v)
		}
		return
	}
	if p.status != 0 {
		w.WriteHeader(p.status)
	}
	_, _ = io.WriteString(w, p.message)
	if p.wait {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
	for k, v := range p.trailer {
		w.Header().Set(http.TrailerPrefix+k, v)
	}
}

// serveGRPC serves HTTP/2, over TLS or not.
func serveGRPC(t testing.TB, h http.Handler, overTLS bool) string {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP2(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.EnableHTTP2 = overTLS
	if overTLS {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.Listener.Addr().String()
}

func TestEachWayToAnswerGRPC(t *testing.T) {
	ok := map[string]string{"Grpc-Status": "0"}
	tests := []struct {
		name string
		reply
		want string
	}{
		{"SERVING", reply{kind: "application/grpc", message: serving, trailer: ok}, ""},
		{"SERVING among others", reply{kind: "application/grpc+proto", message: "\x00\x00\x00\x00\x06\x12\x02ab\x08\x01", trailer: ok}, ""},
		{"NOT_SERVING", reply{kind: "application/grpc", message: notServing, trailer: ok}, "NOT_SERVING"},
		{"UNKNOWN", reply{kind: "application/grpc", message: "\x00\x00\x00\x00\x00", trailer: ok}, "UNKNOWN"},
		{"new status", reply{kind: "application/grpc", message: "\x00\x00\x00\x00\x02\x08\x09", trailer: ok}, "serving status 9"},
		{"service unknown", reply{kind: "application/grpc", only: true, trailer: map[string]string{"Grpc-Status": "5", "Grpc-Message": "unknown service"}}, "grpc-status 5: unknown service"},
		{"SERVING, but failed", reply{kind: "application/grpc", message: serving, trailer: map[string]string{"Grpc-Status": "13"}}, "grpc-status 13"},
		{"no status", reply{kind: "application/grpc", message: serving}, "the answer has no grpc-status"},
		{"wrong content type", reply{kind: "text/html", message: serving, trailer: ok}, `content type "text/html"`},
		{"almost the content type", reply{kind: "application/grpcs", message: serving, trailer: ok}, `content type "application/grpcs"`},
		{"503", reply{status: 503, kind: "application/grpc", message: serving, trailer: ok}, "status 503"},
		{"compressed", reply{kind: "application/grpc", message: "\x01\x00\x00\x00\x02\x08\x01", trailer: ok}, "the answer is not one message of gRPC"},
		{"two messages", reply{kind: "application/grpc", message: serving + serving, trailer: ok}, "the answer is not one message of gRPC"},
		{"long message", reply{kind: "application/grpc", message: times(maxReply, "x") + serving, trailer: ok}, "the answer is longer"},
		{"rubbish", reply{kind: "application/grpc", message: "\x00\x00\x00\x00\x02\x0f\xff", trailer: ok}, "the message of the answer cannot be read"},
		{"silence behind the head", reply{kind: "application/grpc", message: serving, wait: true}, "no answer within 1s"},
	}
	for _, tt := range tests {
		for _, secured := range []bool{false, true} {
			url := "grpc://api.test:50051/?failure=1&service=pkg.Svc&read_timeout=1s"
			if secured {
				url += "&tls"
			}
			t.Run(tt.name, func(t *testing.T) {
				judged(t, serveGRPC(t, tt.reply, secured), check(t, url), tt.want)
			})
		}
	}
}

func TestGRPCWithoutHTTP2(t *testing.T) {
	plain := check(t, "grpc://api.test:50051/?service=pkg.Svc&"+impolite)
	judged(t, listen(t, mute), plain, "no answer within 300ms")
	judged(t, listen(t, func(net.Conn) {}), plain, someReason)
	judged(t, listen(t, says(good)), plain, someReason)
	judged(t, nobody(t), plain, "connection refused")
	judged(t, listen(t, overTLS(t, mute)), check(t, "grpc://a?tls&failure=1"), "the backend did not agree on HTTP/2")
	judged(t, listen(t, mute), check(t, "grpc://a?tls&"+impolite), "no TLS handshake within 300ms")
}

// With ca the certificate of a backend is verified, for the name in the URL.
func TestGRPCVerifiesAgainstCA(t *testing.T) {
	to := serveGRPC(t, reply{kind: "application/grpc", message: serving, trailer: map[string]string{"Grpc-Status": "0"}}, true)
	other, _ := pair(t)
	u := config.Upstream{HealthCheck: "grpc://api.test:50051?tls&failure=1&service=pkg.Svc", CA: other}
	judged(t, to, compile(t, u), "TLS handshake: tls: failed to verify certificate")
	c, err := Compile(&u) // verify_cert = false
	if err != nil {
		t.Fatal(err)
	}
	judged(t, to, c, "")
	u.CA = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
	u.VerifyCert = true
	if _, err := Compile(&u); err == nil || !strings.HasPrefix(err.Error(), "ca: ") {
		t.Errorf("compiled: %v", err)
	}
}

func TestGRPCReusesItsConnection(t *testing.T) {
	var calls, conns atomic.Int32
	answer := reply{kind: "application/grpc", message: serving, trailer: map[string]string{"Grpc-Status": "0"}}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		answer.ServeHTTP(w, r)
	}))
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	r := newRig(t)
	r.c.Set("u", target1(server.Listener.Addr().String(), check(t, "grpc://api.test:50051?service=pkg.Svc&reuse&check_frequency=1s&failure=1")))
	reach := func(n int32) {
		t.Helper()
		for end := time.Now().Add(patient); calls.Load() < n; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d calls", calls.Load())
			}
		}
	}
	reach(3)
	if conns.Load() != 1 {
		t.Errorf("%d connections", conns.Load())
	}
	server.CloseClientConnections()
	reach(5)
	if conns.Load() != 2 {
		t.Errorf("%d connections", conns.Load())
	}
	r.stop()
	if all := r.all(); len(all) != 1 || !all[0].Healthy {
		t.Errorf("%+v", all)
	}
}

func FuzzGRPCMessage(f *testing.F) {
	for _, text := range []string{serving, notServing, "", "\x00\x00\x00\x00\x06\x12\x02ab\x08\x01", "\x00\x00\x00\x00\x0b\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		o := judgeMessage(data)
		if o.verdict == passed && len(data) < 7 {
			t.Fatalf("%q is healthy", data)
		}
		if len(o.reason) > maxReason+3 {
			t.Fatalf("reason %q", o.reason)
		}
	})
}
