package etcd

import (
	"context"
	"errors"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Errors of locks.
var (
	ErrFenced  = errors.New("the lock is not held any more")
	ErrExpired = errors.New("the lease has expired")
)

// Lease is a time that keys live for, unless Renew is called again and again.
type Lease struct {
	id clientv3.LeaseID
}

// Fence is a lock that is held: the key, what its holder wrote there, and the revision at which it was made. Whoever holds it later made
// it anew; a cluster that was restored from a snapshot may give the same revision again, but not to the same value.
type Fence struct {
	Key     string
	Value   []byte
	Created int64
}

// Grant makes a lease.
func (c *Client) Grant(ctx context.Context, ttl time.Duration) (Lease, error) {
	ctx, cancel := context.WithTimeout(ctx, c.target.Timeout)
	defer cancel()
	answer, err := c.kv.Grant(ctx, int64(ttl/time.Second))
	if err != nil {
		return Lease{}, c.target.explain("lease", err)
	}
	return Lease{id: answer.ID}, nil
}

// Renew begins the time of a lease anew.
func (c *Client) Renew(ctx context.Context, l Lease) error {
	answer, err := c.kv.KeepAliveOnce(ctx, l.id)
	if errors.Is(err, rpctypes.ErrLeaseNotFound) || err == nil && answer.TTL <= 0 {
		err = ErrExpired
	}
	if err != nil {
		return c.target.explain("renew the lease", err)
	}
	return nil
}

// Revoke ends a lease, and the keys that live as long.
func (c *Client) Revoke(ctx context.Context, l Lease) error {
	if _, err := c.kv.Revoke(ctx, l.id); err != nil {
		return c.target.explain("revoke the lease", err)
	}
	return nil
}

// Acquire makes a key that lives as long as the lease, unless it is there; mine says whether it did.
func (c *Client) Acquire(ctx context.Context, key string, value []byte, l Lease) (fence Fence, mine bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.target.Timeout)
	defer cancel()
	answer, err := c.kv.Txn(ctx).If(clientv3.Compare(clientv3.CreateRevision(key), "=", 0)).
		Then(clientv3.OpPut(key, string(value), clientv3.WithLease(l.id))).Commit()
	if err != nil {
		return Fence{}, false, c.target.explain("lock", err)
	}
	return Fence{Key: key, Value: value, Created: answer.Header.GetRevision()}, answer.Succeeded, nil
}

// PutLeased writes a key that lives as long as the lease.
func (c *Client) PutLeased(ctx context.Context, key string, value []byte, l Lease) error {
	ctx, cancel := context.WithTimeout(ctx, c.target.Timeout)
	defer cancel()
	if _, err := c.kv.Put(ctx, key, string(value), clientv3.WithLease(l.id)); err != nil {
		return c.target.explain("write", err)
	}
	return nil
}

// Guarded writes keys all at once if the fence still stands, and returns the revision; a nil value deletes. Keys live as long as the lease
// that is given; the zero value is none.
func (c *Client) Guarded(ctx context.Context, f Fence, l Lease, changes ...Change) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, c.target.Timeout)
	defer cancel()
	var ops []clientv3.Op
	for _, change := range changes {
		if change.Value == nil {
			ops = append(ops, clientv3.OpDelete(change.Key))
			continue
		}
		ops = append(ops, clientv3.OpPut(change.Key, string(change.Value), clientv3.WithLease(l.id)))
	}
	answer, err := c.kv.Txn(ctx).If(clientv3.Compare(clientv3.CreateRevision(f.Key), "=", f.Created),
		clientv3.Compare(clientv3.Value(f.Key), "=", string(f.Value))).Then(ops...).Commit()
	if err != nil {
		return 0, c.target.explain("write", err)
	}
	if !answer.Succeeded {
		return 0, c.target.explain("write", ErrFenced)
	}
	return answer.Header.GetRevision(), nil
}
