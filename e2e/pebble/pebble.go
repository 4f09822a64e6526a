package pebble

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// startTime bounds the start of a process.
const startTime = 30 * time.Second

// Options of a CA; the zero value is one that refuses no nonce, and knows every authorization for one order only.
type Options struct {
	// HTTPPort and TLSPort are where it validates http-01 and tls-alpn-01.
	HTTPPort, TLSPort int
	// NonceReject is the share of good nonces that are refused, in percent; AuthzReuse of valid authorizations that
	// count for a new order.
	NonceReject, AuthzReuse int
	// EAB are the keys (base64url) of external accounts; if there are some, every account needs one.
	EAB map[string]string
	// Blocked are names that it refuses.
	Blocked []string
	// Validity of certificates; 0 is 90 days.
	Validity time.Duration
}

// CA is a running pebble with its DNS server, which says 127.0.0.1 for every name.
type CA struct {
	// Directory is its URL.
	Directory string
	// PEM is the certificate that the directory's is verified with.
	PEM []byte
	// DNS is the address of the DNS server.
	DNS string

	control string // URL of the DNS server's control
	manage  string // URL of pebble's
	said    *output
	client  *http.Client
}

// Start runs a CA until the test ends. The test is skipped when the commands cannot be built.
func Start(t testing.TB, opt Options) *CA {
	t.Helper()
	dir, err := build()
	if err != nil {
		t.Skipf("pebble cannot be built: %v", err)
	}
	for range 3 { // a port that was free may be taken when a process asks for it
		if ca := start(t, dir, opt); ca != nil {
			return ca
		}
	}
	t.Fatal("pebble does not start")
	return nil
}

func start(t testing.TB, dir string, opt Options) *CA {
	t.Helper()
	ports := freePorts(t, 4)
	work := t.TempDir()
	caPEM := writePair(t, work)
	ca := &CA{
		Directory: fmt.Sprintf("https://127.0.0.1:%d/dir", ports[0]),
		PEM:       caPEM,
		DNS:       fmt.Sprintf("127.0.0.1:%d", ports[2]),
		manage:    fmt.Sprintf("https://127.0.0.1:%d", ports[1]),
		control:   fmt.Sprintf("http://127.0.0.1:%d", ports[3]),
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(caPEM)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	t.Cleanup(transport.CloseIdleConnections)
	ca.client = &http.Client{Transport: transport, Timeout: 10 * time.Second}

	config := filepath.Join(work, "config.json")
	writeJSON(t, config, configuration(opt, work, ports))
	dns, _ := run(t, nil, filepath.Join(dir, "pebble-challtestsrv"), "-http01", "", "-https01", "", "-doh", "", "-tlsalpn01", "",
		"-dnsserver", ca.DNS, "-management", strings.TrimPrefix(ca.control, "http://"), "-defaultIPv6", "")
	env := []string{
		"PEBBLE_VA_NOSLEEP=1", "PEBBLE_VA_ALWAYS_VALID=0",
		fmt.Sprint("PEBBLE_WFE_NONCEREJECT=", opt.NonceReject), fmt.Sprint("PEBBLE_AUTHZREUSE=", opt.AuthzReuse),
	}
	pebble, said := run(t, env, filepath.Join(dir, "pebble"), "-strict", "-config", config, "-dnsserver", ca.DNS)
	if !ca.ready(ca.Directory, pebble) || !ca.ready(ca.control, dns) {
		return nil
	}
	ca.said = said
	return ca
}

// Orders is how many orders it got.
func (ca *CA) Orders() int { return strings.Count(ca.said.String(), "Added order ") }

// ready waits until a process answers. It says no when the process has ended.
func (ca *CA) ready(url string, ended <-chan struct{}) bool {
	deadline := time.After(startTime)
	for {
		if resp, err := ca.client.Get(url); err == nil {
			resp.Body.Close()
			return true
		}
		select {
		case <-ended:
			return false
		case <-deadline:
			return false
		case <-time.After(20 * time.Millisecond): // a process of others has no better sign
		}
	}
}

func configuration(opt Options, work string, ports []int) any {
	validity := opt.Validity
	if validity == 0 {
		validity = 90 * 24 * time.Hour
	}
	return map[string]any{"pebble": map[string]any{
		"listenAddress":                  fmt.Sprintf("127.0.0.1:%d", ports[0]),
		"managementListenAddress":        fmt.Sprintf("127.0.0.1:%d", ports[1]),
		"certificate":                    filepath.Join(work, "cert.pem"),
		"privateKey":                     filepath.Join(work, "key.pem"),
		"httpPort":                       opt.HTTPPort,
		"tlsPort":                        opt.TLSPort,
		"externalAccountBindingRequired": len(opt.EAB) > 0,
		"externalAccountMACKeys":         opt.EAB,
		"domainBlocklist":                opt.Blocked,
		"keyAlgorithm":                   "ecdsa",
		"ocspResponderURL":               "http://127.0.0.1:1/", // stands in certificates, as a real CA has one; nobody answers there
		"retryAfter":                     map[string]int{"authz": 1, "order": 1},
		"profiles":                       map[string]any{"default": map[string]any{"description": "for tests", "validityPeriod": int(validity.Seconds())}},
	}}
}

// output is what a process prints.
type output struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

// String is all of it so far.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// run starts a process that ends with the test. The channel is closed when it has ended.
func run(t testing.TB, env []string, name string, args ...string) (<-chan struct{}, *output) {
	t.Helper()
	out := new(output)
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { // until the process has ended, which the clean-up waits for
		defer close(ended)
		_ = cmd.Wait() // killed
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-ended
		if t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(name), lastLines(out.String(), 60))
		}
	})
	return ended, out
}

func lastLines(text string, n int) string {
	lines := strings.Split(text, "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

func freePorts(t testing.TB, n int) []int {
	t.Helper()
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

// writePair makes a certificate for 127.0.0.1 that is its own CA.
func writePair(t testing.TB, dir string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "pebble"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	write(t, filepath.Join(dir, "cert.pem"), cert)
	write(t, filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
	return cert
}

func writeJSON(t testing.TB, name string, value any) {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	write(t, name, data)
}

func write(t testing.TB, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Root is the CA's root certificate, as PEM: issued certificates are verified with it.
func (ca *CA) Root(t testing.TB) []byte {
	t.Helper()
	resp, err := ca.client.Get(ca.manage + "/roots/0")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// SetTXT adds a TXT record, ClearTXT removes all of a name.
func (ca *CA) SetTXT(ctx context.Context, name, value string) error {
	return ca.tell(ctx, "/set-txt", map[string]string{"host": name + ".", "value": value})
}

// ClearTXT removes the TXT records of a name.
func (ca *CA) ClearTXT(ctx context.Context, name string) error {
	return ca.tell(ctx, "/clear-txt", map[string]string{"host": name + "."})
}

func (ca *CA) tell(ctx context.Context, path string, what any) error {
	data, err := json.Marshal(what)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, ca.control+path, bytes.NewReader(data))
	if err != nil {
		return err
	}
	resp, err := ca.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, resp.Status)
	}
	return nil
}

// LookupTXT asks the DNS server.
func (ca *CA) LookupTXT(ctx context.Context, name string) ([]string, error) {
	r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, ca.DNS)
	}}
	return r.LookupTXT(ctx, name)
}
