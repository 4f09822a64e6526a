package textdiff

import (
	"fmt"
	"slices"
	"strings"
)

const (
	context  = 3   // lines around what differs
	maxSteps = 500 // lines that differ, beyond which the rest is shown as replaced
)

// run is a stretch of lines: kept ones are in both texts.
type run struct {
	kept       bool
	a, b       int // first line in either text
	lenA, lenB int
}

// Unified is the difference of two texts under a name; empty where there is none. A text that is not there is empty.
func Unified(name, before, after string) string {
	if before == after {
		return ""
	}
	a, b := split(before), split(after)
	var out strings.Builder
	fmt.Fprintf(&out, "--- %s\n+++ %s\n", title(name, before), title(name, after))
	runs := compare(a, b)
	for n := 0; len(runs) > 0; runs = runs[n-1:] { // what ends one hunk begins the next
		n = hunk(runs)
		write(&out, a, b, slices.Clone(runs[:n]))
		if n == len(runs) {
			break
		}
	}
	return out.String()
}

func title(name, text string) string {
	if text == "" {
		return "/dev/null"
	}
	return name
}

func split(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// hunk is how many runs belong together: those with few kept lines between them.
func hunk(runs []run) int {
	for i := 1; i < len(runs); i++ {
		if runs[i].kept && (i == len(runs)-1 || runs[i].lenA > 2*context) {
			return i + 1
		}
	}
	return len(runs)
}

// write prints one hunk. Its first and last run may be kept lines, of which only some are shown.
func write(out *strings.Builder, a, b []string, runs []run) {
	first, last := runs[0], runs[len(runs)-1]
	if first.kept {
		skip := max(0, first.lenA-context)
		runs[0] = run{kept: true, a: first.a + skip, b: first.b + skip, lenA: first.lenA - skip, lenB: first.lenB - skip}
	}
	if last.kept && len(runs) > 1 {
		runs[len(runs)-1].lenA, runs[len(runs)-1].lenB = min(context, last.lenA), min(context, last.lenB)
	}
	lenA, lenB := 0, 0
	for _, r := range runs {
		lenA, lenB = lenA+r.lenA, lenB+r.lenB
	}
	fmt.Fprintf(out, "@@ -%s +%s @@\n", place(runs[0].a, lenA), place(runs[0].b, lenB))
	for _, r := range runs {
		if r.kept {
			lines(out, " ", a[r.a:r.a+r.lenA])
			continue
		}
		lines(out, "-", a[r.a:r.a+r.lenA])
		lines(out, "+", b[r.b:r.b+r.lenB])
	}
}

func place(first, n int) string {
	if n == 0 {
		return fmt.Sprintf("%d,0", first)
	}
	return fmt.Sprintf("%d,%d", first+1, n)
}

func lines(out *strings.Builder, mark string, all []string) {
	for _, line := range all {
		out.WriteString(mark + line + "\n")
	}
}

// compare gives the runs of two texts in order.
func compare(a, b []string) []run {
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	var j joiner
	j.add(run{kept: true, a: 0, b: 0, lenA: head, lenB: head})
	for _, r := range middle(a[head:len(a)-tail], b[head:len(b)-tail]) {
		r.a, r.b = r.a+head, r.b+head
		j.add(r)
	}
	j.add(run{kept: true, a: len(a) - tail, b: len(b) - tail, lenA: tail, lenB: tail})
	return j.runs
}

// joiner joins runs of one sort.
type joiner struct{ runs []run }

func (j *joiner) add(r run) {
	if r.lenA == 0 && r.lenB == 0 {
		return
	}
	if n := len(j.runs); n > 0 && j.runs[n-1].kept == r.kept {
		j.runs[n-1].lenA += r.lenA
		j.runs[n-1].lenB += r.lenB
		return
	}
	j.runs = append(j.runs, r)
}

// middle compares what has neither beginning nor end in common, by the greedy algorithm of Myers: round d knows how far one comes with d lines that
// differ, on each diagonal x-y.
func middle(a, b []string) []run {
	n, m := len(a), len(b)
	whole := []run{{lenA: n, lenB: m}}
	if n == 0 || m == 0 {
		return whole
	}
	limit := min(n+m, maxSteps)
	furthest := make([]int, 2*limit+3)
	at := func(k int) *int { return &furthest[k+limit+1] }
	var rounds [][]int // of each round, what was known before it
	for d := 0; d <= limit; d++ {
		rounds = append(rounds, append([]int(nil), furthest[limit+1-d-1:limit+1+d+2]...))
		for k := -d; k <= d; k += 2 {
			x := *at(k - 1) + 1
			if k == -d || k != d && *at(k - 1) < *at(k + 1) {
				x = *at(k + 1)
			}
			for x < n && x-k < m && x-k >= 0 && a[x] == b[x-k] {
				x++
			}
			*at(k) = x
			if x >= n && x-k >= m {
				return trace(rounds, n, m)
			}
		}
	}
	return whole
}

// trace walks back from the end to the beginning.
func trace(rounds [][]int, x, y int) []run {
	var steps []run // the last first
	for d := len(rounds) - 1; d >= 0; d-- {
		known := func(k int) int { return rounds[d][k+d+1] }
		k := x - y
		before := k - 1
		if k == -d || k != d && known(k-1) < known(k+1) {
			before = k + 1
		}
		fromX := known(before)
		fromY := fromX - before
		if d == 0 {
			fromX, fromY = 0, 0
		}
		for x > fromX && y > fromY && (d > 0 || x > 0) {
			x, y = x-1, y-1
			steps = append(steps, run{kept: true, a: x, b: y, lenA: 1, lenB: 1})
		}
		if d == 0 {
			break
		}
		steps = append(steps, run{a: fromX, b: fromY, lenA: x - fromX, lenB: y - fromY})
		x, y = fromX, fromY
	}
	var j joiner
	for i := len(steps) - 1; i >= 0; i-- {
		j.add(steps[i])
	}
	return j.runs
}
