package top

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"pingap/control/recent"
)

// Views are the names of the tables, in their order.
func Views() []string { return []string{"locations", "upstreams", "backends", "workers"} }

// cell is what a table shows in one place: a text, or a number that it is sorted by.
type cell struct {
	text   string
	number float64
	isText bool
}

// table is a view of a moment.
type table struct {
	names []string // of columns
	rows  [][]cell
}

// tableOf is the table of a view.
func tableOf(view string, l *recent.Live) table {
	switch view {
	case "upstreams":
		return upstreams(l)
	case "backends":
		return backends(l)
	case "workers":
		return workers(l)
	}
	return locations(l)
}

func locations(l *recent.Live) table {
	t := table{names: []string{"LOCATION", "REQ/S", "ERR/S", "P50 MS", "P90 MS", "P99 MS", "UNDER WAY", "OUT/S"}}
	for i := range l.Locations {
		o := &l.Locations[i]
		t.rows = append(t.rows, []cell{text(o.Name), rate(o.RPS), rate(o.Errors), millis(o.P50), millis(o.P90), millis(o.P99), count(o.Processing), size(o.BytesOut)})
	}
	return t
}

func upstreams(l *recent.Live) table {
	t := table{names: []string{"UPSTREAM", "REQ/S", "ERR/S", "P50 MS", "P90 MS", "P99 MS", "CONNECTIONS", "HEALTHY", "BACKENDS"}}
	for i := range l.Upstreams {
		o := &l.Upstreams[i]
		t.rows = append(t.rows, []cell{text(o.Name), rate(o.RPS), rate(o.Errors), millis(o.P50), millis(o.P90), millis(o.P99), count(o.Connections), count(o.Healthy), count(o.Total)})
	}
	return t
}

func backends(l *recent.Live) table {
	t := table{names: []string{"BACKEND", "UPSTREAM", "HEALTHY", "STATE", "SINCE", "IN FLIGHT", "LAST ERROR"}}
	for i := range l.Upstreams {
		for _, b := range l.Upstreams[i].Backends {
			healthy, since, flying := "yes", text("-"), cell{text: "-", number: -1}
			if !b.Healthy {
				healthy = "no"
			}
			if b.Since != nil {
				since = text(b.Since.Local().Format(time.DateTime))
			}
			if b.InFlight != nil {
				flying = count(*b.InFlight)
			}
			t.rows = append(t.rows, []cell{text(b.Addr), text(l.Upstreams[i].Name), text(healthy), text(b.State), since, flying, text(b.LastError)})
		}
	}
	return t
}

func workers(l *recent.Live) table {
	t := table{names: []string{"PROCESS", "PID", "SLOT", "GEN", "STATE", "CPU %", "MEMORY", "CONNECTIONS", "REQUESTS", "UPTIME"}}
	for i := range l.Processes {
		p := &l.Processes[i]
		up := time.Duration(p.Uptime) * time.Millisecond
		row := []cell{text(p.Kind), count(p.PID), count(p.Slot), count(p.Generation), text(p.State), rate(p.CPU), size(recent.Figure(p.Memory)), count(p.Connections),
			count(p.Requests), {text: up.Round(time.Second).String(), number: float64(up)}}
		if p.Kind != "worker" {
			for _, at := range []int{2, 3, 7, 8} {
				row[at] = cell{text: "-", number: -1}
			}
		}
		t.rows = append(t.rows, row)
	}
	return t
}

func text(s string) cell { return cell{text: Safe(s), isText: true} }

func count[T int | int64 | uint64](n T) cell { return cell{text: fmt.Sprint(n), number: float64(n)} }

func rate(f recent.Figure) cell { return figure(f, 1) }

func millis(f recent.Figure) cell {
	if f < 10 {
		return figure(f, 2)
	}
	return figure(f, 0)
}

func figure(f recent.Figure, decimals int) cell {
	if math.IsNaN(float64(f)) {
		return cell{text: "-", number: -1}
	}
	return cell{text: strconv.FormatFloat(float64(f), 'f', decimals, 64), number: float64(f)}
}

func size(f recent.Figure) cell {
	if math.IsNaN(float64(f)) {
		return cell{text: "-", number: -1}
	}
	n, unit := float64(f), 0
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	for n >= 1024 && unit < len(units)-1 {
		n, unit = n/1024, unit+1
	}
	decimals := 1
	if unit == 0 {
		decimals = 0
	}
	return cell{text: strconv.FormatFloat(n, 'f', decimals, 64) + " " + units[unit], number: float64(f)}
}

// Safe makes a text of others safe for a terminal.
func Safe(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '?'
		}
		return r
	}, s)
}

// sort sorts by a column: numbers from the largest on, texts from the first on, or the other way round. What is alike stays in its order.
func (t *table) sort(column int, reverse bool) {
	if column < 0 || column >= len(t.names) {
		return
	}
	slices.SortStableFunc(t.rows, func(a, b []cell) int {
		order := cmp.Compare(b[column].number, a[column].number)
		if a[column].isText {
			order = cmp.Compare(a[column].text, b[column].text)
		}
		if reverse {
			return -order
		}
		return order
	})
}

// filter leaves the rows that have a text in one of their texts.
func (t *table) filter(part string) {
	if part == "" {
		return
	}
	part = strings.ToLower(part)
	t.rows = slices.DeleteFunc(t.rows, func(row []cell) bool {
		return !slices.ContainsFunc(row, func(c cell) bool { return c.isText && strings.Contains(strings.ToLower(c.text), part) })
	})
}
