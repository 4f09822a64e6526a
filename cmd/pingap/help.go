package main

import (
	"context"
	"fmt"
	"strings"
)

const exitHelp = `Exit codes: 0 done, 1 rejected or failed, 2 usage, 3 no answer in time, 4 not running.
`

func helpVerb() verb {
	return verb{
		name: "help", summary: "Show the help of a command.",
		arguments: true,
		help:      "Usage: pingap help [COMMAND]\n\nShows the help of a command, or of pingap itself.\n",
		run:       runHelp,
	}
}

func runHelp(_ context.Context, c *call) int {
	if len(c.rest) == 0 {
		fmt.Fprint(c.stdout, serveHelp())
		return exitDone
	}
	v, ok := findVerb(c.rest[0])
	if !ok || len(c.rest) > 1 {
		return c.fail(usagef("no help for %q", strings.Join(c.rest, " ")))
	}
	fmt.Fprint(c.stdout, v.text())
	return exitDone
}

// text is the whole help of a verb.
func (v verb) text() string {
	return v.help + "\nFlags:\n" + flagHelp(v.allFlags()) + "\n" + exitHelp
}

// serveHelp is what pingap --help shows.
func serveHelp() string {
	var b strings.Builder
	b.WriteString(`pingap is a reverse proxy.

Usage:
  pingap -c PATH [flags]                 serve a configuration
  pingap -c PATH -t                      check a configuration
  pingap --upstream LIST [--addr LIST]   serve these backends at once
  pingap --upstream LIST --cert PATH     the same over TLS
  pingap COMMAND [flags]                 speak to a running instance

Commands:
`)
	for _, v := range verbs() {
		fmt.Fprintf(&b, "  %-8s %s\n", v.name, v.summary)
	}
	b.WriteString("\nFlags:\n")
	b.WriteString(flagHelp(serveFlags()))
	b.WriteString("\n" + exitHelp)
	return b.String()
}

// flagHelp lists flags with wrapped descriptions. What is not built yet is
// left out.
func flagHelp(flags []flagSpec) string {
	var b strings.Builder
	for _, f := range flags {
		if f.later != "" {
			continue
		}
		head := "      --" + f.long
		if f.short != 0 {
			head = "  -" + string(f.short) + ", --" + f.long
		}
		if f.value != "" {
			head += " " + f.value
		}
		help := f.help
		if f.env != "" {
			help += " Variable " + f.env + "."
		}
		lines := wrap(help, 72)
		fmt.Fprintf(&b, "%-24s %s\n", head, strings.Join(lines, "\n"+strings.Repeat(" ", 25)))
	}
	return b.String()
}

// wrap breaks text at blanks into lines of at most width bytes.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
