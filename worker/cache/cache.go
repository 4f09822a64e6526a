package cache

import (
	"crypto/rand"
	"encoding/binary"
	"hash/maphash"
	"sync"

	"pingap/message"
)

// Cache is a store with what is under way in this process.
type Cache struct {
	store store
	files *files // the store, where that is files

	mu         sync.Mutex
	flights    map[Key]*Flight
	refreshing map[Key]refresh
	marks      sync.Mutex // one at a time reads a mark and writes it
	rules      rules
	seeds      [2]maphash.Seed // of the keys, where the store is memory
}

// NewMemory makes a cache that keeps at most so many bytes in this process.
func NewMemory(maxBytes int64) *Cache { return newCache(newMemory(maxBytes)) }

func newCache(s store) *Cache {
	return &Cache{store: s, flights: map[Key]*Flight{}, refreshing: map[Key]refresh{}, seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}}
}

// Find returns the stored response to a request: k is the key of text, fields are those of the request. Nil for none.
func (c *Cache) Find(k Key, text []byte, fields []message.Field) *Object {
	o := c.store.get(k)
	if o == nil || o.Key != string(text) {
		o.Close()
		return nil
	}
	if !o.mark() {
		return o
	}
	names, generation := o.Names, o.Generation
	o.Close()
	o = c.store.get(c.variant(k, generation, names, fields))
	if o == nil || o.Key != string(text) || o.mark() {
		o.Close()
		return nil
	}
	return o
}

// Begin begins to store a response whose body comes; request are the fields by which the response may vary, which must stay. Nil where it cannot be stored: the body is too long, or there is no room.
func (c *Cache) Begin(k Key, h *Head, a *Arrival, length, limit int64, request []message.Field) *Fill {
	if length > limit {
		return nil
	}
	if _, ok := varyNames(h.Fields); !ok {
		return nil
	}
	s, ok := c.store.spool(h)
	if !ok {
		return nil
	}
	h.Length = length
	return &Fill{cache: c, key: k, head: h, asked: a.Asked, request: request, limit: limit, spool: s}
}

// Put stores a response that is whole, with a body in memory or none.
func (c *Cache) Put(k Key, h *Head, a *Arrival, body []byte, request []message.Field) bool {
	h.Length = int64(len(body))
	at, ok := c.place(k, h, request)
	return ok && !c.rules.forbid(h, a.Asked) && c.store.put(at, h, body)
}

// Replace stores the freshened head of an object with the object's body, and returns the object as it is now; nil where that failed. The old one is closed
// with it.
func (c *Cache) Replace(k Key, old *Object, h *Head, request []message.Field) *Object {
	at, ok := c.place(k, h, request)
	if !ok {
		return nil
	}
	if old.File == nil {
		c.store.put(at, h, old.Body)
		return &Object{Head: h, Body: old.Body}
	}
	if !c.files.rewrite(at, old, h) {
		return nil
	}
	return &Object{Head: h, File: old.File, Offset: old.Offset}
}

// finish stores what a fill has.
func (c *Cache) finish(f *Fill, h *Head, body []byte) {
	at, ok := c.place(f.key, h, f.request)
	if !ok || c.rules.forbid(h, f.asked) {
		return
	}
	if f.spool == nil {
		c.store.put(at, h, body)
		return
	}
	c.files.commit(at, f.spool, h)
}

// place returns the key under which a response is stored. Where it varies, or others of its address do, there is a mark under k that says by which fields.
func (c *Cache) place(k Key, h *Head, request []message.Field) (Key, bool) {
	names, ok := varyNames(h.Fields)
	if !ok {
		return k, false
	}
	c.marks.Lock()
	defer c.marks.Unlock()
	mark := c.store.get(k)
	defer mark.Close()
	if mark == nil || mark.Key != h.Key || !mark.mark() {
		if len(names) == 0 {
			return k, true
		}
		return c.newMark(k, h.Key, names, request)
	}
	all, ok := union(names, mark.Names)
	if !ok {
		return k, false
	}
	if len(all) > len(mark.Names) {
		return c.newMark(k, h.Key, all, request)
	}
	return c.variant(k, mark.Generation, mark.Names, request), true
}

func (c *Cache) newMark(k Key, text string, names []string, request []message.Field) (Key, bool) {
	var random [8]byte
	_, _ = rand.Read(random[:]) // does not fail
	generation := binary.BigEndian.Uint64(random[:])
	if !c.store.put(k, &Head{Key: text, Names: names, Generation: generation}, nil) {
		return k, false
	}
	return c.variant(k, generation, names, request), true
}

// Remove forgets what is stored under a key, whatever it varies by.
func (c *Cache) Remove(k Key) { c.store.remove(k) }

// refresh is a response that is being fetched anew.
type refresh struct {
	until int64 // when somebody else may, ns since 1970
	lock  *lock // over all workers; nil for none
}

// Refresh reports whether the caller is to fetch a stale response anew: nobody else does until then, or Refreshed.
func (c *Cache) Refresh(k Key, now, until int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refreshing[k].until > now {
		return false
	}
	if len(c.refreshing) >= maxRefreshing {
		for key, r := range c.refreshing {
			if r.until <= now {
				r.lock.release()
				delete(c.refreshing, key)
			}
		}
		if len(c.refreshing) >= maxRefreshing {
			return false
		}
	}
	r := refresh{until: until}
	if c.files != nil {
		got, err := c.files.locks.try(lockOf(k))
		if got == nil && err == nil {
			return false // another worker does, or a request waits for the response
		}
		r.lock = got
	}
	c.refreshing[k] = r
	return true
}

// maxRefreshing bounds how many responses are being fetched anew.
const maxRefreshing = 4096

// Refreshed says that the response was fetched anew, or that it could not: then this worker does not try again before then.
func (c *Cache) Refreshed(k Key, again int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refreshing[k].lock.release()
	delete(c.refreshing, k)
	if again > 0 {
		c.refreshing[k] = refresh{until: again}
	}
}
