package queue

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// ErrFull tells that as many wait as may, ErrLate that the time to wait is over.
var (
	ErrFull = errors.New("the queue is full")
	ErrLate = errors.New("the time to wait in the queue is over")
)

// pollEvery is how often the first in line tries without having heard of a change: what other processes do is not told.
const pollEvery = 5 * time.Millisecond

// Queue is a line. Its methods may be called by any goroutine. A nil Queue is one in which nobody may wait.
type Queue struct {
	size    int
	timeout time.Duration
	waiting atomic.Int64

	mu   sync.Mutex
	line list.List // guarded by mu: of chan struct{}, which is closed when its owner becomes the first
}

// New returns a line for at most size requests, each of which waits for timeout at most; nil where nobody may wait.
func New(size int, timeout time.Duration) *Queue {
	if size <= 0 || timeout <= 0 {
		return nil
	}
	return &Queue{size: size, timeout: timeout}
}

// Waiting returns how many wait. Who comes while somebody does has to wait behind him.
func (q *Queue) Waiting() int64 {
	if q == nil {
		return 0
	}
	return q.waiting.Load()
}

// Wait waits in line until try has success, which it reports. changed returns a channel that is closed when it may be worth
// to try again; it is asked for before each try, so that no change is missed.
func (q *Queue) Wait(ctx context.Context, changed func() <-chan struct{}, try func() bool) error {
	if q == nil {
		return ErrFull
	}
	first, place := q.enter()
	if place == nil {
		return ErrFull
	}
	defer q.leave(place)
	late := time.NewTimer(q.timeout)
	defer late.Stop()
	select {
	case <-first:
	case <-late.C:
		return ErrLate
	case <-ctx.Done():
		return ctx.Err()
	}
	return q.first(ctx, late.C, changed, try)
}

// first is Wait at the front of the line.
func (q *Queue) first(ctx context.Context, late <-chan time.Time, changed func() <-chan struct{}, try func() bool) error {
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for {
		news := changed()
		if try() {
			return nil
		}
		select {
		case <-news:
		case <-poll.C:
		case <-late:
			return ErrLate
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// enter takes a place at the end of the line; nil if there is none.
func (q *Queue) enter() (first chan struct{}, place *list.Element) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.line.Len() >= q.size {
		return nil, nil
	}
	first = make(chan struct{})
	place = q.line.PushBack(first)
	q.waiting.Add(1)
	if q.line.Len() == 1 {
		close(first)
	}
	return first, place
}

// leave gives a place up. Who is the first then is told.
func (q *Queue) leave(place *list.Element) {
	q.mu.Lock()
	defer q.mu.Unlock()
	wasFirst := place == q.line.Front()
	q.line.Remove(place)
	q.waiting.Add(-1)
	if next := q.line.Front(); wasFirst && next != nil {
		if first, ok := next.Value.(chan struct{}); ok {
			close(first)
		}
	}
}
