package textdiff

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

func TestDifferences(t *testing.T) {
	ten := strings.Join([]string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", ""}, "\n")
	for _, c := range []struct{ name, before, after, want string }{
		{"none", "a\n", "a\n", ""},
		{"a new text", "", "a\nb\n", "--- /dev/null\n+++ f\n@@ -0,0 +1,2 @@\n+a\n+b\n"},
		{"a text less", "a\n", "", "--- f\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-a\n"},
		{"in the middle", ten, strings.Replace(ten, "\n7\n", "\nx\ny\n", 1), "--- f\n+++ f\n@@ -4,7 +4,8 @@\n 4\n 5\n 6\n-7\n+x\n+y\n 8\n 9\n 10\n"},
		{"at both ends", ten, strings.Replace(strings.Replace(ten, "1\n", "x\n", 1), "15\n", "y\n", 1),
			"--- f\n+++ f\n@@ -1,4 +1,4 @@\n-1\n+x\n 2\n 3\n 4\n@@ -12,4 +12,4 @@\n 12\n 13\n 14\n-15\n+y\n"},
		{"near each other", ten, strings.Replace(strings.Replace(ten, "\n4\n", "\nx\n", 1), "\n8\n", "\ny\n", 1),
			"--- f\n+++ f\n@@ -1,11 +1,11 @@\n 1\n 2\n 3\n-4\n+x\n 5\n 6\n 7\n-8\n+y\n 9\n 10\n 11\n"},
	} {
		if got := Unified("f", c.before, c.after); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

// apply makes the text after of the text before and a difference.
func apply(before, diff string) (string, error) {
	old := split(before)
	var out []string
	at := 0
	for line := range strings.Lines(diff) {
		line = strings.TrimSuffix(line, "\n")
		var from, n int
		switch {
		case strings.HasPrefix(line, "--- "), strings.HasPrefix(line, "+++ "):
		case strings.HasPrefix(line, "@@"):
			if _, err := fmt.Sscanf(line, "@@ -%d,%d", &from, &n); err != nil {
				return "", err
			}
			if n > 0 {
				from--
			}
			out = append(out, old[at:from]...)
			at = from
		case line[0] == '+':
			out = append(out, line[1:])
		default:
			if at >= len(old) || old[at] != line[1:] {
				return "", fmt.Errorf("line %d is not %q", at, line)
			}
			if at++; line[0] == ' ' {
				out = append(out, line[1:])
			}
		}
	}
	return strings.Join(append(out, old[at:]...), "\n"), nil
}

func TestADifferenceMakesOneTextOfTheOther(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var before, after []string
		for range random.IntN(40) {
			before = append(before, strconv.Itoa(random.IntN(6)))
		}
		for _, line := range before {
			switch random.IntN(8) {
			case 0:
			case 1:
				after = append(after, "n", line)
			default:
				after = append(after, line)
			}
		}
		a, b := strings.Join(before, "\n"), strings.Join(after, "\n")
		got, err := apply(a, Unified("f", a, b))
		if err != nil || got != b {
			t.Fatalf("%q to %q gives %q, %v:\n%s", a, b, got, err, Unified("f", a, b))
		}
	}
}

func TestWhatDiffersTooMuchIsShownAsReplaced(t *testing.T) {
	var a, b []string
	for i := range 5000 {
		a, b = append(a, fmt.Sprint("a", i)), append(b, fmt.Sprint("b", i))
	}
	before, after := strings.Join(a, "\n"), strings.Join(b, "\n")
	got, err := apply(before, Unified("f", before, after))
	if err != nil || got != after {
		t.Error(err)
	}
}
