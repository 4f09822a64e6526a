package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"pingap/control"
	"pingap/control/source"
	"pingap/control/transfer"
)

// sync is --sync: it checks the configuration of -c and writes it to another place.
func (s surroundings) sync(o *options) int {
	job, err := s.job(o)
	if err == nil && job.Location.Fixed() {
		err = usagef("--sync needs -c: there is nothing to copy")
	}
	var docs []source.Document
	if err == nil {
		docs, err = job.Location.Read()
	}
	if err != nil {
		return s.fail(err)
	}
	job.Documents = docs
	if errs := judge(job)(docs); len(errs) > 0 {
		return s.invalid(o, &transfer.Invalid{Errors: errs})
	}
	target := *o
	target.conf = o.syncTo
	return s.copyTo(&target, docs, true)
}

// judge has documents checked as the configuration of a job.
func judge(job control.Job) transfer.Judge {
	return func(docs []source.Document) []string {
		job.Documents = docs
		v, _ := control.Check(context.Background(), job, configOptions(), nil)
		return v.Errors
	}
}

// invalid prints why a configuration was not written.
func (s surroundings) invalid(o *options, err error) int {
	var why *transfer.Invalid
	if errors.As(err, &why) {
		if o.json {
			s.printJSON(refused{err.Error(), orEmpty(why.Errors)})
		}
		for _, e := range why.Errors {
			fmt.Fprintf(s.stderr, "error: %s\n", e)
		}
	}
	return s.fail(err)
}

// copyTo writes documents to where -c leads.
func (s surroundings) copyTo(o *options, docs []source.Document, expand bool) int {
	job, store, err := s.store(o)
	if err != nil {
		return s.fail(err)
	}
	defer store.Close()
	out, err := transfer.Import(context.Background(), store, filepath.Base(job.Location.Path), docs, expand, judge(job))
	if err != nil {
		return s.invalid(o, err)
	}
	if o.json {
		return s.printJSON(jsonWritten{job.Location.String(), orEmpty(out.Written), orEmpty(out.Kept)})
	}
	for _, key := range out.Written {
		fmt.Fprintf(s.stdout, "written: %s\n", key)
	}
	for _, key := range out.Kept {
		fmt.Fprintf(s.stdout, "left as it was: %s\n", key)
	}
	fmt.Fprintf(s.stdout, "%s: %d written\n", job.Location, len(out.Written))
	return exitDone
}

// store opens what -c names for writing.
func (s surroundings) store(o *options) (control.Job, source.Store, error) {
	job, err := s.job(o)
	if err != nil {
		return job, nil, err
	}
	store, err := source.OpenStore(context.Background(), job.Location)
	return job, store, err
}

// runStored is the words of config that are about the source, not about a running instance.
func runStored(what string, c *call) int {
	if c.conf == "" {
		c.conf = c.getenv(confVariable)
	}
	if c.conf == "" {
		return c.fail(usagef("config %s needs -c PATH, or %s", what, confVariable))
	}
	most := map[string]int{"import": 1, "kept": 1, "restore": 2}[what]
	if len(c.rest)-1 != most {
		return c.fail(usagef("config %s takes %d words, found %q", what, most, c.rest[1:]))
	}
	c.threads, c.workers = -1, -1 // which are none of its flags
	switch what {
	case "export":
		return c.export()
	case "import":
		docs, err := (source.Location{Path: c.rest[1]}).Read()
		if err != nil {
			return c.fail(err)
		}
		return c.copyTo(c.options, docs, false)
	}
	job, store, err := c.store(c.options)
	if err != nil {
		return c.fail(err)
	}
	defer store.Close()
	switch what {
	case "migrate":
		return c.migrate(job, store)
	case "kept":
		return c.kept(job, store)
	}
	return c.restore(job, store)
}

func (c *call) export() int {
	job, err := c.job(c.options)
	if err != nil {
		return c.fail(err)
	}
	docs, err := job.Location.Read()
	if err != nil {
		return c.fail(err)
	}
	text, err := transfer.Export(docs, c.full)
	if err != nil {
		return c.invalid(c.options, err)
	}
	if c.json {
		return c.printJSON(jsonExport{job.Location.String(), string(text)})
	}
	if _, err := c.stdout.Write(text); err != nil {
		return c.fail(err)
	}
	return exitDone
}

func (c *call) migrate(job control.Job, store source.Store) int {
	done, err := transfer.Migrate(context.Background(), store, job.Location, judge(job))
	if err != nil {
		return c.invalid(c.options, err)
	}
	if c.json {
		return c.printJSON(newJSONMigrated(job.Location, done))
	}
	for _, r := range done {
		fmt.Fprintln(c.stdout, r)
	}
	return exitDone
}

// kept lists what an item held before.
func (c *call) kept(job control.Job, store source.Store) int {
	all, err := store.History(context.Background(), c.rest[1])
	if err != nil {
		return c.fail(err)
	}
	if c.json {
		return c.printJSON(newJSONKept(job.Location, c.rest[1], all))
	}
	for _, f := range all {
		fmt.Fprintf(c.stdout, "%s\t%s\t%d bytes\n", f.ID, f.At.Local().Format(time.RFC3339), len(f.Data))
	}
	if len(all) == 0 {
		fmt.Fprintln(c.stderr, "nothing is kept")
	}
	return exitDone
}

// restore gives an item what it held before.
func (c *call) restore(job control.Job, store source.Store) int {
	key, id := c.rest[1], c.rest[2]
	if err := source.Restore(context.Background(), store, key, id); err != nil {
		return c.fail(err)
	}
	if c.json {
		return c.printJSON(jsonRestored{job.Location.String(), key, id})
	}
	fmt.Fprintf(c.stdout, "restored: %s\n", key)
	return exitDone
}
