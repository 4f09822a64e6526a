package main

import (
	"fmt"
	"io"
	"strings"
)

// maxOutput bounds the output kept for one test; what is beyond is dropped and said so.
const maxOutput = 64 << 10

// maxAgain bounds how many tests of a run are tried again: more than that is no unsteadiness.
const maxAgain = 6

// event is a line of go test -json.
type event struct {
	Action      string
	Package     string
	ImportPath  string // of build output
	Test        string
	Elapsed     float64
	Output      string
	FailedBuild string
}

// summary counts tests and keeps the output of those that have not passed yet.
type summary struct {
	out     io.Writer
	passed  int
	failed  int
	skipped int
	broken  int // packages that failed without a failed test, or did not build
	skips   []string
	output  map[string]*strings.Builder
	bad     map[string]bool // packages with a failed test

	failures []failure // of the group that runs, in order
	final    bool      // something of the group failed in a way that no second run mends
	unsteady []string
}

// failure is a test with a name of its own, and how many results fell with it: its subtests have theirs.
type failure struct {
	pkg, name string
	results   int
}

func newSummary(out io.Writer) *summary {
	return &summary{out: out, output: map[string]*strings.Builder{}, bad: map[string]bool{}}
}

// begin starts a group of packages.
func (s *summary) begin() { s.failures, s.final = nil, false }

// again has the failed tests of a group run once more, and takes back what passes.
func (s *summary) again(passes func(failure) bool) {
	if s.final || len(s.failures) > maxAgain {
		return
	}
	for _, f := range s.failures {
		fmt.Fprintf(s.out, "\nonce more, alone: %s %s\n", f.pkg, f.name)
		if passes(f) {
			s.failed -= f.results
			s.passed += f.results
			s.unsteady = append(s.unsteady, f.pkg+" "+f.name)
		}
	}
}

// fell notes a failed test under the name that go test -run knows it by.
func (s *summary) fell(e event) {
	name, _, _ := strings.Cut(e.Test, "/")
	if b := s.output[e.key()]; b != nil && fatal(b.String()) {
		s.final = true
	}
	for i := range s.failures {
		if f := &s.failures[i]; f.pkg == e.Package && f.name == name {
			f.results++
			return
		}
	}
	s.failures = append(s.failures, failure{pkg: e.Package, name: name, results: 1})
}

// fatal knows the output of what is never only a matter of time, and of what kept later tests of the package from running.
func fatal(output string) bool {
	return strings.Contains(output, "DATA RACE") || strings.Contains(output, "race detected") ||
		strings.HasPrefix(output, "panic: ") || strings.Contains(output, "\npanic: ") || strings.Contains(output, "\nfatal error: ")
}

func (e event) key() string {
	return e.Package + e.ImportPath + " " + e.Test
}

func (s *summary) add(e event) {
	switch e.Action {
	case "output", "build-output":
		s.keep(e)
	case "build-fail":
		s.show("did not build: "+e.ImportPath, e.key())
	case "pass", "fail", "skip":
		if e.Test == "" {
			s.packageDone(e)
		} else {
			s.testDone(e)
		}
		delete(s.output, e.key())
	}
}

func (s *summary) keep(e event) {
	b := s.output[e.key()]
	if b == nil {
		b = &strings.Builder{}
		s.output[e.key()] = b
	}
	if b.Len() >= maxOutput {
		return
	}
	b.WriteString(e.Output)
	if b.Len() >= maxOutput {
		b.WriteString("\n(more output dropped)\n")
	}
}

func (s *summary) testDone(e event) {
	switch e.Action {
	case "pass":
		s.passed++
	case "fail":
		s.failed++
		s.bad[e.Package] = true
		s.fell(e)
		s.show("FAIL "+e.Package+" "+e.Test, e.key())
	case "skip":
		s.skipped++
		s.skips = append(s.skips, e.Package+" "+e.Test+": "+s.reason(e))
	}
}

// reason is the text of t.Skip: the last line that is not go test's own.
func (s *summary) reason(e event) string {
	reason := "no reason given"
	if b := s.output[e.key()]; b != nil {
		for line := range strings.Lines(b.String()) {
			line = strings.TrimSpace(line)
			if line != "" && !strings.HasPrefix(line, "===") && !strings.HasPrefix(line, "---") {
				reason = line
			}
		}
	}
	return reason
}

func (s *summary) packageDone(e event) {
	switch e.Action {
	case "pass":
		fmt.Fprintf(s.out, "ok    %s (%.1f s)\n", e.Package, e.Elapsed)
	case "fail":
		fmt.Fprintf(s.out, "FAIL  %s (%.1f s)\n", e.Package, e.Elapsed)
		if !s.bad[e.Package] {
			s.broken++
			s.final = true
			s.show("failed outside of a test: "+e.Package, e.key())
		}
		s.bad[e.Package] = false
	}
}

func (s *summary) show(title, key string) {
	fmt.Fprintf(s.out, "\n%s\n", title)
	if b := s.output[key]; b != nil {
		fmt.Fprintf(s.out, "%s\n", b)
	}
}

// print ends with the line that tools look for, alone on its line.
func (s *summary) print() {
	if len(s.skips) > 0 {
		fmt.Fprintln(s.out, "\nskipped:")
		for _, skip := range s.skips {
			fmt.Fprintln(s.out, "  "+skip)
		}
	}
	if len(s.unsteady) > 0 {
		fmt.Fprintln(s.out, "\nunsteady, failed among the others and passed twice alone; to be mended:")
		for _, test := range s.unsteady {
			fmt.Fprintln(s.out, "  "+test)
		}
	}
	fmt.Fprintf(s.out, "\n%d passed, %d failed, %d skipped\n", s.passed, s.failed+s.broken, s.skipped)
}
