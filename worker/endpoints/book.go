package endpoints

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"pingap/arena"
	"pingap/config"
	"pingap/ipc"
	"pingap/worker/upstream"
)

// Book is the lists and the upstreams they are for. Its methods may be called from any goroutine.
type Book struct {
	arena *arena.Arena // where the records are

	mu    sync.Mutex            // guards all below, and the order in which an upstream gets its lists
	lists map[string]ipc.Secret // as they came, in the bounds of what the supervisor keeps
	bytes int                   // of them
	users map[string][]*upstream.Upstream
}

// New makes an empty book. The records that lists name are in this arena.
func New(a *arena.Arena) *Book {
	return &Book{arena: a, lists: map[string]ipc.Secret{}, users: map[string][]*upstream.Upstream{}}
}

// keyOf is the key of the items about an upstream.
func keyOf(u *config.Upstream) string { return u.Name + "@" + u.Source() }

// Attach gives an upstream the list there is for it, and all that come.
func (b *Book) Attach(u *upstream.Upstream) error {
	key := keyOf(u.Config)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.users[key] = append(b.users[key], u)
	body, found := b.lists[key]
	if !found {
		return nil
	}
	l, err := b.read(key, body)
	if err == nil {
		u.SetEndpoints(l.endpoints, l.own)
	}
	return err
}

// Detach ends what Attach began.
func (b *Book) Detach(u *upstream.Upstream) {
	key := keyOf(u.Config)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.users[key] = slices.DeleteFunc(b.users[key], func(o *upstream.Upstream) bool { return o == u })
	if len(b.users[key]) == 0 {
		delete(b.users, key)
	}
}

// Change takes items of ipc.StateEndpoints. With all, lists that are not named are forgotten. What cannot be read is in the error,
// and changes nothing.
func (b *Book) Change(items []ipc.StateItem, all bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if all {
		before := b.lists
		b.lists, b.bytes = make(map[string]ipc.Secret, len(items)), 0
		for _, i := range items {
			if body, found := before[i.Key]; found {
				b.putLocked(i.Key, body)
			}
		}
	}
	var failed []error
	for i := range items {
		if err := b.changeLocked(&items[i]); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

func (b *Book) changeLocked(i *ipc.StateItem) error {
	if i.Gone {
		b.dropLocked(i.Key)
		return nil
	}
	if len(i.Key) > ipc.MaxStateKey || len(i.Body) > ipc.MaxStateBody {
		return fmt.Errorf("endpoints %.60q: a key of %d and a body of %d bytes", i.Key, len(i.Key), len(i.Body))
	}
	l, err := b.read(i.Key, i.Body)
	if err != nil {
		return err
	}
	count, bytes := len(b.lists)+1, b.bytes+len(i.Key)+len(i.Body)
	if old, found := b.lists[i.Key]; found {
		count, bytes = count-1, bytes-len(i.Key)-len(old)
	}
	if count > ipc.MaxStateItems || bytes > ipc.MaxStateBytes {
		return fmt.Errorf("endpoints %s: %d lists of %d bytes, at most %d of %d", i.Key, count, bytes, ipc.MaxStateItems, ipc.MaxStateBytes)
	}
	b.putLocked(i.Key, i.Body)
	for _, u := range b.users[i.Key] {
		u.SetEndpoints(l.endpoints, l.own)
	}
	return nil
}

// putLocked enters a list.
func (b *Book) putLocked(key string, body ipc.Secret) {
	b.dropLocked(key)
	b.lists[key] = body
	b.bytes += len(key) + len(body)
}

func (b *Book) dropLocked(key string) {
	if old, found := b.lists[key]; found {
		b.bytes -= len(key) + len(old)
		delete(b.lists, key)
	}
}

// Seal returns a memory file with all lists as they came, for a supervisor that knows nothing, or -1 where there are none. The caller
// closes it.
func (b *Book) Seal() (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.lists) == 0 {
		return -1, nil
	}
	items := make([]ipc.StateItem, 0, len(b.lists))
	for key, body := range b.lists {
		items = append(items, ipc.StateItem{Kind: ipc.StateEndpoints, Key: key, Body: body})
	}
	return ipc.SealItems(items)
}

// list is what an item says.
type list struct {
	endpoints []upstream.Endpoint
	own       *arena.Record
}

// read judges an item. A record that is not there is none: this worker then counts for itself.
func (b *Book) read(key string, body ipc.Secret) (*list, error) {
	var e ipc.Endpoints
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, fmt.Errorf("endpoints %s cannot be read", key)
	}
	if e.Upstream+"@"+e.Source != key {
		return nil, fmt.Errorf("endpoints %s are those of another upstream", key)
	}
	if len(e.List) > ipc.MaxEndpoints {
		return nil, fmt.Errorf("endpoints %s: %d of at most %d", key, len(e.List), ipc.MaxEndpoints)
	}
	l := &list{endpoints: make([]upstream.Endpoint, 0, len(e.List)), own: b.record(e.Record)}
	for i := range e.List {
		one, err := b.endpoint(&e.List[i])
		if err != nil {
			return nil, fmt.Errorf("endpoints %s: %w", key, err)
		}
		l.endpoints = append(l.endpoints, one)
	}
	return l, nil
}

func (b *Book) record(ref ipc.RecordRef) *arena.Record {
	if b.arena == nil || ref.ID == 0 {
		return nil
	}
	return b.arena.Record(ref.Row, ref.ID)
}
