package etcd

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	pageKeys   = 500 // keys of one answer at most
	readAgain  = 3   // times that a read is begun again because history was compacted under it
	maxKeyName = 1 << 10
)

// Errors of Read.
var (
	ErrTooMany  = errors.New("more keys than a configuration may have")
	ErrTooLarge = errors.New("more bytes than a configuration may have")
)

// Mark is a place in the history of a cluster.
type Mark struct {
	Revision      int64
	Cluster, Term uint64
}

// older reports whether an answer that carries m tells of another past than one that carried seen.
func (m Mark) older(seen Mark) bool {
	return m.Cluster != seen.Cluster || m.Term < seen.Term || m.Revision < seen.Revision
}

// Entry is a key with its value.
type Entry struct {
	Key      string
	Value    []byte
	Modified int64 // revision of its last change
}

// Limits bound a Read.
type Limits struct {
	Keys  int
	Bytes int64 // of keys and values
}

// Read returns all keys below the path, sorted, as they were at one revision.
func (c *Client) Read(ctx context.Context, limits Limits) ([]Entry, Mark, error) {
	return c.read(ctx, c.target.Prefix(), limits)
}

// Names is Read without the values.
func (c *Client) Names(ctx context.Context, limits Limits) ([]Entry, Mark, error) {
	return c.read(ctx, c.target.Prefix(), limits, clientv3.WithKeysOnly())
}

func (c *Client) read(ctx context.Context, prefix string, limits Limits, options ...clientv3.OpOption) ([]Entry, Mark, error) {
	var err error
	for range readAgain {
		r := reading{client: c, left: limits, page: pageKeys, end: clientv3.GetPrefixRangeEnd(prefix), options: options}
		if err = r.all(ctx, prefix); !errors.Is(err, rpctypes.ErrCompacted) {
			if err != nil {
				return nil, Mark{}, c.target.explain("read", err)
			}
			c.note(r.mark) // should it be an older one, the next probe says so
			return r.entries, r.mark, nil
		}
	}
	return nil, Mark{}, c.target.explain("read", err)
}

// reading is the state of one Read.
type reading struct {
	client  *Client
	left    Limits
	page    int64
	end     string
	options []clientv3.OpOption
	mark    Mark
	entries []Entry
}

func (r *reading) all(ctx context.Context, from string) error {
	for more := true; more; {
		answer, err := r.one(ctx, from)
		if tooLarge(err) && r.page > 1 {
			r.page = max(1, r.page/4)
			continue
		}
		if err != nil {
			return err
		}
		if r.mark.Revision == 0 {
			r.mark = markOf(answer.Header)
		}
		for _, kv := range answer.Kvs {
			if err := r.add(kv.Key, kv.Value, kv.ModRevision); err != nil {
				return err
			}
		}
		more = answer.More && len(answer.Kvs) > 0
		if more {
			from = string(answer.Kvs[len(answer.Kvs)-1].Key) + "\x00"
		}
	}
	return nil
}

// one asks for a page. Its time is bounded for itself: a large configuration has several.
func (r *reading) one(ctx context.Context, from string) (*clientv3.GetResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, r.client.target.Timeout)
	defer cancel()
	return r.client.kv.Get(ctx, from, append([]clientv3.OpOption{clientv3.WithRange(r.end), clientv3.WithLimit(r.page),
		clientv3.WithRev(r.mark.Revision)}, r.options...)...)
}

func (r *reading) add(key, value []byte, modified int64) error {
	r.left.Keys--
	r.left.Bytes -= int64(len(key) + len(value))
	switch {
	case len(key) > maxKeyName:
		return fmt.Errorf("a key of %d bytes, at most %d are taken: %.60q", len(key), maxKeyName, key)
	case r.left.Keys < 0:
		return ErrTooMany
	case r.left.Bytes < 0:
		return ErrTooLarge
	}
	r.entries = append(r.entries, Entry{Key: string(key), Value: bytes.Clone(value), Modified: modified})
	return nil
}

func markOf(h *etcdserverpb.ResponseHeader) Mark {
	return Mark{Revision: h.GetRevision(), Cluster: h.GetClusterId(), Term: h.GetRaftTerm()}
}

// tooLarge reports whether an answer was refused for its size, on either side.
func tooLarge(err error) bool { return err != nil && status.Code(err) == codes.ResourceExhausted }

// Get returns one key, and false where it is not there.
func (c *Client) Get(ctx context.Context, key string) (Entry, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, c.target.Timeout)
	defer cancel()
	answer, err := c.kv.Get(ctx, key)
	if err != nil {
		return Entry{}, false, c.target.explain("read", err)
	}
	if len(answer.Kvs) == 0 {
		return Entry{}, false, nil
	}
	kv := answer.Kvs[0]
	return Entry{Key: string(kv.Key), Value: kv.Value, Modified: kv.ModRevision}, true, nil
}

// Probe asks where the cluster is. A member that has lost the others does not answer it.
func (c *Client) Probe(ctx context.Context) (Mark, error) {
	ctx, cancel := context.WithTimeout(ctx, min(c.target.Timeout, c.target.Connect))
	defer cancel()
	answer, err := c.kv.Get(ctx, c.target.Prefix(), clientv3.WithCountOnly())
	if err != nil {
		return Mark{}, c.target.explain("reach", err)
	}
	return markOf(answer.Header), nil
}
