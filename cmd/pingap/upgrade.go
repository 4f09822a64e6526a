package main

import (
	"context"
	"fmt"
	"time"

	"pingap/ipc"
)

func upgradeVerb() verb {
	return verb{
		name: "upgrade", summary: "Hand everything over to the binary that is installed now.",
		help: `Usage: pingap upgrade [flags]

Starts the binary that now stands where the running one was started from. It is
tried first; then it takes over sockets, workers and counters from the running
supervisor, which ends. If it is another build, fresh workers follow. A binary
that does not work changes nothing. SIGUSR2 to the supervisor does the same.
`,
		flags: []flagSpec{
			{long: "wait", set: on(func(o *options) *bool { return &o.wait }),
				help: "Return once workers of the new build accept, and print what became of the connections so far."},
			jsonFlag("pid, build, took_ms; with --wait also records, as pingap history has them."),
		},
		timeout: 2 * time.Minute,
		run:     runUpgrade,
	}
}

func runUpgrade(ctx context.Context, c *call) int {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	began := time.Now()
	answer, err := c.request(ctx, ipc.Upgrade{})
	if err != nil {
		return c.failed(err)
	}
	a, ok := answer.(*ipc.Upgraded)
	if !ok {
		return c.unexpected(answer)
	}
	if !c.wait {
		return c.printUpgraded(a, nil)
	}
	if !c.json {
		c.printUpgraded(a, nil) // at once: the rest may take a while
	}
	return c.awaitBuild(ctx, a, began)
}

// lookAgain is the pause between two looks at the new supervisor.
const lookAgain = 50 * time.Millisecond

// awaitBuild waits until nothing is under way any more, and prints the ledger since then.
func (c *call) awaitBuild(ctx context.Context, up *ipc.Upgraded, began time.Time) int {
	for {
		answer, err := c.request(ctx, ipc.StatusRequest{})
		all, ok := answer.(*ipc.StatusAll)
		switch {
		case err == nil && ok && all.Settled && (supervisorOf(all) == up.PID || all.Build == up.Build): // or one after it
			return c.printSince(ctx, up, began)
		case err == nil && ok && len(all.Degraded) > 0 && all.LastApply != nil && all.LastApply.Error != "":
			fmt.Fprintf(c.stderr, "pingap: the new supervisor keeps the workers of the build before: %s\n", all.LastApply.Error)
			return exitFailed
		}
		select {
		case <-ctx.Done():
			return c.failed(errNoAnswer)
		case <-time.After(lookAgain):
		}
	}
}

func supervisorOf(all *ipc.StatusAll) int {
	for _, p := range all.Processes {
		if p.Kind == ipc.RoleSupervisor {
			return p.PID
		}
	}
	return 0
}

// printUpgraded says who the supervisor is now.
func (c *call) printUpgraded(a *ipc.Upgraded, records []ipc.Record) int {
	if c.json {
		return c.printJSON(struct {
			PID     int          `json:"pid"`
			Build   string       `json:"build"`
			Took    int64        `json:"took_ms"`
			Records []ipc.Record `json:"records,omitempty"`
		}{a.PID, a.Build, a.Took.Milliseconds(), records})
	}
	fmt.Fprintf(c.stdout, "upgraded: pid %d, build %s, %s\n", a.PID, short(a.Build), a.Took.Round(time.Millisecond))
	return exitDone
}

func (c *call) printSince(ctx context.Context, up *ipc.Upgraded, since time.Time) int {
	answer, err := c.request(ctx, ipc.HistoryRequest{})
	if err != nil {
		return c.failed(err)
	}
	h, ok := answer.(*ipc.History)
	if !ok {
		return c.unexpected(answer)
	}
	var recent []ipc.Record
	for _, r := range h.Records {
		if !r.At.Before(since) {
			recent = append(recent, r)
		}
	}
	if c.json {
		return c.printUpgraded(up, recent)
	}
	printRecords(c.stdout, recent)
	return exitDone
}
