package protocols

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
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

// TestTestSSL lets testssl.sh look for what is weak: nothing may be worse than LOW. The chain of trust ends in a CA that it does not know.
func TestTestSSL(t *testing.T) {
	t.Parallel() // it takes its time, mostly waiting
	path := tool(t, "testssl")
	f := newFront(t, wish{Upstream: newBackend(t)})
	report := filepath.Join(t.TempDir(), "report.json")
	_, port, _ := strings.Cut(f.TLS, ":")
	out := runTool(t, testsslTime, nil, path, "--quiet", "--color", "0", "--warnings", "batch", "--add-ca", f.CA, "--openssl", tool(t, "openssl"),
		// All but the simulation of clients, which only informs, and takes a minute.
		"--protocols", "--standard", "--pfs", "--server-preference", "--server-defaults", "--headers", "--vulnerable",
		"--ip", "127.0.0.1", "--jsonfile", report, "https://localhost:"+port)
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
