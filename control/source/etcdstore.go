package source

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"pingap/control/source/etcd"
)

// etcdStore is a Store of keys in etcd.
type etcdStore struct {
	loc    Location
	client *etcd.Client
}

func openEtcd(ctx context.Context, l Location) (Store, error) {
	client, err := etcd.Dial(ctx, l.Etcd)
	if err != nil {
		return nil, fmt.Errorf("configuration %w", err)
	}
	return &etcdStore{loc: l, client: client}, nil
}

func (s *etcdStore) Layout() Layout { return ByItem }
func (s *etcdStore) Close()         { s.client.Close() }

func (s *etcdStore) List(ctx context.Context) ([]Item, error) {
	entries, _, err := s.client.Read(ctx, etcd.Limits{Keys: MaxFiles, Bytes: MaxBytes})
	if err != nil {
		return nil, fmt.Errorf("configuration %w", err)
	}
	var items []Item
	for _, e := range entries {
		if path.Ext(e.Key) == keySuffix && !strings.HasPrefix(path.Base(e.Key), ".") {
			items = append(items, s.item(e))
		}
	}
	return items, nil
}

func (s *etcdStore) item(e etcd.Entry) Item {
	return Item{Key: strings.TrimPrefix(e.Key, s.loc.Etcd.Prefix()), Data: e.Value, Rev: strconv.FormatInt(e.Modified, 10)}
}

func (s *etcdStore) Get(ctx context.Context, key string) (Item, bool, error) {
	e, found, err := s.client.Get(ctx, s.loc.Etcd.Prefix()+key)
	if err != nil || !found {
		return Item{}, false, err
	}
	return s.item(e), true, nil
}

func (s *etcdStore) Txn(ctx context.Context, ops ...Op) error {
	var changes []etcd.Change
	for _, op := range ops {
		if !strings.HasSuffix(op.Key, keySuffix) || path.Clean("/"+op.Key) != "/"+op.Key || strings.Contains(op.Key, "\x00") {
			return fmt.Errorf("%w: %.*q", ErrName, maxName, op.Key)
		}
		change := etcd.Change{Key: s.loc.Etcd.Prefix() + op.Key, Value: op.Data}
		if op.Rev != "" {
			var err error
			if change.Modified, err = strconv.ParseInt(op.Rev, 10, 64); err != nil || change.Modified <= 0 {
				return fmt.Errorf("%s: %.40q is no revision", op.Key, op.Rev)
			}
		}
		if s.loc.History && change.Modified != 0 {
			// The condition on the revision holds for this value as well.
			e, _, err := s.client.Get(ctx, change.Key)
			if err != nil {
				return err
			}
			change.Before = e.Value
		}
		changes = append(changes, change)
	}
	done, err := s.client.Write(ctx, changes, time.Now())
	switch {
	case errors.Is(err, etcd.ErrConflict):
		err = fmt.Errorf("configuration %s: it %w", s.loc, ErrConflict)
	case errors.Is(err, etcd.ErrDenied):
		err = fmt.Errorf("configuration %w: %w", ErrDenied, err)
	case err != nil:
		err = fmt.Errorf("configuration %w", err)
	}
	if err != nil && done > 0 {
		err = fmt.Errorf("%w (%d of %d keys had been written)", err, done, len(changes))
	}
	return err
}

func (s *etcdStore) History(ctx context.Context, key string) ([]Former, error) {
	if !s.loc.History {
		return nil, nil
	}
	kept, err := s.client.History(ctx, s.loc.Etcd.Prefix()+key)
	var all []Former
	for _, k := range kept[:min(len(kept), keptItems)] {
		all = append(all, Former{ID: k.ID, At: k.At, Data: k.Value})
	}
	return all, err
}
