package control

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"time"

	"pingap/control/admin/api"
	"pingap/control/admin/objects"
	"pingap/control/source"
	"pingap/ipc"
)

// interior is what the admin interface asks control for.
type interior struct{ p *process }

// objects is the part of the interface about the configuration.
func (p *process) objects() *objects.Objects {
	return objects.New(objects.Options{Control: interior{p}, Plugins: p.opt.Plugins, Version: p.opt.Version})
}

// known is what the loop knows of what is live.
type known struct {
	number      uint64
	sha, digest string
}

func (p *process) known() known {
	return known{number: p.live.version, sha: p.live.sha, digest: p.live.digest}
}

// fromLoop asks the loop.
func fromLoop[T any](ctx context.Context, p *process, ask func() T) (T, error) {
	answer := make(chan T, 1)
	p.post(ctx, func(context.Context) { answer <- ask() })
	select {
	case a := <-answer:
		return a, nil
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

// openSource opens the source for writing.
func (p *process) openSource(ctx context.Context) (source.Store, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	return source.OpenStore(ctx, p.opt.Job.Location)
}

// sourceOf reads what a store holds.
func (p *process) sourceOf(ctx context.Context, store source.Store, known known) (*objects.Source, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	items, err := store.List(ctx)
	if err != nil {
		return nil, err
	}
	s := p.described(known)
	s.Layout, s.Items, s.Docs = store.Layout(), items, p.opt.Job.Location.Documents(items)
	s.Items = nil
	byKey := map[string]source.Item{}
	for _, i := range items {
		byKey[i.Key] = i
	}
	for _, d := range s.Docs { // in their order
		s.Items = append(s.Items, byKey[p.opt.Job.Location.KeyOf(d.Path)])
	}
	s.Digest = source.Digest(s.Docs)
	return s, nil
}

// described is what there is to say of the source without reading it.
func (p *process) described(known known) *objects.Source {
	l := p.opt.Job.Location
	s := &objects.Source{Kind: p.who(), Layout: source.ByItem, Single: l.KeyOf(l.Path), Live: known.digest, Number: known.number, SHA: known.sha,
		Writable: l.Writable(), Instance: p.telling.bus.Name(), PanelOnly: p.opt.PanelOnly}
	if l.Fixed() {
		s.Kind, s.Layout = "memory", source.Single
	}
	return s
}

// Source reads the source. What is in etcd is read by the connection that there is.
func (i interior) Source(ctx context.Context) (*objects.Source, error) {
	known, err := fromLoop(ctx, i.p, i.p.known)
	if err != nil {
		return nil, err
	}
	l := i.p.opt.Job.Location
	if !l.Remote() && !l.Fixed() {
		store, err := i.p.openSource(ctx)
		if err != nil {
			return nil, err
		}
		defer store.Close()
		return i.p.sourceOf(ctx, store, known)
	}
	job, err := i.p.fetched(ctx, Job{Location: l})
	if err == nil && job.Documents == nil {
		job.Documents, err = l.Read()
	}
	if err != nil && !errors.Is(err, source.ErrEmpty) {
		return nil, &api.Error{Status: http.StatusServiceUnavailable, Message: err.Error(), Retry: 2}
	}
	s := i.p.described(known)
	for _, d := range job.Documents {
		s.Docs = append(s.Docs, d)
		s.Items = append(s.Items, source.Item{Key: l.KeyOf(d.Path), Data: d.Data})
	}
	s.Digest = source.Digest(s.Docs)
	return s, nil
}

// Try judges an edit. The live snapshot is a copy: something else may become live meanwhile.
func (i interior) Try(ctx context.Context, e objects.Edit) (*objects.Judged, error) {
	select {
	case i.p.writing.tries <- struct{}{}:
		defer func() { <-i.p.writing.tries }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	type state struct {
		known known
		live  *os.File
		err   error
	}
	now, err := fromLoop(ctx, i.p, func() state {
		s := state{known: i.p.known()}
		if i.p.live.snapshot != nil {
			s.live, s.err = duplicate(i.p.live.snapshot)
		}
		return s
	})
	if err = errors.Join(err, now.err); err != nil {
		return nil, err
	}
	if now.live != nil {
		defer now.live.Close()
	}
	store, err := i.p.openSource(ctx)
	if err != nil {
		return nil, unopened(err)
	}
	defer store.Close()
	w := &write{edit: e, asked: ctx}
	r, _, err := i.p.judgeEdit(ctx, w, store, now.known, i.p.opt.Job, now.live)
	r.close()
	return w.judged, unwritten(err)
}

// unopened is the answer where the source cannot be opened to write there: it may never be so, or is only away.
func unopened(err error) error {
	if err := unwritten(err); errors.As(err, new(*api.Error)) {
		return err
	}
	return api.Errorf(http.StatusConflict, "%v", err)
}

// unwritten makes the answer of an error that says what control may not, or that is over when the source is reached again. Any other stays.
func unwritten(err error) error {
	switch {
	case errors.Is(err, source.ErrAway):
		return &api.Error{Status: http.StatusServiceUnavailable, Message: err.Error(), Retry: 2}
	case errors.Is(err, source.ErrDenied), errors.Is(err, fs.ErrPermission):
		return api.Errorf(http.StatusForbidden, "%v", err)
	}
	return err
}

// Write makes an edit. It goes on when who asked has gone, once it has begun.
func (i interior) Write(ctx context.Context, e objects.Edit) (*objects.Applied, error) {
	busy := &api.Error{Status: http.StatusServiceUnavailable, Message: "too many changes wait already", Retry: 1}
	select {
	case i.p.writing.places <- struct{}{}:
		defer func() { <-i.p.writing.places }()
	default:
		return nil, busy
	}
	begun := time.Now()
	w := &write{edit: e, asked: ctx}
	done := make(chan ipc.Body, 1)
	i.p.post(ctx, func(ctx context.Context) {
		i.p.ask(ctx, &request{by: e.By, limit: ipc.ClassRoll, write: w, done: func(b ipc.Body) { done <- b }})
	})
	select {
	case b := <-done:
		return i.outcome(ctx, w, b, begun)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// outcome is the answer to a write.
func (i interior) outcome(ctx context.Context, w *write, body ipc.Body, begun time.Time) (*objects.Applied, error) {
	switch b := body.(type) {
	case *ipc.Applied:
		a := &objects.Applied{Judged: *w.judged, Number: b.Version, SHA: b.SHA, Took: time.Since(begun)}
		a.After.Number, a.After.SHA, a.After.Digest = b.Version, b.SHA, source.Digest(a.After.Docs)
		a.After.Live = a.After.Digest
		a.Workers = i.workers(ctx, b.Version)
		return a, nil
	case *ipc.Refused:
		return nil, refusal(b, w.stuck)
	}
	if errors.Is(w.err, errInvalid) {
		return &objects.Applied{Judged: *w.judged}, nil
	}
	return nil, unwritten(w.err)
}

// refusal is the answer to a write that was not applied. What is short now may be there later.
func refusal(b *ipc.Refused, stuck error) error {
	e := &api.Error{Status: http.StatusUnprocessableEntity, Message: "not applied: " + b.Reason}
	switch b.Code {
	case ipc.CodeBusy, ipc.CodeTimeout, ipc.CodeResources, ipc.CodeStopping:
		e.Status, e.Retry = http.StatusServiceUnavailable, 2
	}
	if b.Worker != "" {
		e.Message += " (" + b.Worker + ")"
	}
	for _, text := range b.Errors {
		e.Errors = append(e.Errors, api.Place{Message: text})
	}
	if stuck != nil {
		e.Message += "; the source still holds it, as it could not be taken back: " + stuck.Error()
	}
	return e
}

// workers are those that serve. One that is active has what was applied: its last sign of life may be older.
func (i interior) workers(ctx context.Context, number uint64) []objects.Worker {
	c := client{p: i.p}
	all, ok := c.relay(ctx, ipc.StatusRequest{}, answerTime).(*ipc.StatusAll)
	if !ok {
		return nil
	}
	var list []objects.Worker
	for _, p := range all.Processes {
		if p.Kind != ipc.RoleWorker {
			continue
		}
		w := objects.Worker{PID: p.PID, Slot: p.Slot, Generation: p.Generation}
		if p.Status != nil {
			w.Version = p.Status.Version
		}
		if p.State == ipc.StateActive {
			w.Version = number
		}
		list = append(list, w)
	}
	return list
}
