package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"pingap/ipc"
)

func reopenVerb() verb {
	return verb{
		name: "reopen", summary: "Open the log files anew, after they were renamed.",
		help: `Usage: pingap reopen [flags]

Opens every log file anew and returns when no process writes to the old ones any
more, so that they can be compressed. When the control process does not answer,
the supervisor is told by signal, and that nobody waits for it is said.
`,
		flags:   []flagSpec{jsonFlag("paths, errors; without an answer of control signalled, the pid that was sent SIGUSR1.")},
		timeout: 10 * time.Second,
		run:     runReopen,
	}
}

func runReopen(ctx context.Context, c *call) int {
	answer, err := c.request(ctx, ipc.Reopen{})
	if errors.Is(err, errNoAnswer) || errors.Is(err, errNotRunning) {
		return c.signalReopen(err)
	}
	if err != nil {
		return c.failed(err)
	}
	r, ok := answer.(*ipc.Reopened)
	if !ok {
		return c.unexpected(answer)
	}
	if c.json {
		code := c.printJSON(struct {
			Paths  []string `json:"paths"`
			Errors []string `json:"errors"`
		}{orEmpty(r.Paths), orEmpty(r.Errors)})
		if len(r.Errors) > 0 {
			return exitFailed
		}
		return code
	}
	for _, path := range r.Paths {
		fmt.Fprintln(c.stdout, path)
	}
	for _, e := range r.Errors {
		fmt.Fprintf(c.stderr, "pingap: %s\n", e)
	}
	if len(r.Errors) > 0 {
		return exitFailed
	}
	return exitDone
}

// signalReopen goes past control, straight to the supervisor.
func (c *call) signalReopen(cause error) int {
	p, err := c.findProcess()
	if err != nil {
		return c.failed(cause)
	}
	defer p.close()
	if err := p.signal(syscall.SIGUSR1); err != nil {
		return c.failed(err)
	}
	fmt.Fprintf(c.stderr, "pingap: %v from control: sent SIGUSR1 to pid %d, not known when it is done\n", cause, p.pid)
	if c.json {
		return c.printJSON(map[string]int{"signalled": p.pid})
	}
	return exitDone
}
