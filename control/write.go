package control

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"go.uber.org/zap"

	"pingap/control/admin/api"
	"pingap/control/admin/objects"
	"pingap/control/source"
	"pingap/ipc"
)

// A write by the admin interface is a load of the source that changes it first: what the source holds is read, changed and judged, then written
// by compare-and-swap, and proposed with the verdict there is. It is a load also in that nothing else is loaded meanwhile. When it is refused, the
// source gets back what it had before the next load begins.

// Bounds of writes.
const (
	maxWrites    = 32               // that wait, or are under way
	maxTries     = 2                // dry runs at a time: each has a validate child
	maxConflicts = 5                // changes by somebody else in between, before a write gives up
	storeTime    = 30 * time.Second // for reading and writing the source
	writesTime   = 5 * time.Minute  // for a write with all that wait before it; each has bounds of its own
)

// writing bounds what clients may ask for.
type writing struct {
	places chan struct{} // of writes
	tries  chan struct{} // of dry runs
}

func newWriting() writing {
	return writing{places: make(chan struct{}, maxWrites), tries: make(chan struct{}, maxTries)}
}

// write is an edit on its way.
type write struct {
	edit  objects.Edit
	asked context.Context // of who wants it: who has gone before it began gets nothing
	begun time.Time

	judged *objects.Judged
	err    error  // why it was not proposed; an *api.Error where it is the client's
	undo   []undo // what gives the source back what it had; nil before it was written
	seen   string // digest of what it had
	stuck  error  // why it did not get that back
}

// writeFor has one edit made.
func (p *process) writeFor(ctx context.Context, r *request) {
	p.loading = true
	w, known := r.write, p.known()
	job, live := p.opt.Job, p.live.snapshot
	p.wg.Go(func() {
		w.begun = time.Now()
		result, err := p.draft(ctx, w, known, job, live)
		p.post(ctx, func(ctx context.Context) {
			if err == nil {
				p.judged(ctx, []*request{r}, 0, result, nil)
				return
			}
			w.err = err
			p.loading = false
			r.finish(nil)
			p.next(ctx)
		})
	})
}

// draft makes the change, has it judged, and writes it.
func (p *process) draft(ctx context.Context, w *write, known known, job Job, live *os.File) (*result, error) {
	if w.asked.Err() != nil {
		return nil, w.asked.Err()
	}
	store, err := p.openSource(ctx)
	if err != nil {
		return nil, unopened(err)
	}
	defer store.Close()
	for tries := 1; ; tries++ {
		result, ops, err := p.judgeEdit(ctx, w, store, known, job, live)
		if err != nil {
			return nil, err
		}
		if result == nil { // it has errors, which w says
			return nil, errInvalid
		}
		err = p.commit(ctx, w, store, ops)
		if err == nil {
			return result, nil
		}
		result.close()
		switch {
		case !errors.Is(err, source.ErrConflict):
			return nil, err
		case w.edit.Match != "" || tries == maxConflicts:
			return nil, api.Errorf(http.StatusPreconditionFailed, "%v", err)
		}
		// Somebody else wrote in between, and whoever asks did not say what it is to be made of: again with what is there now.
	}
}

// errInvalid is for edits whose errors are in their verdict.
var errInvalid = errors.New("the configuration would be invalid")

