package protocols

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"pingap/e2e/pebble"
)

const (
	testsslTime = 8 * time.Minute
	// fewestFindings says that a scan was one: each finding is a line, most of them good ones.
	fewestFindings = 80
)

// finding is one line of testssl.sh's report.
type finding struct {
	ID       string `json:"id"`
	Severity string `json:"severity"`
	Finding  string `json:"finding"`
}

// issuedName is what the certificate is for that pebble issues.
const issuedName = "pingap.test"

// frontOfPebble starts the subject; pingap with a certificate of its own from a CA, requested by ACME. It returns the name to ask for, and a
// file of the CA's root.
func frontOfPebble(t *testing.T) (f *front, name, root string) {
	t.Helper()
	if subject() != pingap {
		f = newFront(t, wish{Upstream: newBackend(t)})
		return f, "localhost", f.CA
	}
	at, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(at, ":")
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	ca := pebble.Start(t, pebble.Options{HTTPPort: port})
	f = newFront(t, wish{Upstream: newBackend(t), At: at, Tables: fmt.Sprintf(
		"[certificates.issued]\nacme = %q\nacme_ca_file = '''%s'''\ndomains = %q\n", ca.Directory, ca.PEM, issuedName)})
	root = filepath.Join(t.TempDir(), "root.pem")
	if err := os.WriteFile(root, ca.Root(t), 0o644); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca.Root(t))
	for end := time.Now().Add(issueTime); ; time.Sleep(100 * time.Millisecond) {
		c, err := tls.Dial("tcp", f.TLS, &tls.Config{ServerName: issuedName, RootCAs: pool})
		if err == nil {
			c.Close()
			return f, issuedName, root
		}
		if time.Now().After(end) {
			t.Fatalf("no certificate from pebble: %v", err)
		}
	}
}

// issueTime bounds the wait for a certificate.
const issueTime = time.Minute

// TestTestSSL lets testssl.sh look for what is weak, with a certificate from pebble: nothing may be worse than LOW. The chain of trust
// ends in a CA that it does not know.
func TestTestSSL(t *testing.T) {
	t.Parallel() // it takes its time, mostly waiting
	path := tool(t, "testssl")
	f, name, root := frontOfPebble(t)
	report := filepath.Join(t.TempDir(), "report.json")
	_, port, _ := strings.Cut(f.TLS, ":")
	out := runTool(t, testsslTime, nil, path, "--quiet", "--color", "0", "--warnings", "batch", "--add-ca", root, "--openssl", tool(t, "openssl"),
		// All but the simulation of clients, which only informs, and takes a minute.
		"--protocols", "--standard", "--pfs", "--server-preference", "--server-defaults", "--headers", "--vulnerable",
		"--ip", "127.0.0.1", "--jsonfile", report, "https://"+name+":"+port)
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatalf("%v\n%s", err, tail(out.text, 4000))
	}
	var findings []finding
	if err := json.Unmarshal(text, &findings); err != nil {
		t.Fatal(err)
	}
	if len(findings) < fewestFindings {
		t.Errorf("only %d findings:\n%s", len(findings), tail(out.text, 4000))
	}
	for _, x := range findings {
		switch {
		case strings.Contains(x.ID, "chain_of_trust"):
		case x.Severity == "MEDIUM" || x.Severity == "HIGH" || x.Severity == "CRITICAL" || x.Severity == "FATAL":
			t.Errorf("%s: %s: %s", x.Severity, x.ID, x.Finding)
		}
	}
}
