package trace

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
)

func TestACollectorWithACertificateOfItsOwnIsTrustedByItsCA(t *testing.T) {
	asked := make(chan string, 10)
	web := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.URL.Path }))
	defer web.Close()
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	x := NewExporters(zap.NewNop(), "1")
	e, err := x.Open(web.URL + "?protocol=http&scheduled_delay=10ms&ca=" + path)
	if err != nil {
		t.Fatal(err)
	}
	served(e.Tracer("web", nil), record())
	select {
	case got := <-asked:
		if got != "/v1/traces" {
			t.Error(got)
		}
	case <-time.After(30 * time.Second):
		t.Error("the collector was not asked")
	}
	e.Close()
	x.Wait(5 * time.Second)
	for file, want := range map[string]string{"/does/not/exist": "ca: ", t.TempDir(): "expected a file", os.Args[0]: "ca: "} {
		if _, err := x.Open(web.URL + "?ca=" + file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", file, err)
		}
	}
	for _, url := range []string{"http://h?ca=/x", "https://h?ca=x"} {
		if _, err := x.Open(url); err == nil {
			t.Errorf("%s is taken", url)
		}
	}
}
