package etcd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	// maxOps is how many operations etcd takes in one transaction where nobody raised that.
	maxOps = 120
	// KeptVersions is how many former values of a key are kept.
	KeptVersions = 10
	historyKeys  = 10_000 // bound of what is looked at of one key's history
)

// ErrConflict is returned by Write when a key is not what it was expected to be. Nothing of that transaction was written.
var ErrConflict = errors.New("it was changed by somebody else meanwhile")

// Change is one wish of a Write.
type Change struct {
	Key   string // whole, with the path
	Value []byte // nil deletes the key
	// Modified is the revision that the key must have, 0 for one that must not be there.
	Modified int64
	// Before is the value it has then; it is kept where history is wanted.
	Before []byte
}

// Write makes all changes that fit one transaction at once, and more than that one transaction after the other. It returns how many
// were made.
func (c *Client) Write(ctx context.Context, changes []Change, now time.Time) (int, error) {
	each := maxOps
	if c.target.History {
		each /= 2
	}
	done := 0
	for part := range slices.Chunk(changes, each) {
		if err := c.transaction(ctx, part, now); err != nil {
			return done, err
		}
		done += len(part)
	}
	return done, nil
}

func (c *Client) transaction(ctx context.Context, changes []Change, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, c.target.Timeout)
	defer cancel()
	var conditions []clientv3.Cmp
	var ops []clientv3.Op
	for _, change := range changes {
		conditions = append(conditions, clientv3.Compare(clientv3.ModRevision(change.Key), "=", change.Modified))
		if c.target.History && len(change.Before) > 0 {
			ops = append(ops, clientv3.OpPut(c.historyOf(change.Key)+strconv.FormatInt(change.Modified, 10)+"-"+strconv.FormatInt(now.Unix(), 10),
				string(change.Before)))
		}
		if change.Value == nil {
			ops = append(ops, clientv3.OpDelete(change.Key))
			continue
		}
		ops = append(ops, clientv3.OpPut(change.Key, string(change.Value)))
	}
	answer, err := c.kv.Txn(ctx).If(conditions...).Then(ops...).Commit()
	if err != nil {
		return c.target.explain("write", err)
	}
	if !answer.Succeeded {
		return c.target.explain("write", ErrConflict)
	}
	for _, change := range changes {
		if c.target.History && len(change.Before) > 0 {
			if err := c.prune(ctx, change.Key); err != nil {
				return err
			}
		}
	}
	return nil
}

// historyOf is what the keys of a key's former values begin with.
func (c *Client) historyOf(key string) string {
	return c.target.Path + "-history/" + strings.TrimPrefix(key, c.target.Prefix()) + "/"
}

// Kept is a former value of a key.
type Kept struct {
	ID    string // MODREVISION-UNIXSECONDS
	At    time.Time
	Value []byte
}

// History returns the newest former values of a key, newest first.
func (c *Client) History(ctx context.Context, key string) ([]Kept, error) {
	entries, _, err := c.read(ctx, c.historyOf(key), Limits{Keys: historyKeys, Bytes: 64 << 20})
	if err != nil {
		return nil, err
	}
	type dated struct {
		Kept
		revision int64
	}
	var all []dated
	for _, e := range entries {
		id := strings.TrimPrefix(e.Key, c.historyOf(key))
		revision, at, ok := parseID(id)
		if ok {
			all = append(all, dated{Kept{ID: id, At: at, Value: e.Value}, revision})
		}
	}
	slices.SortFunc(all, func(a, b dated) int { // a restored cluster counts from an older revision, clocks go on
		if n := b.At.Compare(a.At); n != 0 {
			return n
		}
		return int(max(-1, min(1, b.revision-a.revision)))
	})
	var kept []Kept
	for _, d := range all {
		kept = append(kept, d.Kept)
	}
	return kept, nil
}

func parseID(id string) (revision int64, at time.Time, ok bool) {
	first, second, found := strings.Cut(id, "-")
	revision, err := strconv.ParseInt(first, 10, 64)
	seconds, serr := strconv.ParseInt(second, 10, 64)
	return revision, time.Unix(seconds, 0), found && err == nil && serr == nil && revision >= 0 && seconds >= 0
}

// prune removes former values beyond the newest.
func (c *Client) prune(ctx context.Context, key string) error {
	kept, err := c.History(ctx, key)
	if err != nil || len(kept) <= KeptVersions {
		return err
	}
	var ops []clientv3.Op
	for _, k := range kept[KeptVersions:min(len(kept), KeptVersions+maxOps)] {
		ops = append(ops, clientv3.OpDelete(c.historyOf(key)+k.ID))
	}
	if _, err := c.kv.Txn(ctx).Then(ops...).Commit(); err != nil {
		return c.target.explain("history", fmt.Errorf("remove what is too old: %w", err))
	}
	return nil
}

// Put writes a key whatever it holds.
func (c *Client) Put(ctx context.Context, key string, value []byte) error {
	ctx, cancel := context.WithTimeout(ctx, c.target.Timeout)
	defer cancel()
	if _, err := c.kv.Put(ctx, key, string(value)); err != nil {
		return c.target.explain("write", err)
	}
	return nil
}