// judgeEdit makes the change of an edit and has it judged. The result is nil where there are errors.
func (p *process) judgeEdit(ctx context.Context, w *write, store source.Store, known known, job Job, live *os.File) (*result, []source.Op, error) {
	ctx, cancel := context.WithTimeout(ctx, writesTime)
	defer cancel()
	before, err := p.sourceOf(ctx, store, known)
	if err != nil {
		return nil, nil, unwritten(err)
	}
	if w.edit.Match != "" && w.edit.Match != "*" && w.edit.Match != before.Tag() {
		return nil, nil, api.Errorf(http.StatusPreconditionFailed, "the configuration is %s now, not %.80s", before.Tag(), w.edit.Match)
	}
	draft, err := w.edit.Change(ctx, before)
	if err != nil {
		return nil, nil, err
	}
	after := &objects.Source{Docs: job.Location.Documents(applied(before.Items, draft.Ops))}
	if len(after.Docs) == 0 {
		return nil, nil, api.Errorf(http.StatusUnprocessableEntity, "nothing would be left of the configuration")
	}
	job.Documents = after.Docs
	result, err := p.check.run(ctx, job, live, nil)
	if err != nil {
		return nil, nil, err
	}
	w.judged = &objects.Judged{Before: before, After: after, Warnings: append(draft.Notes, result.Warnings...)}
	w.seen = before.Digest
	if len(result.Errors) > 0 {
		if w.judged.Errors = result.Problems; len(result.Problems) == 0 {
			w.judged.More = result.Errors
		}
		return nil, nil, nil
	}
	if w.judged.Changes, err = changesOf(live, result.snapshot); err != nil {
		result.close()
		return nil, nil, err
	}
	w.judged.Class = w.judged.Changes.Class()
	return result, draft.Ops, nil
}

// applied are items with operations done.
func applied(items []source.Item, ops []source.Op) []source.Item {
	byKey := map[string]source.Op{}
	for _, op := range ops {
		byKey[op.Key] = op
	}
	var after []source.Item
	for _, i := range items {
		op, changed := byKey[i.Key]
		delete(byKey, i.Key)
		if changed {
			i.Data = op.Data
		}
		if i.Data != nil {
			after = append(after, i)
		}
	}
	for _, op := range ops {
		if _, fresh := byKey[op.Key]; fresh && op.Data != nil {
			after = append(after, source.Item{Key: op.Key, Data: op.Data})
		}
	}
	return after
}

// commit writes, and notes how to take it back.
func (p *process) commit(ctx context.Context, w *write, store source.Store, ops []source.Op) error {
	if len(ops) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	before := map[string][]byte{}
	for _, i := range w.judged.Before.Items {
		before[i.Key] = i.Data
	}
	var all []undo
	for _, op := range ops {
		all = append(all, undo{key: op.Key, before: before[op.Key], after: op.Data})
	}
	err := store.Txn(ctx, ops...)
	switch {
	case err == nil:
		w.undo = all
		return nil
	case errors.Is(err, source.ErrConflict): // nothing was written
		return err
	case errors.Is(err, source.ErrName):
		return api.Errorf(http.StatusBadRequest, "%v", err)
	}
	// A store of files may have written some of them.
	if back := restore(ctx, store, all); back != nil {
		return fmt.Errorf("%w; what had been written could not be put back: %w", err, back)
	}
	return err
}

// undo gives an item back what it had, if it has what was written. nil is an item that is not there.
type undo struct {
	key           string
	before, after []byte
}

func restore(ctx context.Context, store source.Store, all []undo) error {
	var ops []source.Op
	for _, u := range all {
		now, found, err := store.Get(ctx, u.key)
		if err != nil {
			return err
		}
		if found == (u.after != nil) && bytes.Equal(now.Data, u.after) {
			ops = append(ops, source.Op{Key: u.key, Data: u.before, Rev: now.Rev})
		}
	}
	if len(ops) == 0 {
		return nil
	}
	return store.Txn(ctx, ops...)
}

// takeBack gives the source what it had, and then ends the load.
func (p *process) takeBack(ctx context.Context, r *request, body ipc.Body) {
	w := r.write
	all := w.undo
	w.undo = nil
	p.wg.Go(func() { // bounded by storeTime
		ctx, cancel := context.WithTimeout(ctx, storeTime)
		defer cancel()
		store, err := p.openSource(ctx)
		if err == nil {
			err = restore(ctx, store, all)
			store.Close()
		}
		p.post(ctx, func(ctx context.Context) {
			if p.seen = w.seen; err != nil {
				p.log.Error("what was refused could not be taken out of the source", zap.Error(err))
				w.stuck = err
			}
			p.finish(ctx, []*request{r}, r, body)
		})
	})
}
