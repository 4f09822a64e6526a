package endpoints

import (
	"context"
	"slices"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"pingap/control/discovery"
	"pingap/ipc"
)

// found takes what a search has found, unless it has been ended.
func (d *Directory) found(searching context.Context, f *form, u discovery.Update) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if searching.Err() != nil {
		return
	}
	f.tried, f.complete = f.tried || u.Tried || u.Complete, u.Complete
	d.problemsLocked(f, u.Problems)
	next := d.listLocked(f, u.Endpoints)
	for _, e := range f.list { // after the new list, so that who stays is never out of use
		d.unuseLocked(f.pool, e.backend)
	}
	before := f.list
	f.list = next
	level := zap.InfoLevel
	if !f.listed { // not a change
		level = zap.DebugLevel
	}
	if f.tried {
		f.listed = true
		f.pool.settled = true
	}
	if f.adopted && f.tried {
		f.adopted, f.held = false, false
		d.markLocked(f.item())
	}
	if !slices.Equal(before, next) {
		d.logList(level, f, before)
		d.touchLocked(f.pool)
		if !f.held {
			d.markLocked(f.item())
		}
	}
	f.judgeLocked()
	d.upDownLocked(f.pool)
}

// listLocked makes entries of what was found. Until each entry of addrs has had an answer, what was known before stays beside it.
func (d *Directory) listLocked(f *form, found []discovery.Endpoint) []entry {
	var list []entry
	seen := map[string]bool{}
	add := func(e entry) {
		if !seen[e.text] && len(list) < ipc.MaxEndpoints {
			seen[e.text] = true
			list = append(list, e)
		}
	}
	for _, p := range found {
		if !seen[Text(p.Address)] && len(list) < ipc.MaxEndpoints {
			add(entry{backend: d.useLocked(f, p.Address), weight: p.Weight, spare: p.Backup, from: p.From})
		}
	}
	if f.complete {
		return list
	}
	for _, e := range f.list {
		if !seen[e.text] && len(list) < ipc.MaxEndpoints {
			e.uses++
			add(e)
		}
	}
	return list
}

// problemsLocked notes what keeps discovery from knowing everything. Each is logged once while it lasts.
func (d *Directory) problemsLocked(f *form, problems []string) {
	for _, text := range problems {
		if !slices.Contains(f.problems, text) {
			d.opt.Log.Warn("discovery", zap.String("upstream", f.pool.name), zap.String("problem", text))
			d.opt.Problem(f.pool.name, text)
		}
	}
	f.problems = slices.Clone(problems)
}

// logList tells what changed of a list.
func (d *Directory) logList(level zapcore.Level, f *form, before []entry) {
	came, left := missing(f.list, before), missing(before, f.list)
	fields := []zap.Field{zap.String("upstream", f.pool.name), zap.Int("backends", len(f.list))}
	if len(came) > 0 {
		fields = append(fields, zap.Strings("came", named(came)))
	}
	if len(left) > 0 {
		fields = append(fields, zap.Strings("left", named(left)))
	}
	d.opt.Log.Log(level, "backends", fields...)
}

// missing are the addresses of the one list that the other lacks.
func missing(list, other []entry) []string {
	known := map[*backend]bool{}
	for _, e := range other {
		known[e.backend] = true
	}
	var texts []string
	for _, e := range list {
		if !known[e.backend] {
			texts = append(texts, e.text)
		}
	}
	return texts
}

// named bounds a list of names.
func named(all []string) []string {
	if len(all) <= maxNamed {
		return all
	}
	return append(slices.Clone(all[:maxNamed]), "and more")
}
