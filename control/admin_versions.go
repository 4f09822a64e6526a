package control

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"

	"pingap/config"
	"pingap/control/admin/api"
	"pingap/control/history"
	"pingap/control/source"
)

// Former asks the source what an item held.
func (i interior) Former(ctx context.Context, key string) ([]source.Former, error) {
	store, err := i.p.openSource(ctx)
	if err != nil {
		return nil, unwritten(err)
	}
	defer store.Close()
	all, err := store.History(ctx, key)
	return all, unwritten(err)
}

// Versions lists what is kept.
func (i interior) Versions(ctx context.Context) (history.List, error) {
	c := client{p: i.p}
	l, err := c.list(ctx)
	return l, notKept(err)
}

// notKept is the status of an error about kept versions.
func notKept(err error) error {
	if errors.Is(err, history.ErrNotKept) {
		return api.Errorf(http.StatusNotFound, "%v", err)
	}
	return err
}

// snapshot opens a kept version, or with 0 what is live.
func (i interior) snapshot(ctx context.Context, number uint64) (*config.Snapshot, error) {
	c := client{p: i.p}
	if number == 0 {
		file, err := c.liveSnapshot(ctx)
		if err != nil {
			return nil, api.Errorf(http.StatusNotFound, "%v", err)
		}
		defer file.Close()
		_, s, err := readSnapshot(file)
		return s, err
	}
	store, _, err := c.kept(ctx)
	if err != nil {
		return nil, notKept(err)
	}
	_, s, err := store.Read(number)
	return s, notKept(err)
}

// Kept is a version.
func (i interior) Kept(ctx context.Context, number uint64) (*config.Config, error) {
	s, err := i.snapshot(ctx, number)
	if err != nil {
		return nil, err
	}
	cfg, err := s.Config()
	if err != nil {
		return nil, api.Errorf(http.StatusConflict, "version %d was made by another build, or is damaged: %v", number, err)
	}
	return cfg, nil
}

// Loaded has the source judged, and says what it means.
func (i interior) Loaded(ctx context.Context) (*config.Config, error) {
	s, err := i.Source(ctx)
	if err != nil {
		return nil, err
	}
	if s.Digest == s.Live {
		return i.Kept(ctx, 0)
	}
	job := i.p.opt.Job
	job.Documents = s.Docs
	r, err := i.p.check.run(ctx, job, nil, nil)
	if err != nil {
		return nil, err
	}
	defer r.close()
	if len(r.Errors) > 0 {
		return nil, api.Errorf(http.StatusUnprocessableEntity, "the source has errors: %s", strings.Join(clip(r.Errors, 1<<10), "; "))
	}
	_, snapshot, err := readSnapshot(r.snapshot)
	if err != nil {
		return nil, err
	}
	return snapshot.Config()
}

// Difference compares versions.
func (i interior) Difference(ctx context.Context, from, to uint64) (config.Changes, error) {
	a, err := i.snapshot(ctx, from)
	if err != nil {
		return nil, err
	}
	b, err := i.snapshot(ctx, to)
	if err != nil {
		return nil, err
	}
	return difference(a, b)
}

// changesOf is the difference of two snapshots; without one before, everything is new.
func changesOf(before, after *os.File) (config.Changes, error) {
	_, next, err := readSnapshot(after)
	if err != nil {
		return nil, err
	}
	if before == nil {
		return difference(nil, next)
	}
	_, was, err := readSnapshot(before)
	if err != nil {
		return nil, err
	}
	return difference(was, next)
}
