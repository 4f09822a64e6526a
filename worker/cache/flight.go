package cache

import (
	"time"

	"pingap/message"
)

// Flight is a request that others with the same key wait for.
type Flight struct {
	cache *Cache
	key   Key
	ready chan struct{} // closed when the head is there, or nothing will come
	lock  *lock         // over all workers; nil for none

	// Written before ready is closed.
	fill   *Fill
	result Result
	names  []string // the fields that the response varies by
	like   string   // and their values
}

// Result is what became of a flight's head.
type Result uint8

// The results.
const (
	Failed  Result = iota // nothing came: the next may lead
	Filling               // the response is being stored: read along
	Stored                // look again
	Refused               // it is not to be stored: everybody asks for themselves
)

// Join begins a flight, or finds the one that is under way.
func (c *Cache) Join(k Key) (f *Flight, leads bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.flights[k]; f != nil {
		return f, false
	}
	f = &Flight{cache: c, key: k, ready: make(chan struct{})}
	c.flights[k] = f
	return f, true
}

// Wait waits for the head. ok is false where it did not come in time.
func (f *Flight) Wait(limit time.Duration) (r Result, ok bool) {
	select {
	case <-f.ready:
		return f.result, true
	default:
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-f.ready:
		return f.result, true
	case <-timer.C:
		return Failed, false
	}
}

// Share gives the fill to all who wait, and to who comes while it lasts, if they send what the leader sent in the fields that the response varies by.
func (f *Flight) Share(fill *Fill, request []message.Field) {
	f.fill = fill
	f.names, _ = varyNames(fill.head.Fields)
	f.like = likeness(f.names, request)
	f.result = Filling
	close(f.ready)
}

// Fill is what is under way for a request with these fields; nil for none.
func (f *Flight) Fill(request []message.Field) *Fill {
	if f.fill == nil || f.like != likeness(f.names, request) {
		return nil
	}
	return f.fill
}

func likeness(names []string, fields []message.Field) string {
	var all []byte
	for _, name := range names {
		all = AppendPart(all, name, fields)
	}
	return string(all)
}

// End ends the flight, once. Whoever comes afterwards looks into the store.
func (f *Flight) End(r Result) {
	f.cache.mu.Lock()
	if f.cache.flights[f.key] != f {
		f.cache.mu.Unlock()
		return
	}
	delete(f.cache.flights, f.key)
	f.cache.mu.Unlock()
	if f.fill == nil {
		f.result = r
		close(f.ready)
	}
	f.lock.release()
}
