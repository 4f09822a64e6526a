package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"pingap/control/endpoints"
	"pingap/ipc"
)

// waitPause is between two looks at the requests in flight: they are counters in shared memory, nobody tells of their end.
const waitPause = 100 * time.Millisecond

func upstreamVerb() verb {
	return verb{
		name: "upstream", summary: "List the backends, take one out of service or back in.",
		help: `Usage: pingap upstream list [NAME] [--json]
       pingap upstream drain NAME ADDR [--wait] [--json]
       pingap upstream down NAME ADDR [--wait] [--json]
       pingap upstream up NAME ADDR [--json]

list prints the backends of each upstream, or of one: health with its reason and
since when, what an operator wants of it, breaker and ejection, and the requests
that all workers have at it.

drain sends a backend no new requests but those of clients that stick to it by a
cookie, down none at all. Requests that it has are finished. Both hold over
applies, rolls, upgrades, restarts and crashes, until up, or until the backend
has been in no list for a day. ADDR is as list prints it. The command returns
when all workers know.
`,
		flags: []flagSpec{
			{long: "json", set: on(func(o *options) *bool { return &o.json }), help: "Print JSON: of list all that is known, times in nanoseconds; of the others upstream, address, admin, before (what it was), absent, problem."},
			{long: "wait", set: on(func(o *options) *bool { return &o.wait }), help: "Return only when the backend has no more requests."},
		},
		arguments: true,
		timeout:   30 * time.Second,
		run:       runUpstream,
	}
}

// admins are the words of the command line for what is wanted of a backend.
func admins() map[string]ipc.Admin {
	return map[string]ipc.Admin{"drain": ipc.AdminDrain, "down": ipc.AdminDown, "up": ipc.AdminUp}
}

func runUpstream(ctx context.Context, c *call) int {
	if len(c.rest) == 0 {
		return c.fail(usagef("upstream needs list, drain, up or down"))
	}
	admin, known := admins()[c.rest[0]]
	switch {
	case c.rest[0] == "list" && len(c.rest) <= 2 && !c.wait:
		b := ipc.ConfigRead{What: ipc.ConfigUpstreams}
		if len(c.rest) == 2 {
			b.Name = c.rest[1]
		}
		return printDocument[endpoints.List](ctx, c, b)
	case known && len(c.rest) == 3:
		return c.admin(ctx, ipc.UpstreamAdmin{Upstream: c.rest[1], Address: c.rest[2], Admin: admin})
	}
	return c.fail(usagef("upstream needs list [NAME], or drain, up or down with NAME and ADDR, found %q", c.rest))
}

// admin asks for a change of one backend.
func (c *call) admin(ctx context.Context, b ipc.UpstreamAdmin) int {
	begun := time.Now()
	answer, err := c.request(ctx, b)
	if err != nil {
		return c.failed(err)
	}
	changed, ok := answer.(*ipc.UpstreamChanged)
	if !ok {
		return c.unexpected(answer)
	}
	if c.printAdmin(&b, changed); changed.Problem != "" {
		fmt.Fprintf(c.stderr, "pingap: %s\n", changed.Problem)
		return exitTimeout
	}
	if !c.wait || b.Admin == ipc.AdminUp || changed.Absent {
		return exitDone
	}
	return c.emptied(ctx, b.Upstream, changed.Address, begun.Add(c.timeout))
}

// printAdmin says what has changed.
func (c *call) printAdmin(b *ipc.UpstreamAdmin, changed *ipc.UpstreamChanged) {
	word := c.rest[0]
	switch {
	case c.json:
		c.printJSON(struct {
			Upstream string `json:"upstream"`
			Address  string `json:"address"`
			Admin    string `json:"admin"`
			Before   string `json:"before"`
			Absent   bool   `json:"absent"`
			Problem  string `json:"problem"`
		}{b.Upstream, changed.Address, word, wordOf(changed.Before), changed.Absent, changed.Problem})
	case changed.Before == b.Admin:
		fmt.Fprintf(c.stdout, "unchanged: %s of %s is %s already\n", changed.Address, b.Upstream, word)
	case changed.Absent:
		fmt.Fprintf(c.stdout, "%s: %s of %s, which is in no list now\n", word, changed.Address, b.Upstream)
	default:
		fmt.Fprintf(c.stdout, "%s: %s of %s\n", word, changed.Address, b.Upstream)
	}
}

// wordOf is the word of the command line for what is wanted of a backend.
func wordOf(admin ipc.Admin) string {
	for word, a := range admins() {
		if a == admin {
			return word
		}
	}
	return ""
}

// emptied waits until a backend has no more requests.
func (c *call) emptied(ctx context.Context, upstream, address string, end time.Time) int {
	for {
		data, refused, err := c.document(ctx, ipc.ConfigRead{What: ipc.ConfigUpstreams, Name: upstream})
		if refused != nil {
			return c.unexpected(refused)
		}
		var l endpoints.List
		if err == nil {
			err = json.Unmarshal(data, &l)
		}
		if err != nil {
			return c.failed(err)
		}
		switch n, listed := inFlight(l, address); {
		case n == 0 || !listed:
			return exitDone
		case n < 0:
			return c.fail(fmt.Errorf("the requests of %s are not known: it has no record in the shared memory", address))
		case time.Now().After(end):
			fmt.Fprintf(c.stderr, "pingap: %s has %d requests still (%s)\n", address, n, c.timeout)
			return exitTimeout
		}
		time.Sleep(waitPause)
	}
}

// inFlight are the requests of a backend, and whether it is in the list.
func inFlight(l endpoints.List, address string) (n int64, listed bool) {
	for _, u := range l.Upstreams {
		at := slices.IndexFunc(u.Backends, func(b endpoints.Backend) bool { return b.Address == address && b.Absent.IsZero() })
		if at >= 0 {
			return u.Backends[at].InFlight, true
		}
	}
	return 0, false
}
