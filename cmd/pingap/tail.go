package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"pingap/cmd/pingap/internal/top"
)

func tailVerb() verb {
	return verb{
		name: "tail", summary: "Show requests as they end, of all workers.",
		help: `Usage: pingap tail [flags]

Prints a line for each request that ends and that the flags want, of all workers,
those that finish what they had begun included. It needs no access log. Traffic
never waits for it: lines beyond --limit, and those that find no room on the way,
are dropped, and their number is printed to standard error. What
basic.log_redact_headers and basic.log_redact_query hide is hidden here, too.

With --json each line is the object of the access log's format json, and has the
process in "pid". Lost lines are {"lost":N} then.
`,
		flags: []flagSpec{
			{long: "location", value: "NAME", set: text(func(o *options) *string { return &o.location }), help: "Only requests of this location."},
			{long: "status", value: "LIST", set: text(func(o *options) *string { return &o.status }),
				help: "Only these statuses: a comma list of 404, 5xx, 400-499, >=400, <400."},
			{long: "slow", value: "TIME", set: text(func(o *options) *string { return &o.slow }), help: "Only requests that took as long or longer, such as 100ms."},
			{long: "limit", value: "N", set: text(func(o *options) *string { return &o.limit }), help: "At most so many lines per second, up to 1000. Default 100."},
			{long: "json", set: on(func(o *options) *bool { return &o.json }), help: "Print JSON, an object a line."},
		},
		timeout: 30 * time.Second,
		run:     runTail,
	}
}

func runTail(ctx context.Context, c *call) int {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGPIPE)
	defer stop()
	q := url.Values{}
	for name, value := range map[string]string{"location": c.location, "status": c.status, "slow": c.slow, "limit": c.limit} {
		if value != "" {
			q.Set(name, value)
		}
	}
	colours := c.stdout == os.Stdout && top.IsTerminal(os.Stdout) && c.getenv("NO_COLOR") == ""
	err := c.eventsAgain(ctx, "/tail?"+q.Encode(), func(event string, data []byte) error { return c.printLine(event, data, colours) },
		func(err error) { fmt.Fprintf(c.stderr, "pingap: %v, trying again\n", err) })
	if err != nil {
		return c.failed(err)
	}
	return exitDone
}

// printLine prints an event.
func (c *call) printLine(event string, data []byte, colours bool) error {
	var err error
	switch {
	case event == "lost":
		var lost struct {
			Lines uint64 `json:"lines"`
		}
		if err := json.Unmarshal(data, &lost); err != nil {
			return fmt.Errorf("number of lost lines: %w", err)
		}
		if c.json {
			_, err = fmt.Fprintf(c.stdout, "{\"lost\":%d}\n", lost.Lines)
		} else {
			_, err = fmt.Fprintf(c.stderr, "pingap: %d lines are not shown\n", lost.Lines)
		}
	case event != "line":
	case c.json:
		_, err = fmt.Fprintf(c.stdout, "%s\n", data)
	default:
		var l line
		if err := json.Unmarshal(data, &l); err != nil {
			return fmt.Errorf("line: %w", err)
		}
		_, err = fmt.Fprintln(c.stdout, l.text(colours))
	}
	return err
}

// line is what the form for people shows of a line.
type line struct {
	Time         time.Time `json:"time"`
	Location     string    `json:"location"`
	ClientIP     string    `json:"client_ip"`
	Method       string    `json:"method"`
	Scheme       string    `json:"scheme"`
	Host         string    `json:"host"`
	URI          string    `json:"uri"`
	Proto        string    `json:"proto"`
	Status       int       `json:"status"`
	Size         int64     `json:"size"`
	Latency      float64   `json:"latency_ms"`
	Upstream     string    `json:"upstream"`
	UpstreamAddr string    `json:"upstream_addr"`
	Error        string    `json:"error"`
	PID          int       `json:"pid"`
}

// text is the line for people.
func (l *line) text(colours bool) string {
	status := "-"
	if l.Status != 0 {
		status = fmt.Sprint(l.Status)
	}
	parts := []string{l.Method, l.Scheme + "://" + l.Host + l.URI, fmt.Sprintf("%.1fms", l.Latency), fmt.Sprintf("%dB", l.Size),
		l.ClientIP, orDash(l.Location)}
	if l.Upstream != "" {
		parts = append(parts, "-> "+l.Upstream+" "+l.UpstreamAddr)
	}
	if l.Error != "" {
		parts = append(parts, l.Error)
	}
	if colours {
		status = colourOf(l.Status) + status + "\x1b[0m"
	}
	return l.Time.Local().Format("15:04:05.000") + " " + status + " " + top.Safe(strings.Join(parts, " "))
}

func colourOf(status int) string {
	switch {
	case status == 0 || status >= 500:
		return "\x1b[31m" // red
	case status >= 400:
		return "\x1b[33m" // yellow
	}
	return "\x1b[32m" // green
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
