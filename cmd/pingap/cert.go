package main

import (
	"context"
	"time"

	"pingap/control/inventory"
	"pingap/ipc"
)

func certVerb() verb {
	return verb{
		name: "cert", summary: "List the certificates, when they end, and how those of a CA are.",
		help: `Usage: pingap cert list [--json]

Prints each certificate of the live configuration: where it comes from (file,
inline, acme), when it ends, and for those that a CA issues when the next attempt
is, why the last one failed, and DNS records that somebody has to set by hand.
`,
		flags:     []flagSpec{{long: "json", set: on(func(o *options) *bool { return &o.json }), help: "Print JSON."}},
		arguments: true,
		timeout:   30 * time.Second,
		run:       runCert,
	}
}

func runCert(ctx context.Context, c *call) int {
	if len(c.rest) != 1 || c.rest[0] != "list" {
		return c.fail(usagef("cert needs list, found %q", c.rest))
	}
	return printDocument[inventory.List](ctx, c, ipc.ConfigRead{What: ipc.ConfigCertificates})
}
