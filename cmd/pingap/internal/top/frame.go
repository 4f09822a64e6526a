package top

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"pingap/control/recent"
)

// screen is what whoever looks has asked for.
type screen struct {
	view    int
	sort    [4]int // column of each view
	reverse bool
	filter  string
	typing  bool // the filter is being typed
	help    bool
	paused  bool
	from    int // first row shown
	problem string

	width, height int
}

// Escape sequences (ECMA-48).
const (
	bold    = "\x1b[1m"
	inverse = "\x1b[7m"
	plain   = "\x1b[0m"
	erase   = "\x1b[K" // to the end of the line
)

const helpText = "1-4 Tab view  s sort  r reverse  / filter  Esc clear  arrows PgUp PgDn scroll  p pause  q quit"

// frame is the text of a screen, a line for each of its lines.
func (s *screen) frame(l *recent.Live) []string {
	lines := []string{bold + s.clip(headline(l, s)) + plain, s.clip(figures(l)), s.tabs()}
	switch {
	case s.problem != "":
		lines = append(lines, s.clip(Safe(s.problem)))
	case s.help:
		lines = append(lines, s.clip(helpText))
	case s.typing || s.filter != "":
		lines = append(lines, s.clip("filter: "+Safe(s.filter)))
	default:
		lines = append(lines, "")
	}
	t := tableOf(Views()[s.view], l)
	t.filter(s.filter)
	t.sort(s.sort[s.view], s.reverse)
	room := max(s.height-len(lines)-1, 1)
	s.from = max(0, min(s.from, len(t.rows)-room))
	total := len(t.rows)
	t.rows = t.rows[s.from:min(total, s.from+room)]
	for i, line := range t.lines() {
		if i == 0 {
			line = inverse + pad(s.clip(line), s.width) + plain
		} else {
			line = s.clip(line)
		}
		lines = append(lines, line)
	}
	return lines[:min(len(lines), max(s.height, 1))]
}

// headline says what this is and of when.
func headline(l *recent.Live, s *screen) string {
	state := ""
	if s.paused {
		state = "  paused"
	}
	return fmt.Sprintf("pingap top  %s%s  h help", time.UnixMilli(l.At).Format(time.TimeOnly), state)
}

// figures are the totals.
func figures(l *recent.Live) string {
	t := &l.Totals
	return fmt.Sprintf("%s req/s  %s err/s  p50 %s  p90 %s  p99 %s ms  %d under way  %d connections  in %s/s  out %s/s  2xx %s  3xx %s  4xx %s  5xx %s",
		rate(t.RPS).text, rate(t.Errors).text, millis(t.P50).text, millis(t.P90).text, millis(t.P99).text, t.Processing, t.Connections, size(t.BytesIn).text, size(t.BytesOut).text,
		rate(t.Status.Success).text, rate(t.Status.Redirect).text, rate(t.Status.ClientError).text, rate(t.Status.ServerError).text)
}

// tabs are the names of the views.
func (s *screen) tabs() string {
	var b strings.Builder
	width := 0
	for i, name := range Views() {
		tab := fmt.Sprintf(" %d %s ", i+1, name)
		if width += len(tab); width > s.width {
			break
		}
		if i == s.view {
			tab = inverse + tab + plain
		}
		b.WriteString(tab)
	}
	return b.String()
}

// lines are the table as text, the names of columns first. Texts stand to the left, numbers to the right.
func (t *table) lines() []string {
	widths := make([]int, len(t.names))
	for i, name := range t.names {
		widths[i] = len(name)
		for _, row := range t.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i].text))
		}
	}
	var lines []string
	line := func(of func(i int) (string, bool)) {
		var b strings.Builder
		for i, width := range widths {
			if i > 0 {
				b.WriteString("  ")
			}
			content, left := of(i)
			space := strings.Repeat(" ", width-utf8.RuneCountInString(content))
			if left {
				b.WriteString(content + space)
			} else {
				b.WriteString(space + content)
			}
		}
		lines = append(lines, strings.TrimRight(b.String(), " "))
	}
	line(func(i int) (string, bool) { return t.names[i], i == 0 || len(t.rows) > 0 && t.rows[0][i].isText })
	for _, row := range t.rows {
		line(func(i int) (string, bool) { return row[i].text, row[i].isText })
	}
	return lines
}

// clip makes a line fit.
func (s *screen) clip(line string) string {
	if s.width <= 0 || utf8.RuneCountInString(line) <= s.width {
		return line
	}
	return string([]rune(line)[:s.width])
}

func pad(line string, width int) string {
	return line + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(line)))
}

// Print writes the totals and a view, or all of them where its name is empty.
func Print(w io.Writer, l *recent.Live, view string) error {
	if _, err := fmt.Fprintln(w, figures(l)); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	for _, name := range Views() {
		if view != "" && name != view {
			continue
		}
		t := tableOf(name, l)
		if name != "workers" {
			t.sort(usualSort(name), false)
		}
		if _, err := fmt.Fprintf(w, "\n%s\n", strings.Join(t.lines(), "\n")); err != nil {
			return fmt.Errorf("print: %w", err)
		}
	}
	return nil
}

// usualSort is the column that a view is sorted by at first: requests, or the name.
func usualSort(view string) int {
	if view == "locations" || view == "upstreams" {
		return 1
	}
	return 0
}
