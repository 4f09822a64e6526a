package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"pingap/ipc"
)

// Bounds of stop: how long control may take to answer before the supervisor is
// signalled, and what is added to the instance's own limit.
const (
	stopAnswer = 5 * time.Second
	stopMargin = 10 * time.Second
	// stopUnknown stands for the instance's limit when it could not say it.
	stopUnknown = 5 * time.Minute
)

func stopVerb() verb {
	return verb{
		name: "stop", summary: "Finish the requests in flight and end.",
		help: `Usage: pingap stop [flags]

Stops accepting, lets requests in flight finish within basic.grace_period, and
returns when the instance has ended. When the control process does not answer,
the supervisor is told by signal. Without --timeout it waits as long as the
instance allows itself.
`,
		flags: []flagSpec{
			{long: "fast", set: on(func(o *options) *bool { return &o.fast }), help: "Do not wait for requests in flight."},
			jsonFlag("stopped, and took_ms."),
		},
		run: runStop,
	}
}

func runStop(ctx context.Context, c *call) int {
	began := time.Now()
	p, perr := c.findProcess()
	if perr == nil {
		defer p.close()
	}
	limit, err := c.askStop(ctx)
	if err != nil && (perr != nil || !signalHelps(err)) {
		return c.failed(err)
	}
	if err != nil {
		if serr := p.stop(c.fast); serr != nil {
			return c.failed(serr)
		}
		fmt.Fprintf(c.stderr, "pingap: %v from control: told pid %d by signal\n", err, p.pid)
		limit = stopUnknown
	}
	if perr != nil {
		// It is stopping, but there is no pid to wait for.
		return c.failed(perr)
	}
	if c.timeout == 0 {
		c.timeout = limit + stopMargin
	}
	if err := p.wait(c.timeout); err != nil {
		return c.failed(err)
	}
	if c.json {
		return c.printJSON(struct {
			Stopped bool  `json:"stopped"`
			Took    int64 `json:"took_ms"`
		}{true, time.Since(began).Milliseconds()})
	}
	fmt.Fprintln(c.stdout, "stopped")
	return exitDone
}

// askStop asks by the control socket and returns how long the end may take.
func (c *call) askStop(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, stopAnswer)
	defer cancel()
	i, err := c.connect(ctx)
	if err != nil {
		return 0, err
	}
	defer i.conn.Close()
	answer, err := i.ask(ctx, ipc.Stop{Fast: c.fast})
	if err != nil {
		return 0, err
	}
	switch a := answer.(type) {
	case *ipc.Stopping:
		return a.Timeout, nil
	case *ipc.Refused:
		return 0, errors.New("refused: " + refusal(a))
	}
	return 0, fmt.Errorf("unexpected answer %s", answer.Type())
}

// signalHelps tells a silent control from one that said no.
func signalHelps(err error) bool {
	return errors.Is(err, errNoAnswer) || errors.Is(err, errNotRunning) || errors.Is(err, errHungUp)
}

// stop sends the signals that mean stop: a second one means fast.
func (p *process) stop(fast bool) error {
	if err := p.signal(syscall.SIGTERM); err != nil || !fast {
		return err
	}
	return p.signal(syscall.SIGTERM)
}
