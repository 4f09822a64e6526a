package otlp

import (
	"context"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
)

func put(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestACollectorWithACertificateOfItsOwnGetsFieldsFromAFile(t *testing.T) {
	for _, byGRPC := range []bool{false, true} {
		to := &sink{}
		var got atomic.Value // string
		web := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got.Store(r.Header.Get("Authorization") + "|" + r.Header.Get("X-Tenant"))
			to.ServeHTTP(w, r)
		}))
		t.Cleanup(web.Close)
		host := web.Listener.Addr().String()
		if byGRPC {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			server := grpc.NewServer(grpc.Creds(credentials.NewServerTLSFromCert(&web.TLS.Certificates[0])), grpc.UnaryInterceptor(
				func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
					md, _ := metadata.FromIncomingContext(ctx)
					got.Store(strings.Join(md.Get("authorization"), "") + "|" + strings.Join(md.Get("x-tenant"), ""))
					return next(ctx, req)
				}))
			collector.RegisterLogsServiceServer(server, to)
			go server.Serve(l) // ends with Stop
			t.Cleanup(server.Stop)
			host = l.Addr().String()
		}
		ca := put(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw})))
		o := Options{GRPC: byGRPC, Secure: true, Host: host, Path: "/v1/logs", Timeout: 10 * time.Second, Service: "edge", Scope: "access",
			HeadersFile: put(t, "# of the tenant\n\nAuthorization: Bearer abc:def\nx-tenant:7\n")}
		for _, o.CA = range []string{"", ca} { // the system knows no such CA
			s, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			s.Add(time.Now(), Info, []byte("line"))
			deadline := soon()
			if o.CA == "" {
				deadline = time.Now().Add(time.Second) // in vain
			}
			lost, err := s.Send(deadline)
			if (err == nil && lost == 0) != (o.CA != "") {
				t.Errorf("grpc %v, ca %q: %d lost, %v", byGRPC, o.CA, lost, err)
			}
			if err != nil && strings.Contains(err.Error(), "abc") {
				t.Errorf("the error shows a secret: %v", err)
			}
			s.Close()
		}
		if got.Load() != "Bearer abc:def|7" {
			t.Errorf("grpc %v: the collector got %v", byGRPC, got.Load())
		}
	}
}

func TestFilesThatAreNotWhatTheyShouldBeAreRefusedWithoutWhatIsInThem(t *testing.T) {
	many := strings.Builder{}
	for i := range maxFields + 1 {
		many.WriteString("x-" + strings.Repeat("a", i+1) + ": secret\n")
	}
	for _, c := range []struct{ ca, headers, want string }{
		{ca: "/does/not/exist", want: "ca: "},
		{ca: put(t, "secret"), want: "no certificate in it"},
		{ca: t.TempDir(), want: "expected a file"},
		{headers: put(t, "ok: 1\nsecret"), want: "line 2: expected name: value"},
		{headers: put(t, "a b: secret"), want: "line 1"},
		{headers: put(t, "a: sec\x01ret"), want: "line 1"},
		{headers: put(t, "Content-Type: secret"), want: "not for others to set"},
		{headers: put(t, "grpc-timeout: secret"), want: "not for others to set"},
		{headers: put(t, many.String()), want: "more than 32 fields"},
		{headers: put(t, strings.Repeat("#", maxHeaders+1)), want: "at most 16 KiB"},
	} {
		for _, byGRPC := range []bool{false, true} {
			_, err := New(Options{GRPC: byGRPC, Secure: true, Host: "127.0.0.1:1", CA: c.ca, HeadersFile: c.headers})
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%q: %v", c.want, err)
			}
		}
	}
}

func FuzzFields(f *testing.F) {
	f.Add("Authorization: Bearer x\n# c\nx-a: b\n")
	f.Add(":\n: \n\r\n")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(dir, "headers")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		all, err := fields(path)
		if err != nil {
			return
		}
		for name, values := range all {
			if !isName(name) || isOurs(name) || strings.ContainsAny(values[0], "\r\n\x00") {
				t.Errorf("%q: %q", name, values)
			}
		}
	})
}
