package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Exit codes of every mode and verb.
const (
	exitDone       = 0
	exitFailed     = 1 // the configuration is refused, or the start or request failed
	exitUsage      = 2
	exitTimeout    = 3 // no answer in time: what happened is not known
	exitNotRunning = 4
)

// surroundings are what a process gets from outside, so that tests can give
// their own.
type surroundings struct {
	getenv         func(string) string
	stdout, stderr io.Writer
	name           string // argv[0], which tells a worker its place
	uid            int
	whole          bool   // the process is ours alone: it may be replaced by a successor
	systemRun      string // in place of /run/pingap; tests only
}

func (s surroundings) dirs(run string) dirs {
	return dirs{getenv: s.getenv, uid: s.uid, run: run, system: s.systemRun}
}

// fail prints an error and returns the exit code that belongs to it.
func (s surroundings) fail(err error) int {
	fmt.Fprintf(s.stderr, "pingap: %v\n", err)
	var usage usageError
	if errors.As(err, &usage) {
		fmt.Fprintln(s.stderr, "Try: pingap --help")
		return exitUsage
	}
	return exitFailed
}

// run does what the arguments ask for and returns the exit code.
func run(args []string, s surroundings) int {
	if len(args) > 0 {
		if role, ok := roles()[args[0]]; ok {
			return role(args[1:], s)
		}
	}
	o, rest, err := serveOptions(args, s.getenv)
	switch {
	case err != nil:
		return s.fail(err)
	case len(rest) > 0:
		return runVerb(o, rest, s)
	case o.help:
		fmt.Fprint(s.stdout, serveHelp())
		return exitDone
	case o.version:
		fmt.Fprintln(s.stdout, longVersion())
		return exitDone
	case o.template:
		fmt.Fprint(s.stdout, template)
		return exitDone
	}
	for _, w := range o.warnings {
		fmt.Fprintf(s.stderr, "pingap: %s\n", w)
	}
	switch {
	case o.upgrade:
		verb := []string{"upgrade", "--wait"}
		if o.runDir != "" {
			verb = append(verb, "--run-dir", o.runDir)
		}
		return runVerb(&options{}, verb, s)
	case o.syncTo != "":
		return s.sync(o)
	case o.test:
		return check(o, s)
	case o.daemon:
		return daemon(o, args, s)
	}
	return serve(o, s, nil)
}

// home is where ~ leads.
func (s surroundings) home() string {
	if h := s.getenv("HOME"); h != "" {
		return h
	}
	return strings.TrimSpace(passwdHome(s.uid))
}

// passwdHome looks the user up in /etc/passwd; empty when there is no entry.
func passwdHome(uid int) string {
	data, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return ""
	}
	for line := range strings.SplitSeq(string(data), "\n") {
		f := strings.Split(line, ":")
		if len(f) > 5 && f[2] == fmt.Sprint(uid) {
			return f[5]
		}
	}
	return ""
}
