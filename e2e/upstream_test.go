package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mccutchen/go-httpbin/v2/httpbin"
)

// backend is an upstream in the test process, with counts of its own.
type backend struct {
	name     string
	addr     string
	requests atomic.Int64
	now, max atomic.Int64 // in process: at present, and the most at once
	gone     atomic.Int64 // requests whose connection ended before the answer
	hold     chan struct{}
	cut      func() // ends all connections
}

// newBackend serves: /parts answers in two parts, /slow waits 50 ms, /hold until release or the peer leaves, everything else at once. The body is the
// backend's name, the header fields tell what arrived.
func newBackend(t *testing.T, name string) *backend {
	t.Helper()
	b := &backend{name: name, hold: make(chan struct{})}
	server := httptest.NewServer(b)
	b.addr, b.cut = server.Listener.Addr().String(), server.CloseClientConnections
	t.Cleanup(func() {
		b.release()
		server.CloseClientConnections()
		server.Close()
	})
	return b
}

func (b *backend) release() {
	select {
	case <-b.hold:
	default:
		close(b.hold)
	}
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.requests.Add(1)
	now := b.now.Add(1)
	defer b.now.Add(-1)
	for most := b.max.Load(); now > most && !b.max.CompareAndSwap(most, now); {
		most = b.max.Load()
	}
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		b.gone.Add(1)
		return
	}
	switch {
	case strings.HasPrefix(r.URL.Path, "/slow"):
		time.Sleep(50 * time.Millisecond) // the slowness is what the test needs
	case strings.HasPrefix(r.URL.Path, "/hold"):
		select {
		case <-b.hold:
		case <-r.Context().Done():
			b.gone.Add(1)
			return
		}
	}
	if r.URL.Path == "/parts" {
		b.parts(w, r)
		return
	}
	w.Header().Set("X-Got", fmt.Sprintf("%s %s %d", r.Method, r.RequestURI, n))
	w.Header().Set("X-Host", r.Host)
	for _, f := range []string{"X-Forwarded-For", "X-Real-Ip", "X-Probe", "X-Test"} {
		for _, v := range r.Header.Values(f) {
			w.Header().Add("Got-"+f, v)
		}
	}
	fmt.Fprintln(w, b.name)
}

// parts answers in two parts: the second one after release, or never when the peer leaves.
func (b *backend) parts(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintln(w, "part one")
	if err := http.NewResponseController(w).Flush(); err != nil {
		return
	}
	select {
	case <-b.hold:
		fmt.Fprintln(w, "part two")
	case <-r.Context().Done():
		b.gone.Add(1)
	}
}

// newHTTPBin serves go-httpbin.
func newHTTPBin(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(httpbin.New(httpbin.WithMaxBodySize(64<<20), httpbin.WithMaxDuration(10*time.Second)))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.Listener.Addr().String()
}

// newNginx starts nginx as a child, serving files of root; the test is skipped where it is not installed.
func newNginx(t *testing.T, files map[string]string) string {
	t.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil {
		t.Skip("nginx is not installed")
	}
	dir, addr := workDir(t), freePort(t)
	for name, text := range files {
		write(t, filepath.Join(dir, "root", name), text)
	}
	conf := filepath.Join(dir, "nginx.conf")
	write(t, conf, fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log;
events { worker_connections 1024; }
http {
  access_log off; client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/f;
  uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  server {
    listen %[2]s; root %[1]s/root; gzip on; gzip_types text/plain; gzip_min_length 100; client_max_body_size 64m;
    location /hello { return 200 "nginx\n"; }
    location /teapot { return 418 "short\n"; }
  }
}
`, dir, addr))
	cmd := exec.Command(path, "-p", dir, "-e", filepath.Join(dir, "error.log"), "-c", conf)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	ended := make(chan struct{})
	if err := startPinned(cmd, ended); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	if err := within(patience, func() error {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err
	}); err != nil {
		t.Fatalf("nginx: %v", err)
	}
	return addr
}
