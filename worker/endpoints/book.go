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

// maxLists bounds the lists that are kept, as many as the supervisor keeps items.
const maxLists = 1 << 16

// Book is the lists and the upstreams they are for. Its methods may be called from any goroutine.
type Book struct {
	arena *arena.Arena // where the records are

	mu    sync.Mutex // guards all below, and the order in which an upstream gets its lists
	lists map[string]ipc.Secret
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
		b.lists = make(map[string]ipc.Secret, len(items))
		for _, i := range items {
			if body, found := before[i.Key]; found {
				b.lists[i.Key] = body
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
		delete(b.lists, i.Key)
		return nil
	}
	l, err := b.read(i.Key, i.Body)
	if err != nil {
		return err
	}
	if _, found := b.lists[i.Key]; !found && len(b.lists) >= maxLists {
		return fmt.Errorf("endpoints %s: there are %d lists already", i.Key, maxLists)
	}
	b.lists[i.Key] = i.Body
	for _, u := range b.users[i.Key] {
		u.SetEndpoints(l.endpoints, l.own)
	}
	return nil
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
