package main

import (
	"context"
	"fmt"
	"time"

	"pingap/ipc"
)

func rollVerb() verb {
	return verb{
		name: "roll", summary: "Replace the workers by fresh ones on the same configuration.",
		help: `Usage: pingap roll [flags]

Starts fresh workers on what is live, beside those there are. Once all of them
accept, the old ones finish what they have. If one does not come up, the old ones
never notice. SIGWINCH to the supervisor does the same.
`,
		flags: []flagSpec{
			{long: "wait", set: on(func(o *options) *bool { return &o.wait }), help: "Return once the fresh workers accept, or with the reason why not. It does so without, too."},
			jsonFlag(appliedFields),
		},
		timeout: time.Minute,
		run:     runRoll,
	}
}

func runRoll(ctx context.Context, c *call) int {
	answer, err := c.request(ctx, ipc.Roll{Wait: true})
	if err != nil {
		return c.failed(err)
	}
	a, ok := answer.(*ipc.Applied)
	if !ok {
		return c.unexpected(answer)
	}
	if c.json {
		return c.printJSON(newApplied(a))
	}
	fmt.Fprintf(c.stdout, "rolled: %d workers on version %d, %s\n", a.Workers, a.Version, a.Took.Round(time.Millisecond))
	return exitDone
}
