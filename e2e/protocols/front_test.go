package protocols

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"text/template"
)

// Proxies that can stand in front.
const (
	pingap  = "pingap"
	haproxy = "haproxy"
	nginx   = "nginx"
	direct  = "direct" // none, for suites with a server of their own
)

// Stores of a cache.
const (
	memoryCache = "memory"
	fileCache   = "file"
)

func subject() string {
	if name := os.Getenv(subjectName); name != "" {
		return name
	}
	return pingap
}

// wish is what a suite needs of the proxy. It listens with TLS and without, for HTTP/1.1 and HTTP/2 on both.
type wish struct {
	Upstream    string // address
	H2Upstream  bool   // spoken to in HTTP/2, with prior knowledge where there is no TLS
	TLSUpstream bool   // spoken to over TLS, as localhost, certificate not verified
	GRPCWeb     bool   // gRPC-web arrives, gRPC goes on
	GRPC        bool   // for nginx, which has another module for that
	Cert, Key   string // files; empty: one is made
	ServerKeys  string // more lines of both servers of pingap
	Tables      string // more tables of pingap
	At          string // the address without TLS; empty: a free one
	Cache       string // memoryCache or fileCache: the location has a cache
	Workers     int    // of pingap; 0 is 2
}

// front is a running proxy.
type front struct {
	wish
	Plain, TLS string // addresses
	Dir        string
	CA         string // file of the certificate that vouches for the proxy's
	child      *child
}

// startFront starts the subject.
func startFront(w wish) (*front, error) {
	f := &front{wish: w}
	var err error
	if f.Dir, err = workDir(); err != nil {
		return nil, err
	}
	if err = f.prepare(); err == nil {
		err = f.launch()
	}
	if err != nil {
		err = fmt.Errorf("start %s: %w\n%s", subject(), err, f.printed())
		return nil, errors.Join(err, f.stop())
	}
	return f, nil
}

func (f *front) prepare() (err error) {
	if f.Cert == "" {
		if f.Cert, f.Key, f.CA, err = makeCertificates(f.Dir); err != nil {
			return err
		}
	}
	if f.Plain = f.At; f.Plain == "" {
		if f.Plain, err = freePort(); err != nil {
			return err
		}
	}
	f.TLS, err = freePort()
	return err
}

func (f *front) launch() error {
	how, known := map[string]func() (*exec.Cmd, error){pingap: f.pingap, haproxy: f.haproxy, nginx: f.nginx}[subject()]
	if !known {
		return fmt.Errorf("%s=%s is unknown here", subjectName, subject())
	}
	cmd, err := how()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(f.output(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd.Dir, cmd.Stdout, cmd.Stderr = f.Dir, out, out
	if f.child, err = startChild(cmd); err != nil {
		return err
	}
	return f.child.listens(f.Plain, f.TLS)
}

// stop ends the proxy. What it printed must hold no sign of a bug.
func (f *front) stop() error {
	var errs []error
	if f.child != nil && f.child.cmd.Process != nil {
		errs = append(errs, f.child.stop())
	}
	text := f.printed()
	for _, bad := range []string{"panic:", "DATA RACE", "fatal error:", "SIGSEGV"} {
		if strings.Contains(text, bad) {
			errs = append(errs, fmt.Errorf("the output of %s holds %q:\n%s", subject(), bad, tail(text, 20_000)))
		}
	}
	return errors.Join(append(errs, os.RemoveAll(f.Dir))...)
}

func (f *front) output() string { return filepath.Join(f.Dir, "output") }

func (f *front) printed() string {
	text, _ := os.ReadFile(f.output()) // not yet written: nothing was printed
	return string(text)
}

// newFront is startFront for a test.
func newFront(t *testing.T, w wish) *front {
	t.Helper()
	refuses(t, direct)
	f, err := startFront(w)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("output of %s:\n%s", subject(), tail(f.printed(), 10_000))
		}
		if err := f.stop(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func tail(text string, limit int) string {
	if len(text) > limit {
		return "…" + text[len(text)-limit:]
	}
	return text
}

// fill writes a configuration from its template.
func (f *front) fill(name, text string) (string, error) {
	tmpl, err := template.New(name).Option("missingkey=error").Parse(text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	if err := tmpl.Execute(io.Writer(&b), f); err != nil {
		return "", err
	}
	path := filepath.Join(f.Dir, name)
	return path, os.WriteFile(path, []byte(b.String()), 0o644)
}
