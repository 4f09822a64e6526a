package main

import (
	"context"
	"fmt"
	"time"
)

// verb is a request to a running instance: one file each, with its help text.
type verb struct {
	name, summary, help string
	flags               []flagSpec
	arguments           bool          // it takes some
	timeout             time.Duration // default of --timeout; 0 leaves it to the verb
	run                 func(ctx context.Context, c *call) int
}

// call is one use of a verb.
type call struct {
	surroundings
	*options
	rest []string
}

func verbs() []verb {
	return []verb{reloadVerb(), rollbackVerb(), rollVerb(), upgradeVerb(), configVerb(), certVerb(), upstreamVerb(), explainVerb(), statusVerb(), topVerb(), tailVerb(), historyVerb(), reopenVerb(), stopVerb(), hashVerb(), helpVerb()}
}

func findVerb(name string) (verb, bool) {
	for _, v := range verbs() {
		if v.name == name {
			return v, true
		}
	}
	return verb{}, false
}

// runVerb handles rest, whose first element names the verb; o holds the flags
// in front of it.
func runVerb(o *options, rest []string, s surroundings) int {
	v, ok := findVerb(rest[0])
	if !ok {
		return s.fail(usagef("unknown command %q", rest[0]))
	}
	p := parser{flags: v.allFlags(), args: rest[1:], given: map[string]bool{}, opts: o}
	rest, err := p.words()
	if err == nil && o.runDir == "" {
		err = p.environment(s.getenv)
	}
	if err == nil && len(rest) > 0 && !v.arguments {
		err = usagef("%s takes no argument, found %q", v.name, rest[0])
	}
	if err != nil {
		return s.fail(err)
	}
	if o.help {
		fmt.Fprint(s.stdout, v.text())
		return exitDone
	}
	if o.timeout == 0 {
		o.timeout = v.timeout
	}
	return v.run(context.Background(), &call{surroundings: s, options: o, rest: rest})
}

// allFlags are the verb's own and those that every verb has.
func (v verb) allFlags() []flagSpec {
	list := append([]flagSpec(nil), v.flags...)
	if v.name != "help" {
		list = append(list, flagSpec{long: "timeout", value: "TIME", help: "How long to wait, such as 30s." + v.defaultTimeout(),
			set: seconds(func(o *options) *time.Duration { return &o.timeout })})
	}
	return append(list, dirFlags()...)
}

func (v verb) defaultTimeout() string {
	if v.timeout == 0 {
		return ""
	}
	return " Default " + v.timeout.String() + "."
}
