package etcd

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// ErrElsewhere ends Follow when the cluster is not the one, or not at the place in its history, that was read.
var ErrElsewhere = errors.New("the cluster was replaced or restored")

// Follow calls event whenever something below the path may have changed after the mark, until ctx ends, which is no error. It returns an
// error when nothing can be relied on any more: what is there must be read again then. probe is the time between two questions.
func (c *Client) Follow(ctx context.Context, after Mark, probe time.Duration, event func()) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	defer wg.Wait() // second: it has been told to end
	defer cancel(nil)
	outside := ctx.Err
	wg.Go(func() {
		if err := c.probing(ctx, probe); err != nil {
			cancel(err)
		}
	})
	// Without a leader a stream is silent for ever: it is ended then.
	stream := c.kv.Watch(clientv3.WithRequireLeader(ctx), c.target.Prefix(), clientv3.WithPrefix(), clientv3.WithRev(after.Revision+1),
		clientv3.WithFragment())
	for answer := range stream {
		if err := answer.Err(); err != nil {
			return c.target.explain("watch", err)
		}
		if len(answer.Events) > 0 {
			event()
		}
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	if outside() != nil {
		return nil
	}
	return c.target.explain("watch", errors.New("the stream has ended"))
}

// probing asks again and again, until ctx ends, or an answer says that the cluster is elsewhere, or none comes.
func (c *Client) probing(ctx context.Context, every time.Duration) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		before := c.last()
		now, err := c.Probe(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if c.note(now) && now.older(before) { // else another answer has only come in between
			return c.target.explain("watch", fmt.Errorf("%w: it is at revision %d", ErrElsewhere, now.Revision))
		}
	}
}
