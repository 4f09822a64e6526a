package main

import (
	"context"
	"fmt"
	"time"

	"pingap/config"
	"pingap/ipc"
)

func reloadVerb() verb {
	return verb{
		name: "reload", summary: "Load the configuration again and apply what changed.",
		help: `Usage: pingap reload [flags]

Loads and checks the configuration again. It becomes live in all workers or in
none; the answer says which version is live, or every error, or which worker
refused it and why. A refused configuration changes nothing.
`,
		flags: []flagSpec{
			{long: "wait", set: on(func(o *options) *bool { return &o.wait }),
				help: "Return once the change is live, or with the reason why not. It does so without, too."},
			jsonFlag(appliedFields),
		},
		timeout: time.Minute,
		run:     runReload,
	}
}

func runReload(ctx context.Context, c *call) int {
	return c.apply(ctx, ipc.Reload{Wait: true})
}

// apply asks for a configuration to be made live and prints what came of it.
func (c *call) apply(ctx context.Context, request ipc.Body) int {
	answer, err := c.request(ctx, request)
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
	for _, w := range a.Warnings {
		fmt.Fprintf(c.stderr, "warning: %s\n", w)
	}
	if a.Unchanged {
		fmt.Fprintf(c.stdout, "unchanged: version %d (%s)\n", a.Version, short(a.SHA))
		return exitDone
	}
	fmt.Fprintf(c.stdout, "applied: version %d (%s), %s, %d changes, %d workers, %s\n",
		a.Version, short(a.SHA), config.Class(highest(a.Changes)), len(a.Changes), a.Workers, a.Took.Round(time.Millisecond))
	for _, ch := range a.Changes {
		fmt.Fprintf(c.stdout, "  %-9s %s\n", config.Class(ch.Class), ch.Object)
	}
	return exitDone
}

// highest is the class of all changes together.
func highest(changes []ipc.Change) ipc.Class {
	class := ipc.ClassSame
	for _, c := range changes {
		class = max(class, c.Class)
	}
	return class
}

// short is the part of a sha that people compare.
func short(sha string) string {
	if len(sha) > 12 {
		return sha[:12]
	}
	return sha
}
