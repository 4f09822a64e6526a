package main

import (
	"context"
	"fmt"
	"os"

	"pingap/control"
	"pingap/control/source"
)

// job is what to load for these options, with all paths absolute.
func (s surroundings) job(o *options) (control.Job, error) {
	dir, err := os.Getwd()
	if err != nil {
		return control.Job{}, fmt.Errorf("working directory: %w", err)
	}
	job := control.Job{Strict: o.strict, Threads: o.threads, Workers: o.workers, Home: s.home(), Dir: dir, Admin: o.admin}
	if o.cp && job.Workers < 0 {
		job.Workers = 1
	}
	switch {
	case o.sample:
		job.Location = source.Memory("sample.toml", sampleConfig)
	case o.upstream != "":
		var text string
		text, err = quickStart(o, source.Base{Home: job.Home, Dir: dir})
		job.Location = source.Memory("--upstream", text)
	default:
		job.Location, err = source.Parse(o.conf, source.Base{Home: job.Home, Dir: dir})
	}
	return job, err
}

// check is -t: it judges the configuration in this process and prints every
// finding.
func check(o *options, s surroundings) int {
	job, err := s.job(o)
	if err != nil {
		return s.fail(err)
	}
	v, _ := control.Check(context.Background(), job, configOptions(), nil)
	if s.printFindings(job, v) > 0 {
		return exitFailed
	}
	fmt.Fprintln(s.stdout, "Validate config success")
	return exitDone
}

// printFindings prints what was found, and returns how many errors there are.
func (s surroundings) printFindings(job control.Job, v control.Verdict) int {
	for _, w := range v.Warnings {
		fmt.Fprintf(s.stderr, "warning: %s\n", w)
	}
	for _, e := range v.Errors {
		fmt.Fprintf(s.stderr, "error: %s\n", e)
	}
	if len(v.Errors) > 0 {
		fmt.Fprintf(s.stderr, "%s: %s\n", job.Location, errorCount(len(v.Errors)))
	}
	return len(v.Errors)
}

func errorCount(n int) string {
	if n == 1 {
		return "1 error"
	}
	return fmt.Sprintf("%d errors", n)
}
