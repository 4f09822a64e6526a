package main

import (
	"context"
	"time"

	"pingap/ipc"
)

func rollbackVerb() verb {
	return verb{
		name: "rollback", summary: "Make a configuration live again that was live before.",
		help: `Usage: pingap rollback [N] [flags]

Applies version N of pingap config list, without a number the one before the
live one, exactly as reload applies the source: in all workers or in none. It
gets a new number. Live and source then differ, and pingap status says so: what
was rolled back to stays live, over restarts too, until the source changes and
is applied by --autoreload or at a start, or until pingap reload asks for it.
`,
		flags: []flagSpec{
			{long: "wait", set: on(func(o *options) *bool { return &o.wait }),
				help: "Return only after workers that the change replaced have ended, too. A hot change replaces none."},
			jsonFlag(appliedFields),
		},
		arguments: true,
		timeout:   time.Minute,
		run:       runRollback,
	}
}

func runRollback(ctx context.Context, c *call) int {
	b := ipc.Rollback{Wait: true}
	if len(c.rest) > 1 {
		return c.fail(usagef("rollback takes one number at most, found %q", c.rest))
	}
	if len(c.rest) == 1 {
		var err error
		if b.Version, err = versionNumber(c.rest[0]); err != nil {
			return c.fail(err)
		}
	}
	return c.apply(ctx, b)
}
