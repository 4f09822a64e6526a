package imageoptim

import (
	"container/list"
	"crypto/sha256"
	"sync"
)

// entryCost is about what an entry takes besides its picture, in bytes.
const entryCost = 256

// key names a picture in a form.
type key [sha256.Size]byte

// result is what became of a picture; data is nil where nothing was gained. It is never changed.
type result struct {
	key  key
	data []byte
}

// results remembers what became of pictures. The zero value with a limit is ready.
type results struct {
	limit int64

	mu     sync.Mutex // guards the rest
	known  map[key]*list.Element
	order  list.List // of *result, the latest used first
	size   int64
	making map[key]struct{}
}

// get returns what is known of a picture; nil for nothing.
func (r *results) get(k key) *result {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.known[k]
	if e == nil {
		return nil
	}
	r.order.MoveToFront(e)
	return e.Value.(*result)
}

// begin reports whether the caller is to find out about a picture; then put or giveUp follows.
func (r *results) begin(k key) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, under := r.making[k]; under || len(r.making) >= learners {
		return false
	}
	if r.making == nil {
		r.making = map[key]struct{}{}
	}
	r.making[k] = struct{}{}
	return true
}

// giveUp ends what begin began, without a result.
func (r *results) giveUp(k key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.making, k)
}

// put remembers a result, and forgets others while there is no room.
func (r *results) put(k key, data []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.making, k)
	if int64(len(data))+entryCost > r.limit {
		data = nil
	}
	if r.known == nil {
		r.known = map[key]*list.Element{}
	}
	r.known[k] = r.order.PushFront(&result{key: k, data: data})
	r.size += int64(len(data)) + entryCost
	for r.size > r.limit {
		last := r.order.Back()
		old := r.order.Remove(last).(*result)
		delete(r.known, old.key)
		r.size -= int64(len(old.data)) + entryCost
	}
}
