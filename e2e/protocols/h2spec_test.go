package protocols

import (
	"encoding/xml"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const (
	// h2specCases is how many there are with --strict. One that is not run has not passed.
	h2specCases = 146
	h2specTime  = 3 * time.Minute // a run in which every case waits for its time limit stays below that
)

// h2specReport is what is needed of its JUnit report.
type h2specReport struct {
	Suites []struct {
		Name    string `xml:"name,attr"`
		Package string `xml:"package,attr"`
		Cases   []struct {
			Name    string    `xml:"classname,attr"`
			Failure *struct{} `xml:"failure"`
			Error   *struct{} `xml:"error"`
			Skipped *struct{} `xml:"skipped"`
		} `xml:"testcase"`
	} `xml:"testsuite"`
}

// TestH2Spec runs all of h2spec: RFC 7540 as strictly as it says, which RFC 9113 left in force as far as the cases go.
func TestH2Spec(t *testing.T) {
	path := tool(t, "h2spec")
	f := newFront(t, wish{Upstream: newBackend(t)})
	for _, c := range []struct {
		name, addr string
		flags      []string
	}{
		{"TLS", f.TLS, []string{"--tls", "--insecure"}},
		{"Cleartext", f.Plain, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			report := filepath.Join(t.TempDir(), "report.xml")
			_, port, _ := net.SplitHostPort(c.addr)
			args := append([]string{"--strict", "--port", port, "--junit-report", report}, c.flags...)
			out := runTool(t, h2specTime, nil, path, args...)
			passed, problems := readH2Spec(t, report)
			for _, p := range problems {
				t.Error(p)
			}
			if passed != h2specCases || out.code != 0 {
				t.Errorf("%d of %d cases passed, exit code %d\n%s", passed, h2specCases, out.code, tail(out.text, 6000))
			}
		})
	}
}

func readH2Spec(t *testing.T, path string) (passed int, problems []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var r h2specReport
	if err := xml.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	for _, s := range r.Suites {
		for _, c := range s.Cases {
			if c.Failure == nil && c.Error == nil && c.Skipped == nil {
				passed++
				continue
			}
			problems = append(problems, fmt.Sprintf("%s (%s): %s", s.Name, s.Package, c.Name))
		}
	}
	return passed, problems
}
