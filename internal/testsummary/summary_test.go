package main

import (
	"slices"
	"strings"
	"testing"
)

func TestClosingLineCountsWhatHappened(t *testing.T) {
	cases := []struct {
		name, events, want string
		shown              []string
	}{
		{
			name: "passes and skips",
			events: `{"Action":"pass","Package":"p","Test":"A"}
{"Action":"output","Package":"p","Test":"B","Output":"    b_test.go:3: needs root\n"}
{"Action":"output","Package":"p","Test":"B","Output":"--- SKIP: B (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"B"}
{"Action":"pass","Package":"p"}
`,
			want:  "1 passed, 0 failed, 1 skipped",
			shown: []string{"p B: b_test.go:3: needs root", "ok    p"},
		},
		{
			name: "a failure shows its output",
			events: `{"Action":"output","Package":"p","Test":"A","Output":"got 1, want 2\n"}
{"Action":"fail","Package":"p","Test":"A"}
{"Action":"fail","Package":"p"}
`,
			want:  "0 passed, 1 failed, 0 skipped",
			shown: []string{"FAIL p A", "got 1, want 2"},
		},
		{
			name: "a panic outside of tests is a failure",
			events: `{"Action":"output","Package":"p","Output":"panic: oh\n"}
{"Action":"fail","Package":"p"}
`,
			want:  "0 passed, 1 failed, 0 skipped",
			shown: []string{"panic: oh"},
		},
		{
			name: "a package that does not build is a failure",
			events: `{"ImportPath":"p","Action":"build-output","Output":"p.go:1: no\n"}
{"ImportPath":"p","Action":"build-fail"}
{"Action":"fail","Package":"p","FailedBuild":"p"}
`,
			want:  "0 passed, 1 failed, 0 skipped",
			shown: []string{"did not build: p", "p.go:1: no"},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			s := newSummary(&out)
			if err := s.read(strings.NewReader(c.events)); err != nil {
				t.Fatal(err)
			}
			s.print()
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			if last := lines[len(lines)-1]; last != c.want {
				t.Errorf("closing line %q, want %q", last, c.want)
			}
			for _, text := range c.shown {
				if !strings.Contains(out.String(), text) {
					t.Errorf("%q is not shown in:\n%s", text, out.String())
				}
			}
		})
	}
}

func TestArgumentsAreSplitIntoRuns(t *testing.T) {
	got := split([]string{"./...", "--", "-race", "./ipc"})
	want := [][]string{{"./..."}, {"-race", "./ipc"}}
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestOutputIsBounded(t *testing.T) {
	s := newSummary(&strings.Builder{})
	for range 3 {
		s.keep(event{Package: "p", Test: "A", Output: strings.Repeat("x", maxOutput)})
	}
	if n := s.output["p A"].Len(); n < maxOutput || n > maxOutput+100 {
		t.Errorf("kept %d bytes, want about %d", n, maxOutput)
	}
}

func TestUnsteadyTestsAreSaidAndDoNotFail(t *testing.T) {
	const failed = `{"Action":"fail","Package":"p","Test":"A/b"}
{"Action":"fail","Package":"p","Test":"A"}
{"Action":"fail","Package":"p","Test":"C"}
`
	cases := []struct {
		name, events, want string
		passes             []string
		asked              int
	}{
		{"both pass alone", failed, "3 passed, 0 failed, 0 skipped", []string{"A", "C"}, 2},
		{"one stays failed", failed, "2 passed, 1 failed, 0 skipped", []string{"A"}, 2},
		{"a race is final", `{"Action":"output","Package":"p","Test":"D","Output":"WARNING: DATA RACE\n"}
{"Action":"fail","Package":"p","Test":"D"}
` + failed, "0 passed, 4 failed, 0 skipped", []string{"A", "C", "D"}, 0},
		{"a panic is final", `{"Action":"output","Package":"p","Test":"D","Output":"=== RUN D\npanic: oh\n"}
{"Action":"fail","Package":"p","Test":"D"}
`, "0 passed, 1 failed, 0 skipped", []string{"D"}, 0},
		{"a broken package is final", failed + `{"Action":"fail","Package":"q"}
`, "0 passed, 4 failed, 0 skipped", []string{"A", "C"}, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			s := newSummary(&out)
			s.begin()
			if err := s.read(strings.NewReader(c.events)); err != nil {
				t.Fatal(err)
			}
			asked := 0
			s.again(func(f failure) bool {
				asked++
				return slices.Contains(c.passes, f.name)
			})
			s.print()
			if !strings.HasSuffix(out.String(), "\n"+c.want+"\n") || asked != c.asked {
				t.Errorf("asked %d times, want %d; want the end %q of:\n%s", asked, c.asked, c.want, &out)
			}
			if said := strings.Contains(out.String(), "unsteady"); said != (c.asked > 0) {
				t.Errorf("unsteady tests are said: %t in:\n%s", said, &out)
			}
		})
	}
}

func TestManyFailuresAreNotTriedAgain(t *testing.T) {
	s := newSummary(&strings.Builder{})
	for i := range maxAgain + 1 {
		s.add(event{Action: "fail", Package: "p", Test: string(rune('A' + i))})
	}
	s.again(func(failure) bool { t.Error("tried again"); return true })
	if s.failed != maxAgain+1 {
		t.Errorf("%d failed", s.failed)
	}
}
